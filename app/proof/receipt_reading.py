"""What a receipt is made of, and the receipt once it is made."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, exists, select

from app.core import keys
from app.core.ledger import GENESIS
from app.core.vault import Place, unpad, unseal
from app.extensions import db
from app.models import (
    CODE,
    HELD_LINK,
    Delivery,
    EmailCode,
    LedgerEntry,
    OfferBody,
    OfferFile,
    OfferRequest,
    OfferState,
    TextVersion,
)
from app.offers.details import Receipt, open_receipt, signature_image
from app.offers.document import Document

RECEIPT_MAIL, RECEIPT_KEPT = "receipt_bidder", "receipt_kept"  # made and mailed; only made
BY_PAGE = "offer.code_confirmed.private_page"
CONFIRMS = ("offer_bidder", "offer_confirm")


@dataclass(frozen=True, slots=True)
class Entry:
    """The ledger's entry of a submission, and the hash of the one before it."""

    seq: int
    at: datetime
    previous: bytes
    body: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class ReceiptFacts:
    """Everything a receipt says. `text` is the document's very bytes, `signature` a PNG; `steps` are moments with the
    ledger's kind or `mail.<template>`, in order; `texts` what was shown, kind to SHA-256 and words."""

    opened: Receipt
    document: Document
    text: bytes
    signature: bytes | None
    entry: Entry
    steps: list[tuple[datetime, str]]
    texts: dict[str, tuple[str, str]]
    asked_by_mail: bool
    code_asked: bool


def entry_of(agency_id: uuid.UUID, offer_id: uuid.UUID) -> Entry:
    """The entry that took the offer down."""
    own = (LedgerEntry.agency_id == agency_id, LedgerEntry.object_id == offer_id)
    row = db.session.execute(
        select(LedgerEntry.seq, LedgerEntry.at, LedgerEntry.body, LedgerEntry.hash).where(
            *own, LedgerEntry.kind == "offer.submitted"
        )
    ).one()
    before = select(LedgerEntry.hash).where(LedgerEntry.agency_id == agency_id, LedgerEntry.seq == row.seq - 1)
    return Entry(row.seq, row.at, db.session.scalar(before) or GENESIS, row.body, row.hash)


def facts_of(agency_id: uuid.UUID, offer_id: uuid.UUID) -> ReceiptFacts | None:
    """What the receipt of an offer says now; None once its person has been forgotten."""
    opened = open_receipt(offer_id)
    if opened is None or opened.offer.document is None:
        return None
    sealed = db.session.scalars(select(OfferBody.body_ct).where(OfferBody.offer_id == offer_id)).one()
    text = unpad(opened.offer.unseal("offer_body", "body", offer_id, sealed))
    asked = select(OfferRequest.id).where(OfferRequest.agency_id == agency_id, OfferRequest.answer_id == offer_id)
    named = opened.offer.document.body["texts"]
    kept = select(TextVersion.sha256, TextVersion.body).where(
        TextVersion.sha256.in_([bytes.fromhex(digest) for digest in named.values()])
    )
    bodies = {row.sha256.hex(): row.body for row in db.session.execute(kept)}
    return ReceiptFacts(
        opened,
        opened.offer.document,
        text,
        signature_image(opened.offer),
        entry_of(agency_id, offer_id),
        _steps(agency_id, offer_id),
        {kind: (digest, bodies.get(digest, "")) for kind, digest in named.items()},
        db.session.scalar(asked) is not None,
        db.session.scalar(select(EmailCode.n).where(EmailCode.offer_id == offer_id).limit(1)) is not None,
    )


def _steps(agency_id: uuid.UUID, offer_id: uuid.UUID) -> list[tuple[datetime, str]]:
    shown = ("offer.submitted", "offer.replaced", "offer.confirmed", "offer.code_confirmed")
    entries = select(LedgerEntry.at, LedgerEntry.kind, LedgerEntry.body).where(
        LedgerEntry.agency_id == agency_id, LedgerEntry.object_id == offer_id, LedgerEntry.kind.in_(shown)
    )
    mails = select(Delivery.ended_at, Delivery.template).where(
        Delivery.agency_id == agency_id,
        Delivery.offer_id == offer_id,
        Delivery.template.in_(("offer_agent", *CONFIRMS)),
        Delivery.state == "delivered",
    )
    found = [(row.at, _kind(row)) for row in db.session.execute(entries)]
    found += [(row.ended_at, f"mail.{row.template}") for row in db.session.execute(mails)]
    return sorted(found)


def _kind(row: Any) -> str:
    """A confirmation names what shows that it was the bidder; those of before codes were asked for name nothing."""
    if row.kind == "offer.replaced":
        return f"offer.replaced.{json.loads(row.body)['data']['proof']}"
    if row.kind == "offer.submitted":
        return str(row.kind)
    data = json.loads(row.body)["data"]
    proof = data.get("proof", HELD_LINK if row.kind == "offer.confirmed" else CODE)
    if (row.kind, proof) != ("offer.code_confirmed", CODE):
        return f"offer.confirmed.{proof}"
    return BY_PAGE if data.get("way") == "private_page" else "offer.code_confirmed"


def stored(agency_id: uuid.UUID, offer_id: uuid.UUID) -> bytes | None:
    """The sealed receipt of an offer that the caller was allowed to load; None when there is none."""
    key = keys.offer_key(agency_id, offer_id)
    sealed = db.session.scalar(
        select(OfferFile.body_ct).where(
            OfferFile.agency_id == agency_id, OfferFile.offer_id == offer_id, OfferFile.kind == "receipt"
        )
    )
    if key is None or sealed is None:
        return None
    return unseal(key, Place(agency_id, "offer_file", "receipt", offer_id), sealed)


def is_current(agency_id: uuid.UUID, offer_id: uuid.UUID, confirmed_at: datetime | None) -> bool:
    """Whether a receipt is held that says what is known now: a confirmation may have come after it."""
    sealed_at = select(LedgerEntry.at).where(
        LedgerEntry.agency_id == agency_id, LedgerEntry.object_id == offer_id, LedgerEntry.kind == "receipt.sealed"
    )
    last = db.session.scalar(sealed_at.order_by(LedgerEntry.seq.desc()).limit(1))
    return last is not None and (confirmed_at is None or last >= confirmed_at)


def state_of(agency_id: uuid.UUID, offer_id: uuid.UUID) -> str:
    """`ready`, `owed` (on its way), `none` (nobody asked for it yet) or `erased`."""
    of_offer = {table: (table.agency_id == agency_id, table.offer_id == offer_id) for table in (OfferFile, Delivery)}
    kept = exists().where(*of_offer[OfferFile], OfferFile.kind == "receipt")
    due = exists().where(
        *of_offer[Delivery],
        Delivery.kind == "receipt",
        Delivery.state.in_(("pending", "leased")),
    )
    state = case((OfferState.erased_at.is_not(None), "erased"), (kept, "ready"), (due, "owed"), else_="none")
    found: str | None = db.session.scalar(select(state).where(OfferState.offer_id == offer_id))
    return found or "erased"
