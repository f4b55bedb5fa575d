"""A register that nobody touched is called whole, by whoever checks it, whatever it holds: no false alarm."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from app.core.clock import now
from app.core.ids import new_id
from app.core.labels import LABELS
from app.core.ledger import BIDDER, SYSTEM, Actor
from app.core.unit_of_work import writing
from app.core.vault import Keyring
from app.demo import seeding
from app.extensions import db
from app.models import HELD_LINK, Agency, Confirmation, LedgerEntry, Offer, OfferRequest, OfferState, Property, User
from app.offers import better_offers, codes, deciding, notes, ordering, recording, withdrawing
from app.offers.concerns import KINDS
from app.offers.deciding import AgencyAnswer, Chosen
from app.offers.details import open_offer
from app.offers.document import Bidder, Signature
from app.offers.entry import Submitted, submitted
from app.offers.replacing import Grounds
from app.offers.submitting import FACTS, prepare, store, submit
from app.privacy import erasure
from app.proof import export as ledger_export
from app.proof import receipts
from app.proof.register import faults_of_offer, offer_faults
from app.proof.verifying import ERASED, VALID, find
from app.properties import editing as properties
from tests.factories import (
    confirm,
    mailed_code,
    make_agency,
    make_draft,
    make_property,
    make_sending,
    make_user,
    person_of,
)
from tools.verify_receipt import named, verify_ledger, verify_receipt

CHANNELS = (None, *LABELS["channel"])
WAYS = [("link", None), *(("agent", channel) for channel in CHANNELS), *(("api", channel) for channel in CHANNELS)]
SIGNED = Signature("typed", "Andrei Țurcanu")


def send(prop: Property, source: str, channel: str | None, **draft: object) -> uuid.UUID:
    """An offer that came in by that way."""
    sending = make_sending(prop, source=source, channel=channel)
    if source == "link":
        return submit(prop, make_draft(**draft), sending, by=BIDDER).offer_id
    sending = replace(sending, address=None, browser=None)  # they are the caller's, not the bidder's
    by = Actor("user", prop.agent_id) if source == "agent" else Actor("api_key", new_id())
    return recording.record(prop, make_draft(**draft), sending, by=by).offer_id


def viewed(offer: Offer, owner: User) -> None:
    deciding.view(offer, by=person_of(owner))


def decided(offer: Offer, owner: User, status: str = "rejected") -> uuid.UUID | None:
    answer = AgencyAnswer(status, reason="prea puțin", message="Mulțumim.", notify_bidder=True)
    return deciding.decide_all(
        offer.agency_id, [Chosen(offer.id, despite=frozenset(KINDS))], answer, by=Actor("user", owner.id)
    )


def accepted(offer: Offer, owner: User) -> None:
    decided(offer, owner, "accepted")


def undone(offer: Offer, owner: User) -> None:
    decision = decided(offer, owner)
    assert decision
    deciding.undo(decision, offer.agency_id, by=Actor("user", owner.id))


def decided_by_the_crm(offer: Offer, owner: User) -> None:
    deciding.decide(offer.id, offer.agency_id, "rejected", by=Actor("api_key", new_id()))


def decided_then_withdrawn(offer: Offer, owner: User) -> None:
    decided(offer, owner)
    withdrawn(offer, owner)


def withdrawn(offer: Offer, owner: User) -> None:
    assert withdrawing.withdraw(offer, "Am găsit altceva.")


def asked(offer: Offer, owner: User) -> None:
    better_offers.ask([offer.id], now() + timedelta(days=2), "Puteți mai mult?", by=person_of(owner))


def taken_back(offer: Offer, owner: User) -> None:
    asked(offer, owner)
    assert better_offers.take_back(offer.id, by=person_of(owner))


def superseded(offer: Offer, owner: User) -> None:
    """By what store itself does: who may replace whom is another rule."""
    prop = db.session.execute(FACTS.where(Property.id == offer.property_id)).one()
    sealed, sending = prepare(prop.agency_id, make_draft()), make_sending(prop, source=offer.source)
    sending = replace(sending, grounds=Grounds(offer.id, "code"))
    with writing(prop.agency_id) as tx:
        store(tx, prop, sealed, sending, by=BIDDER)
    assert not db.session.get_one(OfferState, offer.id).latest


def answered(offer: Offer, owner: User) -> None:
    """A better offer came of a request."""
    asked(offer, owner)
    request = db.session.scalars(select(OfferRequest.id).where(OfferRequest.offer_id == offer.id)).one()
    prop = db.session.get_one(Property, offer.property_id)
    submit(prop, make_draft(), make_sending(prop, request_id=request), by=BIDDER)


def confirmed(offer: Offer, owner: User) -> None:
    if offer.source != "link":
        confirm(offer.id, recording.ConfirmationInput("ro", {}, SIGNED, "192.0.2.1", "Testing"))


def asked_to_confirm(offer: Offer, owner: User) -> None:
    if offer.source != "link":
        with time_machine.travel(now() + timedelta(minutes=5), tick=False):
            recording.ask_again(offer, by=person_of(owner))


def annotated(offer: Offer, owner: User) -> None:
    notes.write(offer, "A sunat.", by=person_of(owner))
    ordering.move(db.session.get_one(OfferState, offer.id), 1, "primul", by=person_of(owner))


def archived(offer: Offer, owner: User) -> None:
    prop = db.session.get_one(Property, offer.property_id)
    if prop.archived_at is None:
        properties.archive(prop, by=SYSTEM)


def erased(offer: Offer, owner: User) -> None:
    erasure.erase_all(offer.agency_id, [offer.id], "person")


def decided_then_erased(offer: Offer, owner: User) -> None:
    decided(offer, owner)
    confirmed(offer, owner)
    erased(offer, owner)


def sealed(offer: Offer, owner: User) -> None:
    receipts.make(offer.agency_id, offer.id)


def confirmed_and_sealed_anew(offer: Offer, owner: User) -> None:
    sealed(offer, owner)
    confirmed(offer, owner)
    sealed(offer, owner)


def nothing(offer: Offer, owner: User) -> None:
    pass


STEPS: list[Callable[[Offer, User], object]] = [
    nothing, viewed, decided, accepted, undone, decided_by_the_crm, decided_then_withdrawn, withdrawn, asked,
    taken_back, answered, superseded, confirmed, asked_to_confirm, annotated, archived, sealed,
    confirmed_and_sealed_anew, erased, decided_then_erased,
]  # fmt: skip


def whole(app: Flask) -> None:
    done = app.test_cli_runner().invoke(args=["ledger", "verify", "--offers", "--json"])
    told = json.loads(done.output)
    assert told["valid"] and done.exit_code == 0, [agency["faults"] for agency in told["agencies"]]
    assert all(agency["fault_count"] == 0 for agency in told["agencies"])


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_every_way_in_and_every_step_is_valid_to_every_checker(app: Flask, step: Callable[..., object]) -> None:
    agency = make_agency()
    owner = make_user(agency, "owner")
    prop = make_property(agency, owner.id)
    made = [send(prop, source, channel, valid_until=date(2027, 3, 1)) for source, channel in WAYS]
    for offer_id in made:
        step(db.session.get_one(Offer, offer_id), owner)
    whole(app)
    roots, forgotten = receipts.authority().roots_pem(), "erased" in step.__name__
    for offer_id, (source, channel) in zip(made, WAYS, strict=True):
        offer = db.session.get_one(Offer, offer_id)
        assert find(offer.reference, offer.commitment.hex()).state == (ERASED if forgotten else VALID)
        entry = submitted(
            db.session.scalars(
                select(LedgerEntry.body).where(LedgerEntry.object_id == offer_id, LedgerEntry.kind == "offer.submitted")
            ).one()
        )
        assert (entry.source, entry.channel) == (source, channel)
        if "sealed" in step.__name__:
            said = verify_receipt(receipts.make(agency, offer_id), roots)
            assert (said["reference"], said["fingerprint"]) == (offer.reference, offer.commitment.hex())
    for anonymised in (False, True):
        export = b"".join(ledger_export.export(agency, anonymised=anonymised, by=SYSTEM))
        assert verify_ledger(export, roots)["agency"] == str(agency)
    whole(app)


def test_a_code_from_the_mailbox_is_valid_too(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda _limit: 123456)
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id, signature_required=True, code_required=True)
    offer = db.session.get_one(Offer, send(prop, "link", None, signature=SIGNED))
    whole(app)
    assert codes.enter(offer, "123456").state == "done"
    whole(app)
    pdf = receipts.make(agency, offer.id)
    assert verify_receipt(pdf, receipts.authority().roots_pem())["reference"] == offer.reference
    erasure.erase_all(agency, [offer.id], "retention")
    whole(app)


def test_a_code_from_a_mailbox_of_the_agency_is_valid_too(either_app: Flask) -> None:
    """It came in by the link, and what confirms it is the agency's own word."""
    agency = make_agency()
    user = make_user(agency)
    prop = make_property(agency, user.id, signature_required=True, code_required=True)
    bidder = Bidder("Andrei Țurcanu", user.email, "+40722000111")
    offer = db.session.get_one(Offer, send(prop, "link", None, signature=SIGNED, bidder=bidder))
    assert codes.enter(offer, mailed_code(offer.id)).state == "done"
    assert db.session.get_one(Confirmation, offer.id).proof == HELD_LINK
    whole(either_app)
    assert find(offer.reference, offer.commitment.hex()).state == VALID
    with either_app.test_request_context():
        pdf = receipts.make(agency, offer.id)
    assert verify_receipt(pdf, receipts.authority().roots_pem())["reference"] == offer.reference
    whole(either_app)


@pytest.mark.parametrize("source", ["agent", "api"])
def test_what_was_confirmed_through_a_link_the_agency_held_is_valid(either_app: Flask, source: str) -> None:
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    bidder = Bidder("Andrei Țurcanu", None, "+40722000111")
    offer = db.session.get_one(Offer, send(prop, source, "phone" if source == "agent" else None, bidder=bidder))
    assert recording.confirm(offer, recording.ConfirmationInput("ro", {}, SIGNED)).state == "done"
    whole(either_app)


def test_the_demo_is_valid(either_app: Flask) -> None:
    with either_app.test_request_context():
        agency, _key = seeding.seed_agency("o parolă destul de lungă")
    assert [*offer_faults(db.session.get_one(Agency, agency))] == []


@pytest.mark.parametrize("channel", CHANNELS)
def test_writer_checker_and_tool_have_one_idea_of_an_entry(app: Flask, channel: str | None) -> None:
    """The tool stands alone, so its idea is written a second time: here it is held against ours."""
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    offer_id = send(prop, "agent", channel)
    entry = db.session.scalars(select(LedgerEntry.body).where(LedgerEntry.object_id == offer_id)).first()
    assert entry
    offer, state = db.session.get_one(Offer, offer_id), db.session.get_one(OfferState, offer_id)
    document = open_offer(offer, state).document
    assert document
    said = submitted(entry).data()
    assert said == json.loads(entry)["data"]
    assert {**named(document.body), "commitment": said["commitment"], "origin": ""} == said
    assert set(Submitted.__struct_fields__) - set(said) <= {"channel"}


def test_a_key_that_is_not_here_is_said_and_is_no_alteration(app: Flask) -> None:
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    offer = db.session.get_one(Offer, send(prop, "agent", "phone"))
    ring = app.extensions["bidflux_keyring"]
    app.extensions["bidflux_keyring"] = Keyring([random.randbytes(32)])
    (fault,) = faults_of_offer(offer.id)
    assert "is not among BIDFLUX_KEYS" in fault
    assert find(offer.reference, offer.commitment.hex()).state == VALID
    app.extensions["bidflux_keyring"] = ring
    whole(app)
