"""What a buyer is shown of a property: one definition for the page, the document and the digest of both.

A form and its review carry a snapshot of it, and a stamp that signs the snapshot's digest. Where the digest made anew
under the lock is another, nothing is sent: the review says what changed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.clock import rfc3339
from app.core.money import Money
from app.models.property import local, shown_address

MOST = 20_000  # bytes of a snapshot that a form may bring back


@dataclass(frozen=True, slots=True)
class ShownFacts:
    """Every fact on a link's page. `opens_at` and `closes_at` are the link's; a request has its own deadline."""

    title: str
    description: str | None
    property_type: str
    address_line: str
    usable_area_sqm: float | None
    built_area_sqm: float | None
    land_area_sqm: float | None
    rooms: float | None
    asking_price: Money | None
    currency: str
    price_vat: str | None
    buyer_commission: str | None
    photo: str | None
    opens_at: datetime | None
    closes_at: datetime | None
    signature_required: bool
    code_required: bool
    field_rules: Mapping[str, str]
    agency: str
    agent: Mapping[str, str | None]

    def body(self) -> dict[str, Any]:
        """As the document keeps it."""
        return {
            "title": self.title,
            "description": self.description,
            "property_type": self.property_type,
            "address": self.address_line,
            "usable_area_sqm": self.usable_area_sqm,
            "built_area_sqm": self.built_area_sqm,
            "land_area_sqm": self.land_area_sqm,
            "rooms": self.rooms,
            "asking_price": self.asking_price.text if self.asking_price else None,
            "currency": self.currency,
            "price_vat": self.price_vat,
            "buyer_commission": self.buyer_commission,
            "photo": self.photo,
            "opens_at": rfc3339(self.opens_at) if self.opens_at else None,
            "closes_at": rfc3339(self.closes_at) if self.closes_at else None,
            "signature_required": self.signature_required,
            "code_required": self.code_required,
            "field_rules": dict(self.field_rules),
            "agency": self.agency,
            "agent": dict(self.agent),
        }


def shown_of(prop: Any, agency_name: str, agent: Any, language: str, *, windowed: bool = True) -> ShownFacts:
    """From rows as they are now. `prop` has the columns of a property, `agent` a name, an address and a phone."""
    return ShownFacts(
        title=local(prop, "title", language),
        description=local(prop, "description", language),
        property_type=prop.property_type,
        address_line=shown_address(prop),
        usable_area_sqm=prop.usable_area_sqm,
        built_area_sqm=prop.built_area_sqm,
        land_area_sqm=prop.land_area_sqm,
        rooms=prop.rooms,
        asking_price=Money(prop.asking_minor, prop.currency) if prop.asking_minor else None,
        currency=prop.currency,
        price_vat=prop.price_vat,
        buyer_commission=prop.buyer_commission,
        photo=prop.photo_id.hex if prop.photo_id else None,
        opens_at=prop.offers_open_at if windowed else None,
        closes_at=prop.offers_close_at if windowed else None,
        signature_required=prop.signature_required,
        code_required=prop.code_required,
        field_rules=prop.field_rules,
        agency=agency_name,
        agent={"full_name": agent.full_name, "email": agent.email, "phone": agent.phone},
    )


def snapshot(
    shown: ShownFacts, texts: Mapping[str, str], asked: Mapping[str, str | None] | None = None
) -> dict[str, Any]:
    """What the digest is made of. `texts` by version (SHA-256), `asked` a request for a better offer, if it is one."""
    facts = shown.body()
    for long in ("description",):
        facts[long] = hashlib.sha256(facts[long].encode()).hexdigest() if facts[long] else None
    return {**facts, "texts": dict(texts), "asked": dict(asked) if asked else None}


def digest_of(snap: Mapping[str, Any]) -> bytes:
    return hashlib.sha256(_bytes(snap)).digest()


def packed(snap: Mapping[str, Any]) -> str:
    """The snapshot as a form carries it."""
    return base64.urlsafe_b64encode(zlib.compress(_bytes(snap))).decode()


def unpacked(text: str, digest: bytes) -> dict[str, Any] | None:
    """The snapshot that a form brought back, where it is the one of that digest."""
    try:
        plain = zlib.decompressobj().decompress(base64.urlsafe_b64decode(text[:MOST].encode()), MOST)
        if hashlib.sha256(plain).digest() != digest:
            return None
        snap: dict[str, Any] = json.loads(plain)
    except (ValueError, zlib.error):
        return None
    return snap


def _bytes(snap: Mapping[str, Any]) -> bytes:
    return json.dumps(snap, sort_keys=True, separators=(",", ":")).encode()
