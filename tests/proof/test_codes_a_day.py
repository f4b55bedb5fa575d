"""Who makes many offers in one person's name neither floods their mailbox with codes nor gets to guess at length."""

from __future__ import annotations

import uuid
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from flask import Flask
from pypdf import PdfReader
from sqlalchemy import event, func, select, update
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.contacts import mailbox_of
from app.core.errors import IllegalTransition
from app.core.ledger import SYSTEM
from app.core.signed_links import BIDDER, sign
from app.extensions import db
from app.models import (
    CODE,
    HELD_LINK,
    Agency,
    Confirmation,
    Delivery,
    EmailCode,
    Offer,
    OfferState,
    OfferTag,
    Property,
    ReplaceCode,
    User,
)
from app.offers import codes, recording, replacing, withdrawing
from app.offers.codes_a_day import A_DAY
from app.offers.document import Bidder, Signature
from app.proof import receipts
from app.proof.receipt_reading import facts_of
from app.proof.register import offer_faults
from tests.factories import (
    mailed_code,
    make_draft,
    make_offer,
    make_property,
    make_sending,
    person_of,
)


@pytest.fixture
def prop(owner: User) -> Property:
    return make_property(owner.agency_id, owner.id, signature_required=True, code_required=True)


def asked_for(prop: Property, owner: User) -> list[bool]:
    """One offer after the other is recorded for the same person, and a code sent for it."""
    told = []
    for _each in range(A_DAY + 2):
        sending = make_sending(prop, source="agent", channel="phone")
        offer_id = recording.record(prop, make_draft(), sending, by=person_of(owner).actor).offer_id
        told.append(codes.send_another(db.session.get_one(Offer, offer_id)))
        db.session.rollback()
    return told


def mails(template: str) -> int:
    return db.session.scalar(select(func.count()).where(Delivery.template == template)) or 0


def signed_offer(prop: Property) -> uuid.UUID:
    draft = make_draft(signature=Signature("typed", text="Andrei Țurcanu"))
    return make_offer(prop, draft)


def test_one_mailbox_gets_only_so_many_codes_for_all_its_offers(prop: Property, owner: User) -> None:
    assert asked_for(prop, owner) == [True] * A_DAY + [False] * 2
    assert mails("offer_code") == A_DAY


def test_what_is_signed_meanwhile_is_kept_and_takes_a_code_the_next_day(prop: Property, owner: User) -> None:
    asked_for(prop, owner)
    offer_id = signed_offer(prop)
    offer = db.session.get_one(Offer, offer_id)
    standing = codes.standing(offer)
    assert standing and (standing.state, standing.more) == ("expired", True)
    assert not db.session.get_one(OfferState, offer_id).signed
    assert not [*offer_faults(db.session.get_one(Agency, owner.agency_id))]
    assert not codes.send_another(offer)
    for table in (EmailCode, Delivery):
        db.session.execute(update(table).values(created_at=now() - timedelta(days=1)))
    db.session.commit()
    assert codes.send_another(db.session.get_one(Offer, offer_id))
    assert codes.enter(db.session.get_one(Offer, offer_id), mailed_code(offer_id)).state == "done"


def test_codes_for_replacing_count_among_them(prop: Property, owner: User) -> None:
    asked_for(prop, owner)
    reference = db.session.get_one(Offer, signed_offer(prop)).reference
    replacing.ask(prop, bytes(16), replaces=reference, asked=None)
    db.session.rollback()
    assert db.session.scalars(select(ReplaceCode)).one().offer_id is None
    assert mails("replace_code") == 1  # owed to nobody: the rows are the same whatever exists


def test_another_persons_codes_are_their_own(prop: Property, owner: User) -> None:
    asked_for(prop, owner)
    other = Bidder("Altcineva", "altcineva@client.example", "+40722000119")
    offer_id = make_offer(prop, make_draft(bidder=other, signature=Signature("typed", text="Altcineva")))
    assert codes.enter(db.session.get_one(Offer, offer_id), mailed_code(offer_id)).state == "done"


SPELLINGS = ("a.na@gmail.com", "ana@gmail.com", "Ana+1@gmail.com", "an.a+x@googlemail.com", "ana+oferte@gmail.com")


def test_other_spellings_of_one_mailbox_have_no_share_of_their_own(prop: Property, owner: User) -> None:
    told = []
    for number in range(A_DAY + 5):
        bidder = Bidder("Ana Pop", SPELLINGS[number % len(SPELLINGS)], "+40722000117")
        sending = make_sending(prop, source="agent", channel="phone")
        draft = make_draft(bidder=bidder)
        offer_id = recording.record(prop, draft, sending, by=person_of(owner).actor).offer_id
        told.append(codes.send_another(db.session.get_one(Offer, offer_id)))
        db.session.rollback()
    assert told == [True] * A_DAY + [False] * 5


def test_whoever_is_written_to_under_another_spelling_is_still_another_person(prop: Property, owner: User) -> None:
    """One mailbox for limits, two for everything else: what is searched, replaced and forgotten goes by the address."""
    first, second = (
        make_offer(prop, make_draft(bidder=Bidder("Ana Pop", email, f"+4072200012{n}")))
        for n, email in enumerate(SPELLINGS[:2])
    )
    tags = select(OfferTag.tag).where(OfferTag.field == "email")
    one, other = (db.session.scalars(tags.where(OfferTag.offer_id == offer_id)).one() for offer_id in (first, second))
    assert one != other


def test_spellings_of_one_mailbox() -> None:
    assert len({mailbox_of(one) for one in SPELLINGS}) == 1
    assert mailbox_of("a.na@x.ro") != mailbox_of("ana@x.ro") == mailbox_of("ANA+1@X.ro")
    assert mailbox_of("ana@bücher.de") == mailbox_of("ana+x@xn--bcher-kva.de")


def test_a_reference_that_nobody_has_costs_no_walk_through_the_agencys_mails(app: Flask, prop: Property) -> None:
    """It would be done under the lock, as often as a stranger asks, and its time would say which references exist."""
    asked: list[tuple[str, Any]] = []

    def hear(_connection: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> None:
        if "FROM delivery" in statement and "recipient" in statement:
            asked.append((statement, values))

    event.listen(db.engine, "before_cursor_execute", hear)
    try:
        replacing.ask(prop, bytes(16), replaces="BF-NOSUCH00", asked=None)
    finally:
        event.remove(db.engine, "before_cursor_execute", hear)
    with db.engine.connect() as connection:
        plans = [connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {one}", values).all() for one, values in asked]
    steps = [row[-1] for plan in plans for row in plan]
    assert steps and all("recipient=?" in step for step in steps), steps


def on_own_page(app: Flask, offer_id: uuid.UUID) -> TestResponse:
    """The button of the private page, as whoever follows the link in their mail comes to it."""
    bidder = app.test_client()
    mine = bidder.post(f"/r/{sign(BIDDER, offer_id)}").location
    page = bidder.get(mine).get_data(as_text=True)
    confirming = f"{mine}/confirm"
    assert (f'action="{confirming}"' in page) == (not confirmations(offer_id))
    return bidder.post(confirming)


def confirmations(offer_id: uuid.UUID) -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(Confirmation.proof).where(Confirmation.offer_id == offer_id)))


def test_whose_codes_others_used_up_confirms_on_the_page_of_their_mail(app: Flask, prop: Property, owner: User) -> None:
    asked_for(prop, owner)
    mine = signed_offer(prop)
    assert codes.standing(db.session.get_one(Offer, mine)) == codes.CodeState("expired", more=True)
    assert not codes.send_another(db.session.get_one(Offer, mine))
    for _twice in range(2):
        assert on_own_page(app, mine).status_code == 303
    assert confirmations(mine) == [CODE] and db.session.get_one(OfferState, mine).signed
    assert list(offer_faults(db.session.get_one(Agency, owner.agency_id))) == []
    kinds = [kind for _at, kind in facts_of(owner.agency_id, mine).steps]  # type: ignore[union-attr]
    assert "offer.code_confirmed.private_page" in kinds
    text = "".join(page.extract_text() for page in PdfReader(BytesIO(receipts.make(owner.agency_id, mine))).pages)
    assert "pagina privată" in " ".join(text.split()) and "confirmată cu un cod" not in text


def test_the_page_confirms_no_more_than_a_code_would(app: Flask, prop: Property, owner: User) -> None:
    """An address of the agency's shows no bidder; what has no signature, or was withdrawn, has nothing to confirm."""
    ours = make_draft(bidder=Bidder("A", owner.email, "+40722000119"), signature=Signature("typed", text="A"))
    theirs = make_offer(prop, ours)
    assert on_own_page(app, theirs).status_code == 303
    assert confirmations(theirs) == [HELD_LINK] and not db.session.get_one(OfferState, theirs).signed
    withdrawn = signed_offer(prop)
    withdrawing.withdraw(db.session.get_one(Offer, withdrawn))
    plain = make_property(owner.agency_id, owner.id)
    recorded = recording.record(plain, make_draft(), make_sending(plain, source="agent"), by=SYSTEM).offer_id
    for offer_id in (withdrawn, make_offer(plain), recorded):
        with pytest.raises(IllegalTransition):
            codes.confirm_on_own_page(db.session.get_one(Offer, offer_id))
        assert confirmations(offer_id) == []
