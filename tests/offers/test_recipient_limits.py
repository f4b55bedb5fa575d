"""No agency has one stranger flooded with mail: what is too much waits, or is not sent, and is said to be so."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from flask import Flask
from sqlalchemy import select, update

from app.core.access import get_offer
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Agency, Delivery, Property
from app.models.privacy import REASONS
from app.offers import deciding, recipient_limits
from app.offers.document import Bidder
from app.offers.recording import record
from app.offers.submitting import Sending, SentOffer
from app.offers.timeline import mails_owed
from app.privacy import data_requests, erasure
from tests import factories

STRANGER = Bidder("Un Străin", "strain@client.example", "+40722000999")


def recorded(prop: Property, number: int, bidder: Bidder = STRANGER) -> SentOffer:
    sending = Sending(number.to_bytes(16), prop.link_version, "ro", "api", {})
    return record(prop, factories.make_draft(bidder=bidder), sending, by=SYSTEM)


def asked(template: str = "offer_confirm") -> list[Delivery]:
    db.session.rollback()
    return list(db.session.scalars(select(Delivery).where(Delivery.template == template).order_by(Delivery.created_at)))


def test_four_hundred_offers_send_one_stranger_thirty_mails_at_most(either_app: Flask, prop: Property) -> None:
    told = [recorded(prop, number).mail for number in range(60)]
    assert told == [None] * 10 + [recipient_limits.LATER] * 20 + [recipient_limits.NOT_SENT] * 30
    mails = asked()
    assert Counter(mail.state for mail in mails) == {"pending": 30, "cancelled": 30}
    assert {mail.reason for mail in mails if mail.state == "cancelled"} == {recipient_limits.TOO_MANY}
    at = now()
    assert sum(mail.due_at <= at for mail in mails if mail.state == "pending") == 10
    assert max(mail.due_at for mail in mails) < at + timedelta(hours=3)
    assert len(asked("offer_agent")) == 60, "what tells the agent is never held back"
    assert {mail.state for mail in asked("offer_agent")} == {"pending"}
    assert len(asked("receipt_kept")) == 60


def test_another_address_and_another_agency_have_shares_of_their_own(app: Flask, prop: Property) -> None:
    for number in range(12):
        recorded(prop, number)
    assert recorded(prop, 100, Bidder("Alta", "alta@client.example", "+40722000888")).mail is None
    other = factories.make_agency("Alta")
    theirs = factories.make_property(other, factories.make_user(other).id)
    assert recorded(theirs, 101).mail is None


def test_answers_toggled_a_hundred_times_count_as_well(app: Flask, prop: Property) -> None:
    offer_id = factories.make_offer(prop)
    for number in range(100):
        answer = deciding.AgencyAnswer(("accepted", "rejected")[number % 2], notify_bidder=True)
        deciding.decide_all(prop.agency_id, [deciding.Chosen(offer_id, None)], answer, by=SYSTEM)
    states = Counter(mail.state for mail in asked("decision_bidder"))
    assert states["cancelled"] == 70


def test_why_a_mail_is_not_sent_is_shown_with_the_offer(app: Flask, prop: Property) -> None:
    last = [recorded(prop, number) for number in range(31)][-1]
    owner = factories.person_of(factories.make_user(prop.agency_id, "owner"))
    offer, _state = get_offer(owner, last.offer_id)
    assert [mail.reason for mail in mails_owed(offer) if mail.template == "offer_confirm"] == ["recipient"]


def test_a_day_later_it_may_be_written_to_again_and_nothing_is_known(app: Flask, prop: Property) -> None:
    for number in range(31):
        recorded(prop, number)
    long_ago = now() - timedelta(days=2)
    with housekeeping() as connection:
        sent = {"created_at": long_ago, "due_at": long_ago, "ended_at": long_ago, "state": "delivered"}
        connection.execute(update(Delivery).where(Delivery.reason.is_(None)).values(**sent))
    assert recorded(prop, 200).mail is None
    assert recipient_limits.forget() == 30
    assert sum(mail.recipient is not None for mail in asked()) == 1


def test_who_is_forgotten_leaves_no_hash_behind(app: Flask, prop: Property) -> None:
    sent = recorded(prop, 1)
    assert asked()[0].recipient
    erasure.erase_all(prop.agency_id, [sent.offer_id], REASONS[0])
    assert asked()[0].recipient is None


def test_a_test_agency_writes_to_nobody(app: Flask, prop: Property) -> None:
    with housekeeping() as connection:
        connection.execute(update(Agency).values(test_of_id=prop.agency_id))
    db.session.rollback()
    assert [recorded(prop, number).mail for number in range(40)] == [None] * 40
    assert not asked()


def test_another_spelling_of_the_same_mailbox_has_no_share_of_its_own(app: Flask, prop: Property) -> None:
    bidders = [Bidder("Un Străin", f"strain+{number}@client.example", "+40722000999") for number in range(31)]
    told = [recorded(prop, number, bidder).mail for number, bidder in enumerate(bidders)]
    assert told == [None] * 10 + [recipient_limits.LATER] * 20 + [recipient_limits.NOT_SENT]


def test_what_a_stranger_asks_for_uses_up_nothing_of_the_agencys_share(app: Flask, prop: Property) -> None:
    for number in range(4):
        email = f"strain+{number}@client.example"
        factories.make_offer(prop, factories.make_draft(bidder=Bidder("Un Străin", email, "+40722000999")))
        for _ in range(3):
            data_requests.ask(prop.agency_id, "access", email, "ro")
    assert len(asked("privacy_proof")) == 12
    assert recorded(prop, 100).mail is None
