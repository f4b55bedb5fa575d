"""The folded names of an agency's offers, opened at the first search and held in memory while searching goes on.

People search as they type: opening 100,000 names for every letter would cost a second each. What is held is at most
`MOST` names, for `KEPT` seconds after the last search; nothing of it touches a disk. Later searches open only what
came in since, as the agency's events tell. See docs/decisions/0009-names-in-memory.md.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import ColumnElement, select

from app.core.keys import keyring
from app.core.raw_rows import hex_of, raw_id
from app.extensions import db
from app.models import Agency, Event, OfferKey
from app.offers.document import fold

KEPT = 120.0
MOST = 250_000

Names = dict[Any, bytes]
_FOLDED = re.compile(rb"[a-z0-9 ]*")  # others may have been kept when folding left more in a name


class CachedNames(NamedTuple):
    """The names of one agency by raw id of their offers, complete up to event number `seq`. Never changed in place."""

    seq: int
    names: Names


class NameCache:
    """Names by agency. One for each process; forgets all of them when nobody has searched for a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[uuid.UUID, CachedNames] = {}
        self._end: threading.Timer | None = None

    def of(self, agency_id: uuid.UUID) -> CachedNames | None:
        with self._lock:
            return self._held.get(agency_id)

    def keep(self, agency_id: uuid.UUID, held: CachedNames) -> None:
        """Hold these, and nothing else where they would be too many together."""
        with self._lock:
            if self._end:
                self._end.cancel()
            self._end = threading.Timer(KEPT, self.forget)
            self._end.daemon = True
            self._end.start()
            if sum(len(other.names) for other in self._held.values()) + len(held.names) > MOST:
                self._held.clear()
            self._held[agency_id] = held

    def forget(self) -> None:
        with self._lock:
            self._held.clear()


def names_of(agency_id: uuid.UUID) -> Names:
    """The names of all offers of an agency, by raw id; some may have been forgotten since they were opened."""
    cache: NameCache = current_app.extensions["bidflux_names"]
    seq = db.session.scalars(select(Agency.event_seq).where(Agency.id == agency_id)).one()
    held = cache.of(agency_id)
    if held is None:
        held = CachedNames(seq, dict(_opened(agency_id, OfferKey.agency_id == agency_id)))
    elif held.seq < seq:
        sent = (Event.agency_id == agency_id, Event.seq > held.seq, Event.type == "offer.created")
        new = dict(_opened(agency_id, OfferKey.offer_id.in_(select(Event.offer_id).where(*sent))))
        held = CachedNames(seq, {**held.names, **new} if new else held.names)
    cache.keep(agency_id, held)
    return held.names


def matching(agency_id: uuid.UUID, words: Sequence[str]) -> list[Any]:
    """The raw ids of offers whose bidder's folded name holds all the words."""
    first, *rest = (word.encode() for word in words)
    found = [(raw, name) for raw, name in names_of(agency_id).items() if first in name]
    return [raw for raw, name in found if all(word in name for word in rest)]


def _opened(agency_id: uuid.UUID, which: ColumnElement[bool]) -> Iterator[tuple[Any, bytes]]:
    opened = keyring().opener(agency_id, "offer_key", "name")
    columns = (raw_id(OfferKey.offer_id), OfferKey.kek_id, OfferKey.wrapped, OfferKey.name_ct)
    rows = db.session.connection().execute(select(*columns).where(which).execution_options(yield_per=2000))
    for raw, kek_id, wrapped, name_ct in rows:
        name = opened(hex_of(raw), kek_id, wrapped, name_ct)
        yield raw, name if _FOLDED.fullmatch(name) else fold(name.decode()).encode()
