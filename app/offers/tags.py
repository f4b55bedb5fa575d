"""The blind indexes by which offers of one person are found without being opened."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import cache, partial

from app.core import keys
from app.core.contacts import folded
from app.core.vault import blind
from app.offers.document import Bidder


def tags_of(agency_id: uuid.UUID, bidder: Bidder) -> dict[str, bytes]:
    """By field: of the phone, and of the e-mail address where there is one."""
    return tagger(agency_id)(bidder)


def tagger(agency_id: uuid.UUID) -> Callable[[Bidder], dict[str, bytes]]:
    """The same for very many of one agency: its keys are asked for once. Raises `KeyMissing` only as it is called."""
    key = cache(partial(keys.agency_key, agency_id))

    def tags_of_bidder(bidder: Bidder) -> dict[str, bytes]:
        tags = {"phone": blind(key("blind_phone"), bidder.phone)}
        if bidder.email:
            tags["email"] = blind(key("blind_email"), folded(bidder.email))
        return tags

    return tags_of_bidder
