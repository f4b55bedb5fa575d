"""Offers as the outside sees them: the objects of `/api/crm` and of webhook bodies."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Protocol

from app.core.clock import rfc3339
from app.core.money import Money
from app.core.urls import base_url
from app.models import CODE, HELD_LINK
from app.models.property import GONE
from app.offers.document import Document
from app.offers.fields import TERMS


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
        **{field.path[0]: None for field in TERMS if field.path[0] not in terms},
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


# What is forgotten with a person, and what then stands in its place.
PERSONAL: dict[str, Any] = {
    **dict.fromkeys(("decision_reason", "signature")),
    **{field.path[0]: None if field.inside or field.kind.nothing is None else [] for field in TERMS if not field.clear},
}


def forgotten_offer_json(row: Any) -> dict[str, Any]:
    """What is left of an offer whose bidder has been forgotten, from the columns of `Offer` and `OfferState`."""
    terms = {
        **PERSONAL,
        "amount": _amount(row.amount_minor, row.currency),
        "currency": row.currency,
        "financing": row.financing,
        "payment_term_days": row.term_days,
        "valid_until": row.valid_until.isoformat() if row.valid_until else None,
    }
    return offer_json(row, row, Document({"offer": terms}), external_id=row.external_id, **confirmed_in(row))


def confirmed_in(row: Any) -> dict[str, Any]:
    """What `offer_json` is told of a confirmation, from a row that was joined with it."""
    return {"confirmed_at": row.confirmed_at, "proof": row.proof}


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
