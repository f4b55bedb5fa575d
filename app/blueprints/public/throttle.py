"""How fast new offers come in. Who brings many waits a moment before each; nobody is refused for what others sent.

Only offers that were kept count: a press repeated a thousand times is one. No count is of a link alone, except the one
beyond which everybody waits a moment: a link cannot be closed by filling it.
"""

from __future__ import annotations

import time

from limits import RateLimitItem

from app.models import Property
from app.offers.document import Bidder
from app.web.guards import caller_line, rates
from app.web.rate_limits import has_room, keyed, note

PER_PERSON = rates("30/hour")  # of one address: nobody uses up the count of a person whose mail address they know
PER_ADDRESS = rates("100/hour")
PER_LINK = rates("300/hour")
MOMENT, WHILE = 15, 120


def wait(prop: Property, bidder: Bidder, ready: float) -> int:
    """Seconds to wait before this offer is taken; 0 for none. `ready` is when an earlier wait ends (Unix time)."""
    if ready:
        return max(0, round(ready - time.time() + 0.5))
    if not all(has_room(PER_PERSON, *names) for names in _people(prop, bidder)):
        return WHILE
    return 0 if all(has_room(rate, *names) for rate, names in _crowds(prop)) else MOMENT


def sent(prop: Property, bidder: Bidder) -> None:
    """One more was kept."""
    for names in _people(prop, bidder):
        note(PER_PERSON, *names)
    for rate, names in _crowds(prop):
        note(rate, *names)


def _people(prop: Property, bidder: Bidder) -> list[tuple[str, ...]]:
    known = [bidder.phone, *([bidder.email.casefold()] if bidder.email else [])]
    address = keyed(caller_line())
    return [("send-person", prop.id.hex, address, keyed(one)) for one in known]


def _crowds(prop: Property) -> list[tuple[tuple[RateLimitItem, ...], tuple[str, ...]]]:
    return [
        (PER_ADDRESS, ("send-address", prop.id.hex, keyed(caller_line()))),
        (PER_LINK, ("send-link", prop.id.hex)),
    ]
