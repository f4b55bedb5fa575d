"""Offers and properties as the outside sees them: the objects of `/api/crm` and of webhook bodies."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Protocol

from flask import current_app

from app.clock import now, rfc3339
from app.links import offer_link_token, photo_token
from app.models import CODE, HELD_LINK, Property
from app.models.property import GONE
from app.money import Money
from app.offer_document import Document


class OfferRow(Protocol):
    """The columns of `Offer` that are shown."""

    id: uuid.UUID
    reference: str
    property_id: uuid.UUID
    asking_minor: int | None
    currency: str
    source: str
    language: str
    previous_id: uuid.UUID | None
    submitted_at: datetime


class StateRow(Protocol):
    """The columns of `OfferState` that are shown."""

    status: str
    signed: bool
    latest: bool
    version: int
    viewed_at: datetime | None
    decided_at: datetime | None
    withdrawn_at: datetime | None
    erased_at: datetime | None
    updated_at: datetime


def base_url() -> str:
    url: str = current_app.extensions["bidflux_settings"].base_url
    return url


def offer_json(
    offer: OfferRow,
    state: StateRow,
    document: Document,
    *,
    external_id: str | None,
    reason: str | None = None,
    confirmed_at: datetime | None = None,
    proof: str | None = None,
    confirmed_by: str | None = None,
) -> dict[str, Any]:
    """One offer under the names of the contract.

    `confirmed_at`: when somebody said that it is its bidder's; `proof`: `code` or `held_link`; `confirmed_by`: the kind
    of signature given then. A signature that waits for its code is not shown as one.
    """
    terms = document.terms
    own = terms["signature"]
    kind, at = (own["kind"], offer.submitted_at) if own else (confirmed_by, confirmed_at)
    return {
        "id": str(offer.id),
        "reference": offer.reference,
        "property_id": str(offer.property_id),
        "property_external_id": external_id,
        "asking_price_at_submission": _amount(offer.asking_minor, offer.currency),
        "status": state.status,
        "decision_reason": reason,
        **{name: value for name, value in terms.items() if name not in {"signature", "replaces"}},
        "language": offer.language,
        "signature": {"kind": kind, "signed_at": _time(at)} if kind and state.signed else None,
        "signature_pending": own is not None and not state.signed and proof != HELD_LINK,
        "source": offer.source,
        "channel": document.body.get("channel"),
        "confirmed_at": _time(confirmed_at) if proof == CODE else None,
        "confirmation": {"at": _time(confirmed_at), "proof": proof} if confirmed_at else None,
        "previous_offer_id": str(offer.previous_id) if offer.previous_id else None,
        "is_latest": state.latest,
        "submitted_at": rfc3339(offer.submitted_at),
        "viewed_at": _time(state.viewed_at),
        "decided_at": _time(state.decided_at),
        "withdrawn_at": _time(state.withdrawn_at),
        "erased_at": _time(state.erased_at),
        "updated_at": rfc3339(state.updated_at),
        "version": state.version,
        "dashboard_url": f"{base_url()}/app/offers/{offer.id}",
    }


PERSONAL = (
    "decision_reason", "own_funds_amount", "credit_amount", "credit_program", "credit_preapproved", "payment_term_note",
    "advance_amount", "advance_percent", "conditions", "precontract_date", "deed_date", "message", "bidder",
    "represented_by", "signature",
)  # fmt: skip


def forgotten_offer_json(row: Any) -> dict[str, Any]:
    """What is left of an offer whose bidder has been forgotten, from the columns of `Offer` and `OfferState`."""
    terms = {
        **dict.fromkeys(PERSONAL),
        "amount": _amount(row.amount_minor, row.currency),
        "currency": row.currency,
        "financing": row.financing,
        "payment_term_days": row.term_days,
        "valid_until": row.valid_until.isoformat() if row.valid_until else None,
        "co_buyers": [],
    }
    return offer_json(row, row, Document({"offer": terms}), external_id=row.external_id, **confirmed_in(row))


def confirmed_in(row: Any) -> dict[str, Any]:
    """What `offer_json` is told of a confirmation, from a row that was joined with it."""
    return {"confirmed_at": row.confirmed_at, "proof": row.proof}


def property_json(prop: Property, *, offers_count: int = 0) -> dict[str, Any]:
    """One property under the names of the contract; its agent must be loaded."""
    same = (
        "external_id", "title", "title_en", "description", "description_en", "property_type", "transaction_type",
        "availability", "address", "show_exact_address", "zone", "city", "county", "country", "usable_area_sqm",
        "built_area_sqm", "land_area_sqm", "rooms", "currency", "price_vat", "buyer_commission", "crm_url",
        "accepts_offers", "signature_required",
    )  # fmt: skip
    return {
        "id": str(prop.id),
        **{name: getattr(prop, name) for name in same},
        "asking_price": _amount(prop.asking_minor, prop.currency),
        "photo_url": photo_url(prop),
        "agent": {"email": prop.agent.email, "full_name": prop.agent.full_name, "phone": prop.agent.phone},
        "offers_open_at": _time(prop.offers_open_at),
        "offers_close_at": _time(prop.offers_close_at),
        "offer_url": offer_url(prop) if prop.accepts_offers and prop.availability not in GONE else None,
        "offers_count": offers_count,
        "archived_at": _time(prop.archived_at),
        "created_at": rfc3339(prop.created_at),
        "updated_at": rfc3339(prop.updated_at),
    }


def is_our_photo(url: str) -> bool:
    """Whether it is a photo that we serve: what was read is written back."""
    return url.startswith(f"{base_url()}/photos/")


def photo_url(prop: Property) -> str | None:
    """The property's photo as we serve it; a new photo has a new address."""
    return f"{base_url()}/photos/{photo_token(prop.photo_id)}" if prop.photo_id else None


def offer_url(prop: Property, version: int | None = None) -> str:
    """The property's offer link, as it is shared; or the one that somebody was given, which may have been replaced."""
    return f"{base_url()}/o/{offer_link_token(prop.id, version or prop.link_version)}"


def link_state(prop: Property, version: int, at: datetime | None = None) -> str:
    """Where a link stands: open, not_open, closed, off, rotated, or what became of the property (`GONE`)."""
    at = at or now()
    if version != prop.link_version:
        return "rotated"
    if prop.availability in GONE:
        return prop.availability
    if not prop.accepts_offers or prop.archived_at:
        return "off"
    if prop.offers_open_at and at < prop.offers_open_at:
        return "not_open"
    if prop.offers_close_at and at >= prop.offers_close_at:
        return "closed"
    return "open"


def gone_as(prop: Any) -> str | None:
    """What became of a property that is to be had no more, as its pages and mails say it; None while it is."""
    if prop.availability in GONE:
        return str(prop.availability)
    return "unavailable" if prop.archived_at else None


def request_state(request: Any, prop: Any, at: datetime) -> str:
    """Where a request for a better offer stands: open, answered, closed (too late), off (taken back), or what became of
    the property, of which `availability` and `archived_at` are read."""
    if request.answer_id:
        return "answered"
    if prop.availability in GONE:
        return str(prop.availability)
    if request.cancelled_at or prop.archived_at:
        return "off"
    return "open" if at < request.deadline else "closed"


def _amount(minor: int | None, currency: str) -> str | None:
    return None if minor is None else Money(minor, currency).text


def _time(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None
