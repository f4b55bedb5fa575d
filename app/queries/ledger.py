"""Checking the record: the chain itself, and each offer against what was committed to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Row, select

from app import keys
from app.clock import rfc3339
from app.extensions import db
from app.ledger import Fault, first_fault
from app.models import Agency, LedgerEntry, Offer, OfferBody, OfferKey, OfferState
from app.models.offer import COPIED
from app.money import Money
from app.offer_document import commitment, decode
from app.vault import CannotOpen, Place, unpad, unseal

BATCH = 2_000


def verify_chain(agency: Agency) -> tuple[int, Fault | None]:
    """How many entries were walked, and the first that does not hold."""
    walked = 0

    def rows() -> Iterator[Row[Any]]:
        nonlocal walked
        query = select(LedgerEntry.__table__).where(LedgerEntry.agency_id == agency.id).order_by(LedgerEntry.seq)
        for row in db.session.execute(query.execution_options(yield_per=BATCH)):
            walked += 1
            yield row

    fault = first_fault(agency.id, rows(), agency.head_seq, agency.head_hash)
    return walked, fault


def offers_fault(agency: Agency) -> str | None:
    """Open every offer of an agency; say what is wrong with the first that differs from its sealed document."""
    entries = _committed(agency)
    query = (
        select(Offer.__table__, OfferBody.body_ct, OfferKey.kek_id, OfferKey.wrapped)
        .join(OfferBody, OfferBody.offer_id == Offer.id, isouter=True)
        .join(OfferKey, OfferKey.offer_id == Offer.id, isouter=True)
        .where(Offer.agency_id == agency.id)
        .execution_options(yield_per=BATCH)
    )
    for row in db.session.execute(query):
        entry = entries.pop(str(row.id), None)
        if reason := offer_reason(row, entry):
            return f"offer {row.reference}: {reason}"
    if entries:
        return f"offer {next(iter(entries))}: in the ledger, not in the database"
    return _state_reason(agency)


def _committed(agency: Agency) -> dict[str, dict[str, Any]]:
    """What the ledger says of each submission, by offer id."""
    query = select(LedgerEntry.object_id, LedgerEntry.body).where(
        LedgerEntry.agency_id == agency.id, LedgerEntry.kind == "offer.submitted"
    )
    return {str(r.object_id): json.loads(r.body)["data"] for r in db.session.execute(query)}


def offer_reason(row: Row[Any], entry: dict[str, Any] | None) -> str | None:
    """What is wrong with one offer, beside what the ledger says of it; None when it holds."""
    if entry is None:
        return "not in the ledger"
    if entry["commitment"] != row.commitment.hex():
        return "its commitment is not the one in the ledger"
    if entry["reference"] != row.reference or entry["amount_minor"] != row.amount_minor:
        return "its reference or amount is not the one in the ledger"
    if row.kek_id is None:
        return None  # forgotten: the commitment stays, the words are gone
    if row.body_ct is None:
        return "its body is gone"
    try:
        key = keys.unwrap_offer_key(row.agency_id, row.id, row.kek_id, row.wrapped)
        canonical = unpad(unseal(key, Place(row.agency_id, "offer_body", "body", row.id), row.body_ct))
    except CannotOpen:
        return "its body does not open"
    if commitment(canonical) != row.commitment:
        return "its body is not what was committed to"
    document, terms = decode(canonical).body, decode(canonical).terms
    told = {
        "reference": document["reference"],
        "property_id": document["property"]["id"],
        "submitted_at": document["submitted_at"],
        "source": document["source"],
        "language": document["language"],
        "amount": terms["amount"],
        "currency": terms["currency"],
        "financing": terms["financing"],
        "term_days": terms["payment_term_days"],
        "valid_until": terms["valid_until"],
        "signed": terms["signature"] is not None,
        "asking": document["property"]["asking_price"],
        "previous": document["previous_offer_id"],
    }
    held = {
        "reference": row.reference,
        "property_id": str(row.property_id),
        "submitted_at": rfc3339(row.submitted_at),
        "source": row.source,
        "language": row.language,
        "amount": Money(row.amount_minor, row.currency).text,
        "currency": row.currency,
        "financing": row.financing,
        "term_days": row.term_days,
        "valid_until": row.valid_until.isoformat() if row.valid_until else None,
        "signed": row.signed,
        "asking": Money(row.asking_minor, row.currency).text if row.asking_minor else None,
        "previous": str(row.previous_id) if row.previous_id else None,
    }
    differs = [name for name in told if told[name] != held[name]]
    return f"{', '.join(differs)} differs from what was sent" if differs else None


def _state_reason(agency: Agency) -> str | None:
    """The copies that lists filter by must say what the offer says."""
    wrong = [getattr(Offer, name) != getattr(OfferState, name) for name in COPIED]
    query = select(Offer.reference).join(OfferState, OfferState.offer_id == Offer.id)
    for differs in wrong:
        found = db.session.scalar(query.where(Offer.agency_id == agency.id, differs).limit(1))
        if found:
            return f"offer {found}: the list's copy of a column differs"
    return None
