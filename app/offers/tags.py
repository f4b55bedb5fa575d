"""The blind indexes by which offers of one person are found without being opened."""

from __future__ import annotations

import uuid

from app.core import keys
from app.core.contacts import folded
from app.core.vault import blind
from app.offers.document import Bidder


def tags_of(agency_id: uuid.UUID, bidder: Bidder) -> dict[str, bytes]:
    """By field: of the phone, and of the e-mail address where there is one."""
    tags = {"phone": blind(keys.agency_key(agency_id, "blind_phone"), bidder.phone)}
    if bidder.email:
        tags["email"] = blind(keys.agency_key(agency_id, "blind_email"), folded(bidder.email))
    return tags
