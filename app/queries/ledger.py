"""Checking the record: the chain itself, and each offer against what was committed to."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import and_, exists, func, or_, select

from app import keys
from app.extensions import db
from app.ledger import Fault, first_fault, id_text, moment_text
from app.models import Agency, LedgerEntry, Offer, OfferBody, OfferKey, OfferState
from app.models.offer import COPIED
from app.money import decimal_text
from app.offer_document import commitment, decode
from app.queries.signed import counts_as_signed
from app.queries.spelled import hex_of, raw
from app.vault import CannotOpen, unpad

BATCH = 2_000


def verify_chain(agency: Agency) -> tuple[int, Fault | None]:
    """How many entries hold, and the first that does not."""
    entry = LedgerEntry.__table__.c  # by Core: the ORM's loading would take as long as all the rest
    query = (
        select(entry.seq, raw(entry.at), entry.kind, raw(entry.object_id), entry.actor_type)
        .add_columns(raw(entry.actor_id), entry.body, entry.hash)
        .where(entry.agency_id == agency.id)
        .order_by(entry.seq)
    )
    rows = db.session.connection().execute(query, execution_options={"yield_per": BATCH})
    fault = first_fault(agency.id, rows, agency.head_seq, agency.head_hash)
    rows.close()
    return (fault.seq - 1 if fault else agency.head_seq), fault


def offers_fault(agency: Agency) -> str | None:
    """Open every offer of an agency; say what is wrong with the first that differs from its sealed document."""
    query = _offers().where(Offer.agency_id == agency.id)
    opened = keys.keyring().opener(agency.id, "offer_body", "body")
    found = 0
    for row in db.session.connection().execute(query, execution_options={"yield_per": BATCH}):
        if reason := _reason(row, opened):
            return f"offer {row[1]}: {reason}"
        found += 1
    submitted = (LedgerEntry.agency_id == agency.id, LedgerEntry.kind == "offer.submitted")
    if db.session.scalar(select(func.count()).select_from(LedgerEntry).where(*submitted)) != found:
        missing = select(LedgerEntry.object_id).where(*submitted, ~exists().where(Offer.id == LedgerEntry.object_id))
        return f"offer {db.session.scalar(missing.limit(1))}: in the ledger, not in the database"
    return _state_reason(agency)


def offer_fault(offer_id: uuid.UUID) -> str | None:
    """What is wrong with one offer; None when columns, sealed document and ledger say the same."""
    agency_id = db.session.scalars(select(Offer.agency_id).where(Offer.id == offer_id)).one()
    row = db.session.execute(_offers().where(Offer.id == offer_id)).one()
    return _reason(row, keys.keyring().opener(agency_id, "offer_body", "body"))


def _offers() -> Any:
    """Offers with what is sealed of them and their entry in the ledger, in the order in which `_reason` takes them;
    ids and moments as the driver gives them."""
    entry = LedgerEntry
    return (
        select(
            raw(Offer.id), Offer.reference, raw(Offer.property_id), raw(Offer.submitted_at), Offer.source,
            Offer.language, Offer.amount_minor, Offer.currency, Offer.financing, Offer.term_days,
            raw(Offer.valid_until), Offer.signed, Offer.asking_minor, raw(Offer.previous_id), Offer.commitment,
            OfferBody.body_ct, OfferKey.kek_id, OfferKey.wrapped, entry.body,
        )
        .join(OfferBody, OfferBody.offer_id == Offer.id, isouter=True)
        .join(OfferKey, OfferKey.offer_id == Offer.id, isouter=True)
        .join(
            entry,
            (entry.agency_id == Offer.agency_id) & (entry.object_id == Offer.id) & (entry.kind == "offer.submitted"),
            isouter=True,
        )
    )  # fmt: skip


def _reason(row: Sequence[Any], opened: Callable[[str, str, bytes, bytes], bytes]) -> str | None:
    # Taken apart at once: asking a row for each of its columns by name would take a tenth of the whole time.
    (
        offer_id, reference, prop, submitted_at, source, language, amount_minor, currency, financing, term_days,
        valid_until, signed, asking_minor, previous, digest, body_ct, kek_id, wrapped, entry,
    ) = row  # fmt: skip
    if not isinstance(entry, bytes):
        return "not in the ledger"
    prop, previous = id_text(prop), id_text(previous) if previous else None
    replaced = f'"{previous}"' if previous else "null"
    spelling = (
        f'"data":{{"amount_minor":{amount_minor},"commitment":"{digest.hex()}","currency":"{currency}",'
        f'"previous":{replaced},"property":"{prop}","reference":"{reference}",'
        f'"source":"{source}"}}'
    )
    if spelling.encode() not in entry:  # canonical JSON has one spelling
        return _entry_reason(entry, digest)
    if kek_id is None:
        return None  # forgotten: the commitment stays, the words are gone
    if body_ct is None:
        return "its body is gone"
    try:
        canonical = unpad(opened(hex_of(offer_id), kek_id, wrapped, body_ct))
    except CannotOpen:
        return "its body does not open"
    if commitment(canonical) != digest:
        return "its body is not what was committed to"
    body = decode(canonical).body
    terms, sent = body["offer"], body["property"]
    told = (
        body["reference"], sent["id"], body["submitted_at"], body["source"], body["language"],
        terms["amount"], terms["currency"], terms["financing"], terms["payment_term_days"], terms["valid_until"],
        terms["signature"] is not None, sent["asking_price"], body["previous_offer_id"],
    )  # fmt: skip
    held = (
        reference, prop, moment_text(submitted_at), source, language,
        decimal_text(amount_minor), currency, financing, term_days, str(valid_until) if valid_until else None,
        signed, decimal_text(asking_minor) if asking_minor else None, previous,
    )  # fmt: skip
    if told == held:
        return None
    differ = (name for name, one, other in zip(_TOLD, told, held, strict=True) if one != other)
    return f"{', '.join(differ)} differs from what was sent"


_TOLD = (
    "reference", "property_id", "submitted_at", "source", "language", "amount", "currency", "financing", "term_days",
    "valid_until", "signed", "asking", "previous",
)  # fmt: skip


def _entry_reason(entry: bytes, digest: bytes) -> str:
    """What is wrong with an entry that does not pin the commitment and name what may be read without opening."""
    try:
        if json.loads(entry)["data"]["commitment"] != digest.hex():
            return "its commitment is not the one in the ledger"
    except (ValueError, KeyError, TypeError):
        return "its entry in the ledger is not one"
    return "its reference, amount, property or source is not the one in the ledger"


def _state_reason(agency: Agency) -> str | None:
    """The copies that lists filter by must say what the offer says."""
    wrong = [getattr(Offer, name) != getattr(OfferState, name) for name in COPIED]
    wrong.append(and_(OfferState.erased_at.is_(None), OfferState.signed != counts_as_signed()))
    query = select(Offer.reference).join(OfferState, OfferState.offer_id == Offer.id)
    found = db.session.scalar(query.where(Offer.agency_id == agency.id, or_(*wrong)).limit(1))
    return f"offer {found}: the list's copy of a column differs" if found else None
