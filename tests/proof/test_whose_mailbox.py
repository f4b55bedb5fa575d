"""Whose mailbox a code goes to, when an owner changes what is the agency's, or spells it in another way."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_babel import force_locale

from app.accounts import editing as accounts
from app.core.clock import now
from app.core.errors import CodeWanted
from app.core.money import Money
from app.core.signed_links import RECEIPT, sign
from app.extensions import db
from app.models import Agency, Confirmation, Offer, OfferRequest, OfferState, Property, User
from app.offers import better_offers, codes, recording
from app.offers.document import Bidder, Signature
from app.offers.mailboxes import own_address, reachable
from app.offers.recording import ConfirmationInput
from app.proof import receipts
from app.proof.receipt_reading import facts_of
from app.proof.register import offer_faults
from tests.factories import (
    confirm,
    login,
    mailed_code,
    make_agency,
    make_draft,
    make_offer,
    make_property,
    make_sending,
    make_user,
    person_of,
)

VICTIM = make_draft().bidder
SIGNED = Signature("typed", text=VICTIM.full_name)


@pytest.fixture
def owner(app: Flask) -> User:
    return make_user(make_agency(), "owner", email="ana.pop@gmail.com")


@pytest.fixture
def prop(owner: User) -> Property:
    return make_property(owner.agency_id, owner.id, signature_required=True, code_required=True)


def becomes_the_agencys(owner: User, email: str, name: str = "email") -> None:
    accounts.change_agency(db.session.get_one(Agency, owner.agency_id), {name: email}, by=person_of(owner).actor)


def by(email: str | None) -> Bidder:
    return Bidder("Inventat Unu", email, "+40722000112")


def recorded(prop: Property, owner: User, bidder: Bidder, **values: object) -> uuid.UUID:
    sending = make_sending(prop, source="agent", channel="phone")
    draft = make_draft(bidder=bidder, **values)
    return recording.record(prop, draft, sending, by=person_of(owner).actor).offer_id


def test_a_code_in_the_agents_own_mailbox_signs_nothing_on_the_public_form(
    client: FlaskClient, prop: Property, owner: User
) -> None:
    offer_id = make_offer(prop, make_draft(bidder=by(owner.email), signature=SIGNED))
    client.post(f"/r/{sign(RECEIPT, offer_id)}/code", data={"code": mailed_code(offer_id)})
    db.session.rollback()
    assert db.session.get_one(Confirmation, offer_id).proof == "held_link"
    assert not db.session.get_one(OfferState, offer_id).signed
    page = client.get(f"/en/r/{sign(RECEIPT, offer_id)}").get_data(as_text=True)
    assert "This signature does not count" in page
    assert not [*offer_faults(db.session.get_one(Agency, owner.agency_id))]
    login(client, owner)
    shown = client.get(f"/en/app/offers/{offer_id}").get_data(as_text=True)
    assert "Confirmed through a link that the agency held" in shown
    assert "code sent to the client" not in shown.casefold()


def test_the_receipt_says_so(app: Flask, prop: Property, owner: User) -> None:
    offer_id = make_offer(prop, make_draft(bidder=by(owner.email), signature=SIGNED))
    codes.enter(db.session.get_one(Offer, offer_id), mailed_code(offer_id))
    with app.test_request_context(), force_locale("en"):
        facts = facts_of(owner.agency_id, offer_id)
        assert facts
        assert "does not show that the client confirmed" in receipts._origin(facts)
        assert "counts once" not in receipts._origin(facts)
    assert [kind for _at, kind in facts.steps] == ["offer.submitted", "offer.confirmed.held_link"]


@pytest.mark.parametrize(
    "spelling",
    ["anapop@gmail.com", "a.n.a.p.o.p@googlemail.com", "ANA.POP+oferte@gmail.com", "ana.pop@googlemail.com"],
)
def test_a_colleagues_mailbox_is_theirs_however_it_is_spelled(prop: Property, spelling: str) -> None:
    assert own_address(prop.agency_id, make_offer(prop, make_draft(bidder=by(spelling)))) is None


def test_a_domain_is_the_same_in_letters_and_in_ascii(prop: Property, owner: User) -> None:
    becomes_the_agencys(owner, "birou@case-brăila.example")
    offer_id = make_offer(prop, make_draft(bidder=by("birou@" + "case-brăila.example".encode("idna").decode())))
    assert own_address(prop.agency_id, offer_id) is None


@pytest.mark.parametrize(
    ("ours", "theirs"), [("ana@strasse.example", "ana@straße.example"), ("gross@x.ro", "groß@x.ro")]
)
def test_an_address_that_computers_fold_into_ours_is_another(
    prop: Property, owner: User, ours: str, theirs: str
) -> None:
    becomes_the_agencys(owner, ours)
    assert own_address(prop.agency_id, make_offer(prop, make_draft(bidder=by(theirs))))


def test_dots_elsewhere_are_another_mailbox(prop: Property) -> None:
    assert own_address(prop.agency_id, make_offer(prop, make_draft(bidder=by("ana.pop@yahoo.com"))))


@pytest.mark.parametrize("name", ["email", "privacy_contact"])
def test_what_was_the_agencys_address_once_shows_no_bidder_later(prop: Property, owner: User, name: str) -> None:
    becomes_the_agencys(owner, "vechi@agentie.example", name)
    becomes_the_agencys(owner, "nou@agentie.example", name)
    offer_id = recorded(prop, owner, by("vechi@agentie.example"))
    assert recording.confirm(db.session.get_one(Offer, offer_id), ConfirmationInput("ro", {}, SIGNED)).state == "done"
    assert db.session.get_one(Confirmation, offer_id).proof == "held_link"
    assert not db.session.get_one(OfferState, offer_id).signed


def test_an_owner_who_takes_a_bidders_address_cannot_confirm_without_their_code(prop: Property, owner: User) -> None:
    offer_id = recorded(prop, owner, VICTIM)
    becomes_the_agencys(owner, str(VICTIM.email))
    assert recording.confirm(db.session.get_one(Offer, offer_id), ConfirmationInput("ro", {})).state == "none"
    assert db.session.get(Confirmation, offer_id) is None
    assert reachable(prop.agency_id, offer_id)


def test_nor_have_a_recording_take_the_place_of_one_that_was_confirmed(prop: Property, owner: User) -> None:
    first = recorded(prop, owner, VICTIM)
    confirm(first, ConfirmationInput("ro", {}))
    becomes_the_agencys(owner, str(VICTIM.email))
    reference = db.session.get_one(Offer, first).reference
    low = recorded(prop, owner, VICTIM, amount=Money(50_000_00, "EUR"), replaces=reference)
    recording.confirm(db.session.get_one(Offer, low), ConfirmationInput("ro", {}))
    db.session.rollback()
    assert db.session.get_one(OfferState, first).latest


def asked(prop: Property, owner: User) -> tuple[uuid.UUID, uuid.UUID]:
    offer_id = make_offer(prop, make_draft(signature=SIGNED))
    better_offers.ask([offer_id], now() + timedelta(days=2), None, by=person_of(owner))
    return offer_id, db.session.query(OfferRequest.id).scalar()


def test_nor_answer_for_them_through_a_link_that_was_shown(prop: Property, owner: User) -> None:
    offer_id, request_id = asked(prop, owner)
    better_offers.show_link(offer_id, by=person_of(owner))
    becomes_the_agencys(owner, str(VICTIM.email))
    with pytest.raises(CodeWanted):
        make_offer(prop, make_draft(amount=Money(50_000_00, "EUR")), request_id=request_id)
    db.session.rollback()
    assert db.session.get_one(OfferState, offer_id).latest


def test_nor_see_that_link_without_its_being_written_down(client: FlaskClient, prop: Property, owner: User) -> None:
    """The page shows it at once where no mail can bring it; an address taken meanwhile is no such place."""
    offer_id, _request_id = asked(prop, owner)
    becomes_the_agencys(owner, str(VICTIM.email))
    login(client, owner)
    assert "/o/" not in client.get(f"/app/offers/{offer_id}").get_data(as_text=True)
