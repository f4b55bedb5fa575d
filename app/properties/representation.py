"""Properties as the outside sees them: the objects of `/api/crm` and of webhook bodies, their links and photos."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.core.clock import now, rfc3339
from app.core.money import Money
from app.core.signed_links import OFFER_LINK, PHOTO, OfferLink, sign
from app.core.urls import base_url
from app.models import Property
from app.models.property import GONE


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
    return f"{base_url()}/photos/{sign(PHOTO, prop.photo_id)}" if prop.photo_id else None


def offer_url(prop: Property, version: int | None = None) -> str:
    """The property's offer link, as it is shared; or the one that somebody was given, which may have been replaced."""
    return f"{base_url()}/o/{sign(OFFER_LINK, OfferLink(prop.id, version or prop.link_version))}"


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
    """Why a property is off the market, as its pages and mails say it; None while it is not."""
    if prop.availability in GONE:
        return str(prop.availability)
    return "unavailable" if prop.archived_at else None


def _amount(minor: int | None, currency: str) -> str | None:
    return None if minor is None else Money(minor, currency).text


def _time(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None
