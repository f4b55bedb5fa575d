"""Checking the record: the chain itself, and each offer against what was committed to."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Row, and_, exists, func, select

from app import keys
from app.extensions import db
from app.ledger import Fault, first_fault
from app.models import Agency, LedgerEntry, Offer, OfferBody, OfferKey, OfferState
from app.models.offer import COPIED
from app.money import Money
from app.offer_document import commitment, decode
from app.queries.signed import counts_as_signed
from app.queries.spelled import spelled_id, spelled_moment
from app.vault import CannotOpen, unpad

BATCH = 2_000


def verify_chain(agency: Agency) -> tuple[int, Fault | None]:
    """How many entries were walked, and the first that does not hold."""
    walked = 0

    def rows() -> Iterator[Row[Any]]:
        nonlocal walked
        entry = LedgerEntry.__table__.c  # by Core: the ORM's loading would take as long as all the rest
        query = (
            select(
                entry.seq, spelled_moment(entry.at).label("at"), entry.kind, entry.actor_type, entry.body, entry.hash
            )
            .add_columns(spelled_id(entry.object_id).label("object_id"), spelled_id(entry.actor_id).label("actor_id"))
            .where(entry.agency_id == agency.id)
            .order_by(entry.seq)
        )
        for row in db.session.connection().execute(query, execution_options={"yield_per": BATCH}):
            walked += 1
            yield row

    fault = first_fault(agency.id, rows(), agency.head_seq, agency.head_hash)
    return walked, fault


def offers_fault(agency: Agency) -> str | None:
    """Open every offer of an agency; say what is wrong with the first that differs from its sealed document."""
    query = _offers().where(Offer.agency_id == agency.id)
    opened = keys.keyring().opener(agency.id, "offer_body", "body")
    found = 0
    for row in db.session.connection().execute(query, execution_options={"yield_per": BATCH}):
        if reason := _reason(row, opened):
            return f"offer {row.reference}: {reason}"
        found += 1
    submitted = (LedgerEntry.agency_id == agency.id, LedgerEntry.kind == "offer.submitted")
    if db.session.scalar(select(func.count()).select_from(LedgerEntry).where(*submitted)) != found:
        missing = select(LedgerEntry.object_id).where(*submitted, ~exists().where(Offer.id == LedgerEntry.object_id))
        return f"offer {db.session.scalar(missing.limit(1))}: in the ledger, not in the database"
    return _state_reason(agency)


def offer_fault(offer_id: uuid.UUID) -> str | None:
    """What is wrong with one offer; None when columns, sealed document and ledger say the same."""
    row = db.session.execute(_offers().where(Offer.id == offer_id)).one()
    return _reason(row, keys.keyring().opener(uuid.UUID(row.agency), "offer_body", "body"))


def _offers() -> Any:
    """Offers with what is sealed of them and their entry in the ledger; ids and moments spelled."""
    entry = LedgerEntry
    return (
        select(
            Offer.reference, Offer.amount_minor, Offer.currency, Offer.asking_minor, Offer.financing, Offer.term_days,
            Offer.valid_until, Offer.signed, Offer.source, Offer.language, Offer.commitment,
            spelled_id(Offer.id).label("id"), spelled_id(Offer.property_id).label("property_id"),
            spelled_id(Offer.previous_id).label("previous_id"), spelled_id(Offer.agency_id).label("agency"),
            spelled_moment(Offer.submitted_at).label("submitted_at"),
            OfferBody.body_ct, OfferKey.kek_id, OfferKey.wrapped, entry.body.label("entry"),
        )
        .join(OfferBody, OfferBody.offer_id == Offer.id, isouter=True)
        .join(OfferKey, OfferKey.offer_id == Offer.id, isouter=True)
        .join(
            entry,
            (entry.agency_id == Offer.agency_id) & (entry.object_id == Offer.id) & (entry.kind == "offer.submitted"),
            isouter=True,
        )
    )  # fmt: skip


def _reason(row: Row[Any], opened: Callable[[str, str, bytes, bytes], bytes]) -> str | None:
    if not isinstance(row.entry, bytes):
        return "not in the ledger"
    if reason := _entry_reason(row):
        return reason
    if row.kek_id is None:
        return None  # forgotten: the commitment stays, the words are gone
    if row.body_ct is None:
        return "its body is gone"
    try:
        canonical = unpad(opened(row.id.replace("-", ""), row.kek_id, row.wrapped, row.body_ct))
    except CannotOpen:
        return "its body does not open"
    if commitment(canonical) != row.commitment:
        return "its body is not what was committed to"
    document = decode(canonical)
    body, terms = document.body, document.terms
    told = {
        "reference": body["reference"],
        "property_id": body["property"]["id"],
        "submitted_at": body["submitted_at"],
        "source": body["source"],
        "language": body["language"],
        "amount": terms["amount"],
        "currency": terms["currency"],
        "financing": terms["financing"],
        "term_days": terms["payment_term_days"],
        "valid_until": terms["valid_until"],
        "signed": terms["signature"] is not None,
        "asking": body["property"]["asking_price"],
        "previous": body["previous_offer_id"],
    }
    held = {
        "reference": row.reference,
        "property_id": row.property_id,
        "submitted_at": row.submitted_at,
        "source": row.source,
        "language": row.language,
        "amount": Money(row.amount_minor, row.currency).text,
        "currency": row.currency,
        "financing": row.financing,
        "term_days": row.term_days,
        "valid_until": row.valid_until.isoformat() if row.valid_until else None,
        "signed": row.signed,
        "asking": Money(row.asking_minor, row.currency).text if row.asking_minor else None,
        "previous": row.previous_id,
    }
    if told == held:
        return None
    return f"{', '.join(name for name in told if told[name] != held[name])} differs from what was sent"


def _entry_reason(row: Row[Any]) -> str | None:
    """The entry must pin the commitment, and name what may be read without opening anything."""
    previous = f'"{row.previous_id}"' if row.previous_id else "null"
    spelling = (
        f'"data":{{"amount_minor":{row.amount_minor},"commitment":"{row.commitment.hex()}","currency":"{row.currency}",'
        f'"previous":{previous},"property":"{row.property_id}","reference":"{row.reference}","source":"{row.source}"}}'
    )
    if spelling.encode() in row.entry:  # canonical JSON has one spelling
        return None
    try:
        said = json.loads(row.entry)["data"]
        if said["commitment"] != row.commitment.hex():
            return "its commitment is not the one in the ledger"
    except (ValueError, KeyError, TypeError):
        return "its entry in the ledger is not one"
    return "its reference, amount, property or source is not the one in the ledger"


def _state_reason(agency: Agency) -> str | None:
    """The copies that lists filter by must say what the offer says."""
    wrong = [getattr(Offer, name) != getattr(OfferState, name) for name in COPIED]
    wrong.append(and_(OfferState.erased_at.is_(None), OfferState.signed != counts_as_signed()))
    query = select(Offer.reference).join(OfferState, OfferState.offer_id == Offer.id)
    for differs in wrong:
        found = db.session.scalar(query.where(Offer.agency_id == agency.id, differs).limit(1))
        if found:
            return f"offer {found}: the list's copy of a column differs"
    return None
