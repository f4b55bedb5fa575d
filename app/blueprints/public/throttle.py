"""How fast new offers come in. Who brings many waits a moment before each; nobody is refused for what others sent.

Only offers that were kept count: a press repeated a thousand times is one. No count is of a link alone, except the one
beyond which everybody waits a moment: a link cannot be closed by filling it.
"""

from __future__ import annotations

import time
import uuid

from app.core.contacts import mailbox_of
from app.offers.document import Bidder
from app.web.guards import caller_line, rates
from app.web.rate_limits import Count, have_room, keyed, note

PER_PERSON = rates("30/hour")  # of one address: nobody uses up the count of a person whose mail address they know
PER_ADDRESS = rates("100/hour")
PER_LINK = rates("300/hour")
MOMENT, WHILE = 15, 120


def wait(property_id: uuid.UUID, bidder: Bidder, ready: float) -> int:
    """Seconds to wait before this offer is taken; 0 for none. `ready` is when an earlier wait ends (Unix time)."""
    if ready:
        return max(0, round(ready - time.time() + 0.5))
    people, crowds = _people(property_id, bidder), _crowds(property_id)
    rooms = have_room([*people, *crowds])
    if not all(rooms[: len(people)]):
        return WHILE
    return 0 if all(rooms) else MOMENT


def sent(property_id: uuid.UUID, bidder: Bidder) -> None:
    """One more was kept."""
    note([*_people(property_id, bidder), *_crowds(property_id)])


def _people(property_id: uuid.UUID, bidder: Bidder) -> list[Count]:
    known = [bidder.phone, *([mailbox_of(bidder.email)] if bidder.email else [])]
    address = keyed(caller_line())
    return [
        (rate, ("send-person", property_id.hex, address, keyed(contact))) for contact in known for rate in PER_PERSON
    ]


def _crowds(property_id: uuid.UUID) -> list[Count]:
    of_address, of_link = ("send-address", property_id.hex, keyed(caller_line())), ("send-link", property_id.hex)
    return [*((rate, of_address) for rate in PER_ADDRESS), *((rate, of_link) for rate in PER_LINK)]
