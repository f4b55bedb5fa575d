"""What lies beside an offer is part of what is proved: somebody with the whole database, and its keys, changes it."""

from __future__ import annotations

import hashlib
import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.core import keys
from app.core.clock import now
from app.core.vault import Place, pad, seal, unpad, unseal
from app.extensions import db
from app.models import Agency, ConfirmationBody, Offer, OfferFile
from app.offers import better_offers, codes, deciding, recording, withdrawing
from app.offers.document import Bidder
from app.offers.recording import ConfirmationInput
from app.proof import receipts
from app.proof.register import offer_faults
from app.proof.verifying import find
from tests.factories import (
    mailed_code,
    make_agency,
    make_draft,
    make_offer,
    make_property,
    make_sending,
    make_user,
    person_of,
)
from tests.proof.conftest import drawn, full_offer

ALTERED: dict[str, str] = {
    "DELETE FROM email_code": "takes a code",
    "DELETE FROM confirmation_body": "its confirmation is gone",
    "UPDATE confirmation_body SET signature = NULL": "signature of its confirmation",
    "UPDATE text_version SET body = body || '.'": "a text that its bidder was shown",
    "DELETE FROM text_version": "a text that its bidder was shown",
    "DELETE FROM offer_file WHERE kind = 'receipt'": "its receipt is gone",
    "UPDATE offer_request SET shown_at = NULL, shown_to = NULL": "who saw the link",
    "UPDATE offer_request SET deadline = '2099-01-01 00:00:00.000000'": "until when",
    "DELETE FROM offer_request": "what its bidder was asked is gone",
    "UPDATE offer_state SET decided_at = submitted_at WHERE decided_at IS NOT NULL": "when it was",
    "UPDATE offer_state SET viewed_at = submitted_at WHERE viewed_at IS NOT NULL": "when it was",
    "UPDATE offer_state SET withdrawn_at = submitted_at WHERE withdrawn_at IS NOT NULL": "when it was",
}


@pytest.fixture
def agency_id(app: Flask) -> uuid.UUID:
    return everything(app)


def everything(app: Flask) -> uuid.UUID:
    """An agency that has something of everything, untouched."""
    agency = make_agency()
    owner = make_user(agency, "owner")
    prop = make_property(agency, owner.id, signature_required=True, code_required=True)
    by = person_of(owner)
    coded, waiting = full_offer(app, prop), make_offer(prop, make_draft(signature=drawn()))
    codes.enter(db.session.get_one(Offer, coded), mailed_code(coded))
    sending = make_sending(prop, source="agent", channel="phone")
    nobody = make_draft(bidder=Bidder("Fără Poștă", None, "+40722000113"))
    taken = recording.record(prop, nobody, sending, by=by.actor).offer_id
    recording.confirm(db.session.get_one(Offer, taken), ConfirmationInput("ro", {}, drawn()))
    better_offers.ask([coded], now() + timedelta(days=2), "Puteți mai mult?", by=by)
    better_offers.show_link(coded, by=by)
    deciding.decide(waiting, agency, "rejected", by=by.actor)
    gone = make_offer(prop, make_draft(bidder=Bidder("Altcineva", "altul@client.example", "+40722000114")))
    withdrawing.withdraw(db.session.get_one(Offer, gone))
    receipts.make(agency, coded)
    return agency


def test_untouched_it_holds_on_both_engines(either_app: Flask) -> None:
    assert faults(everything(either_app)) == []


def faults(agency_id: uuid.UUID) -> list[str]:
    return list(offer_faults(db.session.get_one(Agency, agency_id)))


def alter(*statements: str, **values: Any) -> None:
    """By somebody whom no trigger stops; within the open transaction, so that it can be taken back."""
    connection = db.session.connection()
    connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    for name in connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).all():
        connection.exec_driver_sql(f"DROP TRIGGER {name}")
    for statement in statements:
        assert connection.execute(text(statement), values).rowcount, statement
    db.session.expire_all()


def test_what_lies_beside_an_offer_cannot_be_changed_unseen(agency_id: uuid.UUID) -> None:
    for statement, words in ALTERED.items():
        alter(statement)
        found = faults(agency_id)
        assert any(words in fault for fault in found), (statement, found)
        db.session.rollback()
        assert faults(agency_id) == []


def test_a_signature_without_its_code_is_altered_on_the_public_page_too(agency_id: uuid.UUID) -> None:
    waits = db.session.scalars(select(Offer).where(Offer.signed).order_by(Offer.submitted_at.desc())).first()
    assert waits
    reference, fingerprint = waits.reference, waits.commitment.hex()
    alter("DELETE FROM email_code", "UPDATE offer_state SET signed = 1")
    assert find(reference, fingerprint).state == "altered"


def test_a_signature_sealed_anew_by_who_has_the_keys_is_seen(agency_id: uuid.UUID) -> None:
    held = db.session.scalars(select(OfferFile).where(OfferFile.kind == "signature")).first()
    assert held
    key = keys.offer_key(agency_id, held.offer_id)
    assert key
    other = seal(key, Place(agency_id, "offer_file", "signature", held.offer_id), b"\x89PNG another hand")
    alter("UPDATE offer_file SET body_ct = :sealed WHERE kind = 'signature'", sealed=other)
    assert [fault for fault in faults(agency_id) if "its signature is not what its hash names" in fault]


def test_a_confirmation_sealed_anew_by_who_has_the_keys_is_seen(agency_id: uuid.UUID) -> None:
    held = db.session.scalars(select(ConfirmationBody)).one()
    key, place = keys.offer_key(agency_id, held.offer_id), Place(agency_id, "confirmation_body", "body", held.offer_id)
    assert key
    said = unpad(unseal(key, place, held.body_ct)).replace(b'"held_link"', b'"code"')
    other, digest = seal(key, place, pad(said)), hashlib.sha256(said).digest()
    alter("UPDATE confirmation_body SET body_ct = :sealed", sealed=other)
    assert [fault for fault in faults(agency_id) if "is not the one that was committed to" in fault]
    alter("UPDATE confirmation_body SET commitment = :digest", digest=digest)
    assert [fault for fault in faults(agency_id) if "what its confirmation says is not what the ledger" in fault]
