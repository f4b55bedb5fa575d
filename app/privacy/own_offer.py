"""Everything held about one offer and its sender, as its bidder may take it along."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from app.core.clock import rfc3339
from app.extensions import db
from app.models import Delivery, LedgerEntry, OfferOrigin, TextVersion, Withdrawal
from app.offers.details import OpenedOffer, Receipt

# What the agency did with the offer is its own business; what happened between it and the bidder is not.
SHARED = (
    "offer.submitted", "offer.confirmed", "offer.code_confirmed", "receipt.sealed", "offer.better_asked",
    "offer.better_taken_back", "offer.better_link_shown", "offer.replaced", "offer.answered", "offer.withdrawn",
)  # fmt: skip


def everything(opened: Receipt) -> dict[str, Any]:
    """The offer with its hash, the texts that were shown, where it came from, the register's entries, the mails."""
    offer, document = opened.offer.offer, opened.offer.document
    if document is None:
        raise LookupError(offer.id)
    return {
        "agency": {"name": opened.prop.agency.name, "email": opened.prop.agency.email},
        "offer": document.body,
        "commitment": opened.commitment,
        "texts": _texts(document.body.get("texts", {})),
        "sent_from": _origin(opened),
        "withdrawal": _withdrawal(opened),
        "register": [
            {"seq": row.seq, "at": rfc3339(row.at), "kind": row.kind}
            for row in db.session.execute(
                select(LedgerEntry.seq, LedgerEntry.at, LedgerEntry.kind)
                .where(LedgerEntry.agency_id == offer.agency_id, LedgerEntry.object_id == offer.id)
                .where(LedgerEntry.kind.in_(SHARED))
                .order_by(LedgerEntry.seq)
            )
        ],
        "mails_to_you": [
            {"kind": row.template, "state": row.state, "at": rfc3339(row.ended_at or row.due_at)}
            for row in db.session.execute(
                select(Delivery.template, Delivery.state, Delivery.ended_at, Delivery.due_at)
                .where(Delivery.agency_id == offer.agency_id, Delivery.offer_id == offer.id)
                .where(Delivery.kind != "webhook", Delivery.user_id.is_(None))
                .order_by(Delivery.created_at, Delivery.id)
            )
        ],
    }


def _texts(shown: dict[str, str]) -> dict[str, str]:
    """The texts themselves, by kind, from the hashes that the offer names."""
    named = {kind: bytes.fromhex(digest) for kind, digest in shown.items()}
    rows = db.session.execute(
        select(TextVersion.sha256, TextVersion.body).where(TextVersion.sha256.in_(named.values()))
    ).all()
    bodies = {row.sha256: row.body for row in rows}
    return {kind: bodies[digest] for kind, digest in named.items() if digest in bodies}


def _origin(opened: Receipt) -> dict[str, Any] | None:
    sealed = db.session.scalar(select(OfferOrigin.body_ct).where(OfferOrigin.offer_id == opened.offer.offer.id))
    if sealed is None:
        return None
    origin: dict[str, Any] = json.loads(opened.offer.unseal("offer_origin", "body", opened.offer.offer.id, sealed))
    return origin


def _withdrawal(opened: Receipt) -> dict[str, Any] | None:
    made_at = opened.offer.state.withdrawn_at
    return {"at": rfc3339(made_at), "message": parting_words(opened.offer)} if made_at else None


def parting_words(opened: OpenedOffer) -> str | None:
    """What the bidder wrote to the agent when they withdrew."""
    made = db.session.get(Withdrawal, opened.offer.id) if opened.key else None
    if made is None or made.message_ct is None:
        return None
    return opened.unseal("withdrawal", "message", made.offer_id, made.message_ct).decode()
