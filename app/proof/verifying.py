"""Whether the register still says of an offer what its receipt does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select

from app.core.ledger import GENESIS, chain
from app.extensions import db
from app.models import Agency, LedgerEntry, Offer, OfferKey
from app.proof.register import faults_of_offer
from app.proof.submissions import LOCKED

VALID, ALTERED, UNKNOWN, ERASED = "valid", "altered", "unknown", "erased"


@dataclass(frozen=True, slots=True)
class Seal:
    """One receipt that was sealed for the offer: when, and the SHA-256 of the certificate."""

    at: datetime
    certificate: str


@dataclass(frozen=True, slots=True)
class Finding:
    """`valid`, `altered`, `unknown` or `erased` (the person was forgotten; the register is whole).

    Says nothing that is not on the receipt itself.
    """

    state: str
    reference: str = ""
    agency: str = ""
    received_at: datetime | None = None
    seq: int = 0
    seals: list[Seal] = field(default_factory=list)


def find(reference: str, fingerprint: str) -> Finding:
    """What the register says of an offer that a receipt names by reference and fingerprint (SHA-256 in hex)."""
    row: Any = db.session.execute(
        select(Offer.id, Offer.agency_id, Offer.reference, Offer.submitted_at, OfferKey.kek_id)
        .join(OfferKey, OfferKey.offer_id == Offer.id, isouter=True)
        .where(Offer.reference == reference)
    ).one_or_none()
    if row is None:
        return Finding(UNKNOWN)
    entries = _entries(row)
    submitted = next((entry for entry in entries if entry.kind == "offer.submitted"), None)
    if submitted is None or _bent(row, submitted, fingerprint):
        return Finding(ALTERED)
    return Finding(
        ERASED if row.kek_id is None else VALID,
        row.reference,
        db.session.scalars(select(Agency.name).where(Agency.id == row.agency_id)).one(),
        row.submitted_at,
        submitted.seq,
        [Seal(e.at, str(_said(e).get("seal", ""))) for e in entries if e.kind == "receipt.sealed"],
    )


def _entries(offer: Any) -> list[Row[Any]]:
    entry = LedgerEntry.__table__
    query = select(entry).where(
        LedgerEntry.agency_id == offer.agency_id,
        LedgerEntry.object_id == offer.id,
        LedgerEntry.kind.in_(("offer.submitted", "receipt.sealed")),
    )
    return list(db.session.execute(query.order_by(LedgerEntry.seq)))


def _bent(offer: Any, entry: Row[Any], fingerprint: str) -> bool:
    """Receipt, offer, sealed body and ledger must say the same."""
    before = select(LedgerEntry.hash).where(LedgerEntry.agency_id == offer.agency_id, LedgerEntry.seq == entry.seq - 1)
    previous = db.session.scalar(before) or GENESIS
    said = _said(entry)
    if said.get("commitment") != fingerprint or chain(previous, entry.body) != entry.hash:
        return True
    return any(not fault.startswith(LOCKED) for fault in faults_of_offer(offer.id))


def _said(entry: Row[Any]) -> dict[str, Any]:
    """An entry's data; empty where somebody put something else in its place."""
    try:
        return dict(json.loads(entry.body)["data"]) if isinstance(entry.body, bytes) else {}
    except (ValueError, KeyError, TypeError):
        return {}
