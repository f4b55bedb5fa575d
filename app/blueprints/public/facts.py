"""A property as the buyer sees it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.language import language
from app.models import Property
from app.money import Money


@dataclass(frozen=True, slots=True)
class PropertyFacts:
    title: str
    description: str | None
    property_type: str
    address_line: str
    zone: str | None
    city: str | None
    county: str | None
    usable_area_sqm: int | None
    built_area_sqm: int | None
    land_area_sqm: int | None
    rooms: int | None
    asking_price: Money | None
    currency: str
    price_vat: str | None
    buyer_commission: str | None
    photo_url: str | None
    opens_at: datetime | None
    closes_at: datetime | None
    signature_required: bool


def facts(prop: Property, token: str | None) -> PropertyFacts:
    """What a link's page shows; `token` names where the picture is."""
    in_language = language()
    photo = f"/o/{token}/photo?v={prop.photo_id.hex[-10:]}" if token and prop.photo_id else None
    return PropertyFacts(
        title=prop.local_title(in_language),
        description=prop.local_description(in_language),
        property_type=prop.property_type,
        address_line=prop.shown_address,
        zone=prop.zone,
        city=prop.city,
        county=prop.county,
        usable_area_sqm=prop.usable_area_sqm,
        built_area_sqm=prop.built_area_sqm,
        land_area_sqm=prop.land_area_sqm,
        rooms=prop.rooms,
        asking_price=Money(prop.asking_minor, prop.currency) if prop.asking_minor else None,
        currency=prop.currency,
        price_vat=prop.price_vat,
        buyer_commission=prop.buyer_commission,
        photo_url=photo,
        opens_at=prop.offers_open_at,
        closes_at=prop.offers_close_at,
        signature_required=prop.signature_required,
    )
