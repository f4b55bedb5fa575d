"""How fast new offers come in. Who brings many waits a moment before each; nobody is refused for what others sent.

Only offers that were kept count: a press repeated a thousand times is one. No count is of a link alone, except the one
beyond which everybody waits a moment: a link cannot be closed by filling it.
"""

from __future__ import annotations

import time
import uuid
from typing import NamedTuple

from flask import current_app

from app.core.contacts import mailbox_of
from app.core.wake import Count
from app.models import Property
from app.offers.document import Bidder
from app.properties import floods
from app.web.guards import caller_line, rates
from app.web.rate_limits import Counter, have_room, keyed, spend

PER_PERSON = rates("30/hour")  # of one address: nobody uses up the count of a person whose mail address they know
PER_ADDRESS = rates("100/hour")
PER_LINK = rates("300/hour")
FLOOD = rates("60/hour")  # of a link: its agent is told, and nothing else happens
SLOWED = rates("30/hour")  # of an address, where the link was slowed down: each waits a step longer
TURN = rates("1/minute")  # of an address there, once its wait is over
MOMENT, WHILE, STEP = 15, 120, 60


class SenderCounts(NamedTuple):
    """What a new offer is counted against, once it is kept."""

    people: list[Count]
    crowds: list[Count]
    flood: list[Count]

    @classmethod
    def of(cls, property_id: uuid.UUID, bidder: Bidder) -> SenderCounts:
        return cls(_people(property_id, bidder), _crowds(property_id), _flood(property_id))

    def all(self) -> tuple[Count, ...]:
        return *self.people, *self.crowds, *self.flood


def wait(prop: Property, counts: SenderCounts, ready: float) -> int:
    """Seconds to wait before this offer is taken; 0 for none. `ready` is when an earlier wait ends (Unix time)."""
    if ready:
        left = max(0, round(ready - time.time() + 0.5))
        return left or (_turn(prop.id) if prop.slowed_at else 0)
    *rooms, calm = have_room(counts.all())
    if not calm:
        _alert(prop)
    seconds = _slowly(prop.id) if prop.slowed_at else 0
    if not all(rooms[: len(counts.people)]):
        return max(WHILE, seconds)
    return seconds or (0 if all(rooms) else MOMENT)


def _slowly(property_id: uuid.UUID) -> int:
    """On a link that was slowed down the first offer from an address waits a minute, the next two, and so on."""
    [rate] = SLOWED
    spent = spend(rate, "send-slowly", property_id.hex, keyed(caller_line()))
    return STEP * (rate.amount - spent.remaining)


def _turn(property_id: uuid.UUID) -> int:
    """Waits run side by side: whoever began many at once, and is through with all, has them taken one by one."""
    [rate] = TURN
    spent = spend(rate, "send-slow-turn", property_id.hex, keyed(caller_line()))
    return spent.reset if spent.over else 0


def _alert(prop: Property) -> None:
    """Once a day the agent is told; a process asks the database no more often than in ten minutes."""
    [again] = rates("1/10 minute")
    counter: Counter = current_app.extensions["bidflux_counter"]
    if not prop.slowed_at and counter.local.hit(again, "send-flood-told", prop.id.hex):
        floods.alert(prop.agency_id, prop.id, FLOOD[0].amount)


def _people(property_id: uuid.UUID, bidder: Bidder) -> list[Count]:
    known = [bidder.phone, *([mailbox_of(bidder.email)] if bidder.email else [])]
    address = keyed(caller_line())
    return [
        (rate, ("send-person", property_id.hex, address, keyed(contact))) for contact in known for rate in PER_PERSON
    ]


def _crowds(property_id: uuid.UUID) -> list[Count]:
    of_address, of_link = ("send-address", property_id.hex, keyed(caller_line())), ("send-link", property_id.hex)
    return [*((rate, of_address) for rate in PER_ADDRESS), *((rate, of_link) for rate in PER_LINK)]


def _flood(property_id: uuid.UUID) -> list[Count]:
    return [(rate, ("send-flood", property_id.hex)) for rate in FLOOD]
