"""What the ledger's entries say of a property: a keyed hash of all that its link goes by, so that none of its columns
can be changed beside the ledger, and the ledger holds no text."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Any

from app.core import keys
from app.core.canonical_json import canonical
from app.core.clock import rfc3339

# Its agent has entries of its own; what is left out beside that is the picture, and when it was written last.
COLUMNS = (
    "external_id", "title", "title_en", "description", "description_en", "property_type", "transaction_type",
    "availability", "address", "show_exact_address", "zone", "city", "county", "country", "usable_area_sqm",
    "built_area_sqm", "land_area_sqm", "rooms", "asking_minor", "currency", "price_vat", "buyer_commission", "crm_url",
    "accepts_offers", "offers_open_at", "offers_close_at", "signature_required", "code_required", "field_rules",
    "link_version", "archived_at",
)  # fmt: skip
_SIZES = {"usable_area_sqm", "built_area_sqm", "land_area_sqm", "rooms"}


def facts_of(prop: Any) -> dict[str, str]:
    """For the data of an entry, under the property (or a row of it) as the step leaves it."""
    return {"facts": digest_of(prop)}


def digest_of(prop: Any) -> str:
    """In hex. Nobody without the agency's key can try what it may stand for."""
    told = {name: _told(name, getattr(prop, name)) for name in COLUMNS}
    key = keys.agency_key(prop.agency_id, "content")
    return hmac.digest(key, b"property" + canonical(told), hashlib.sha256).hex()


def _told(name: str, value: Any) -> Any:
    """As the database keeps it: what was typed and what is read must be the same."""
    if name in _SIZES and value is not None:
        return round(value * 100)
    return rfc3339(value) if isinstance(value, datetime) else value
