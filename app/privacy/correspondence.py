"""Reads what agency and bidder wrote to each other, or about an offer, beside the offer itself."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select

from app.extensions import db
from app.models import (
    Decision,
    Delivery,
    KeyAccess,
    LedgerEntry,
    Offer,
    OfferMove,
    OfferRequest,
    SellerLink,
    Withdrawal,
)
from app.models.key_access import NOTED_ONCE_IN
from app.offers.details import OpenedOffer, confirmation_of


@dataclass(frozen=True, slots=True)
class Words:
    """Written text: `what` is `answer`, `better_asked`, `withdrawn` or `moved` (elsewhere in the agent's order)."""

    at: datetime
    what: str
    text: str


def words_about(opened: OpenedOffer) -> list[Words]:
    """Oldest first; none once the person has been forgotten. Reasons of decisions stand in the timeline."""
    if opened.key is None:
        return []
    agency_id, offer_id = opened.offer.agency_id, opened.offer.id
    kinds = (
        ("answer", "decision", "message", Decision.at, Decision.id, Decision.message_ct),
        ("better_asked", "offer_request", "message", OfferRequest.created_at, OfferRequest.id, OfferRequest.message_ct),
        ("withdrawn", "withdrawal", "message", Withdrawal.at, Withdrawal.offer_id, Withdrawal.message_ct),
        ("moved", "offer_move", "reason", OfferMove.at, OfferMove.offer_id, OfferMove.reason_ct),
    )
    found = []
    for what, table, column, at, row_id, sealed in kinds:
        model = at.class_
        query = select(at, row_id, sealed).where(
            model.agency_id == agency_id, model.offer_id == offer_id, sealed.is_not(None)
        )
        for moment, its_id, body in db.session.execute(query):
            found.append(Words(moment, what, opened.unseal(table, column, its_id, body or b"").decode()))
    return sorted(found, key=lambda line: line.at)


def own_confirmation(opened: OpenedOffer) -> tuple[datetime, str, str | None, bytes | None] | None:
    """When the bidder confirmed, what proves it, and the signature: a typed name or a PNG."""
    confirmation = confirmation_of(opened)
    if confirmation is None:
        return None
    signature = confirmation.signature or {}
    image = signature.get("image")
    return confirmation.at, confirmation.proof, signature.get("text"), base64.b64decode(image) if image else None


@dataclass(frozen=True, slots=True)
class Disclosure:
    """Who outside the agency was given the offer: `crm_told` (a call), `crm_read` (over the API), `crm_listed`
    (the first list that a key took which may have held it), `seller` (the property's owner on their page),
    `seller_names` (there with the names)."""

    at: datetime
    to: str


def given_to(opened: OpenedOffer) -> list[Disclosure]:
    """Oldest first."""
    offer = opened.offer
    mine = (Delivery.agency_id == offer.agency_id, Delivery.offer_id == offer.id)
    called = select(Delivery.ended_at).where(*mine, Delivery.kind == "webhook", Delivery.state == "delivered")
    read = select(KeyAccess.at).where(KeyAccess.agency_id == offer.agency_id, KeyAccess.offer_id == offer.id)
    found = [Disclosure(at, "crm_told") for at in db.session.scalars(called) if at]
    found += [Disclosure(at, "crm_read") for at in db.session.scalars(read)]
    found += [Disclosure(max(at, offer.submitted_at), "crm_listed") for at in db.session.scalars(_lists_since(offer))]
    entry = LedgerEntry
    seen = select(entry.at, entry.body).where(
        entry.agency_id == offer.agency_id,
        entry.object_id == offer.property_id,
        entry.kind == "seller.opened",
        entry.at >= offer.submitted_at,
    )
    links = select(SellerLink.id, SellerLink.shows_names).where(SellerLink.property_id == offer.property_id)
    named = {str(row.id): row.shows_names for row in db.session.execute(links)}
    for row in db.session.execute(seen):
        shown = named.get(json.loads(row.body)["data"]["link"])
        found.append(Disclosure(row.at, "seller_names" if shown else "seller"))
    return sorted(found, key=lambda line: line.at)


def _lists_since(offer: Offer) -> Select[datetime]:
    """When each key first took a list after the offer came in; noted once an hour, so from an hour before."""
    table = KeyAccess
    listed = select(func.min(table.at)).where(table.agency_id == offer.agency_id, table.kind == "listed")
    return listed.where(table.at >= offer.submitted_at - NOTED_ONCE_IN).group_by(table.key_id)
