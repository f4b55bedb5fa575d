"""Whole samples of every event, for trying a receiver out. Nobody in them is real."""

from __future__ import annotations

from typing import Any

from app.offers.fields import AMOUNT, TERMS, nested

OFFER: dict[str, Any] = {
    "id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "reference": "BF-7K3M9QXA",
    "property_id": "01890a5d-ac96-774b-bcce-b302099a8001",
    "property_external_id": "CRM-1042",
    "asking_price_at_submission": "125000.00",
    "status": "new",
    "decision_reason": None,
    AMOUNT.name: AMOUNT.sample,
    "currency": "EUR",
    **nested({field.name: field.sample for field in TERMS}, TERMS),
    "language": "ro",
    "signature": {"kind": "typed", "signed_at": "2026-11-23T10:15:00.000000Z"},
    "signature_pending": False,
    "source": "link",
    "channel": None,
    "confirmed_at": None,
    "confirmation": None,
    "previous_offer_id": None,
    "is_latest": True,
    "submitted_at": "2026-11-23T10:15:00.000000Z",
    "viewed_at": None,
    "decided_at": None,
    "withdrawn_at": None,
    "erased_at": None,
    "updated_at": "2026-11-23T10:15:00.000000Z",
    "version": 1,
    "dashboard_url": "https://oferte.example/app/offers/01890a5d-ac96-774b-bcce-b302099a8057",
}
PROPERTY: dict[str, Any] = {
    "id": OFFER["property_id"],
    "external_id": "CRM-1042",
    "title": "Apartament cu 3 camere în Mănăștur",
    "title_en": "Three-room apartment in Mănăștur",
    "description": None,
    "description_en": None,
    "property_type": "apartment",
    "transaction_type": "sale",
    "availability": "available",
    "address": None,
    "show_exact_address": False,
    "zone": "Mănăștur",
    "city": "Cluj-Napoca",
    "county": "Cluj",
    "country": "RO",
    "usable_area_sqm": 68,
    "built_area_sqm": None,
    "land_area_sqm": None,
    "rooms": 3,
    "currency": "EUR",
    "price_vat": None,
    "buyer_commission": None,
    "crm_url": None,
    "accepts_offers": True,
    "signature_required": False,
    "asking_price": "125000.00",
    "photo_url": None,
    "agent": {"email": "agent@agentie.example", "full_name": "Ioana Ștefănescu", "phone": "+40712034567"},
    "offers_open_at": None,
    "offers_close_at": None,
    "offer_url": "https://oferte.example/o/exemplu",
    "offers_count": 1,
    "archived_at": None,
    "created_at": "2026-11-20T08:00:00.000000Z",
    "updated_at": "2026-11-23T10:15:00.000000Z",
}


_SEEN = {**OFFER, "status": "viewed", "viewed_at": "2026-11-23T10:20:00.000000Z", "version": 2}
_DECIDED = {"status": "accepted", "decided_at": "2026-11-23T11:00:00.000000Z", "version": 3}
_TAKEN = {
    "source": "agent",
    "channel": "phone",
    "signature": None,
    "confirmed_at": "2026-11-23T10:40:00.000000Z",
    "confirmation": {"at": "2026-11-23T10:40:00.000000Z", "proof": "code"},
}
_ENDED = {"accepts_offers": False, "offer_url": None, "archived_at": "2026-11-23T12:00:00.000000Z"}
_SAMPLES: dict[str, dict[str, Any]] = {
    "offer.created": {"data": OFFER},
    "offer.confirmed": {"data": {**OFFER, **_TAKEN}},
    "offer.viewed": {"data": _SEEN},
    "offer.status_changed": {"data": {**_SEEN, **_DECIDED}, "previous_status": "viewed"},
    "offer.better_asked": {"data": _SEEN, "deadline": "2026-11-25T16:00:00.000000Z"},
    "offer.superseded": {"data": {**_SEEN, "is_latest": False}},
    "offer.withdrawn": {"data": {**_SEEN, "withdrawn_at": "2026-11-23T12:00:00.000000Z"}},
    "offer.erased": {"data": {name: OFFER[name] for name in ("id", "property_id")}, "erased": True},
    "property.created": {"data": PROPERTY},
    "property.updated": {"data": PROPERTY},
    "property.archived": {"data": {**PROPERTY, **_ENDED}},
    "link.rotated": {"data": PROPERTY},
    "webhook.test": {"data": {"message": "It works."}},
}


def sample(kind: str) -> dict[str, Any]:
    """What an event of this type says beside its envelope."""
    return _SAMPLES[kind]
