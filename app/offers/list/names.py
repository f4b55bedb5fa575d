"""The folded names of an agency's offers, opened at the first search and held in memory while searching goes on.

People search as they type: opening 100,000 names for every letter would cost a second each. What is held is at most
`MOST` names, for `KEPT` seconds after the last search; nothing of it touches a disk. Later searches open only what
came in since, as the agency's events tell. See docs/decisions/0009-names-in-memory.md.
"""

from __future__ import annotations

import re
import threading
import time
import uuid
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import ColumnElement, bindparam, select

from app.core.keys import keyring
from app.core.raw_rows import hex_of, raw_id
from app.core.statements import Query
from app.extensions import db
from app.models import Agency, Event, OfferKey
from app.offers.document import fold

KEPT = 120.0
MOST = 250_000

LINES = 16

Names = dict[Any, bytes]
_BETWEEN = b"\n"  # in no name, as folding leaves single spaces only
_FOLDED = re.compile(rb"[a-z0-9 ]*")  # others may have been kept when folding left more in a name


class NameLine(NamedTuple):
    """Names one after another, to be looked through in one go; where each begins, and whose it is."""

    text: bytes
    begins: array[int]
    ids: list[Any]

    @classmethod
    def of(cls, names: Names) -> NameLine:
        lengths = (len(name) + len(_BETWEEN) for name in names.values())
        return cls(_BETWEEN.join(names.values()), array("Q", accumulate(lengths, initial=0)), list(names))

    def holding(self, word: bytes) -> Iterator[Any]:
        """The ids of those that hold the word."""
        at = self.text.find(word)
        while at >= 0:
            place = bisect_right(self.begins, at)
            yield self.ids[place - 1]
            at = self.text.find(word, self.begins[place])


class CachedNames(NamedTuple):
    """The names of one agency by raw id of their offers, complete up to event number `seq`. Never changed in place.
    `lines` hold the same names; those that came in later are a line of their own, until there are `LINES`."""

    seq: int
    names: Names
    lines: tuple[NameLine, ...]

    def with_more(self, seq: int, new: Names) -> CachedNames:
        if not new:
            return self._replace(seq=seq)
        names = {**self.names, **new}
        lines = (*self.lines, NameLine.of(new)) if len(self.lines) < LINES else (NameLine.of(names),)
        return CachedNames(seq, names, lines)


class NameCache:
    """Names by agency. One for each process; forgets all of them when nobody has searched for a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[uuid.UUID, CachedNames] = {}
        self._used = 0.0
        self._end: threading.Timer | None = None

    def of(self, agency_id: uuid.UUID) -> CachedNames | None:
        with self._lock:
            return self._held.get(agency_id)

    def keep(self, agency_id: uuid.UUID, held: CachedNames) -> None:
        """Hold these, and nothing else where they would be too many together."""
        with self._lock:
            self._used = time.monotonic()
            if self._end is None:
                self._wait(KEPT)
            if sum(len(other.names) for other in self._held.values()) + len(held.names) > MOST:
                self._held.clear()
            self._held[agency_id] = held

    def _wait(self, seconds: float) -> None:
        """One thread waits, and again for what is left: to start one takes longer than a search."""
        self._end = threading.Timer(seconds, self._ended)
        self._end.daemon = True
        self._end.start()

    def _ended(self) -> None:
        with self._lock:
            left = self._used + KEPT - time.monotonic()
            if left > 0:
                self._wait(left)
            else:
                self._end = None
                self._held.clear()

    def forget(self) -> None:
        with self._lock:
            self._held.clear()


def names_of(agency_id: uuid.UUID) -> Names:
    """The names of all offers of an agency, by raw id; some may have been forgotten since they were opened."""
    return _names_of(agency_id).names


_SEQ = Query(select(Agency.event_seq).where(Agency.id == bindparam("agency")))


def _names_of(agency_id: uuid.UUID) -> CachedNames:
    cache: NameCache = current_app.extensions["bidflux_names"]
    seq = _SEQ.one(db.session.connection(), agency=agency_id).event_seq
    held = cache.of(agency_id)
    if held is None:
        names = dict(_opened(agency_id, OfferKey.agency_id == agency_id))
        held = CachedNames(seq, names, (NameLine.of(names),))
    elif held.seq < seq:
        sent = (Event.agency_id == agency_id, Event.seq > held.seq, Event.type == "offer.created")
        new = dict(_opened(agency_id, OfferKey.offer_id.in_(select(Event.offer_id).where(*sent))))
        held = held.with_more(seq, new)
    cache.keep(agency_id, held)
    return held


def matching(agency_id: uuid.UUID, words: Sequence[str]) -> list[Any]:
    """The raw ids of offers whose bidder's folded name holds all the words."""
    first, *rest = (word.encode() for word in words)
    held = _names_of(agency_id)
    found = [raw for line in held.lines for raw in line.holding(first)]
    return [raw for raw in found if all(word in held.names[raw] for word in rest)] if rest else found


def _opened(agency_id: uuid.UUID, which: ColumnElement[bool]) -> Iterator[tuple[Any, bytes]]:
    opened = keyring().opener(agency_id, "offer_key", "name")
    columns = (raw_id(OfferKey.offer_id), OfferKey.kek_id, OfferKey.wrapped, OfferKey.name_ct)
    rows = db.session.connection().execute(select(*columns).where(which).execution_options(yield_per=2000))
    for raw, kek_id, wrapped, name_ct in rows:
        name = opened(hex_of(raw), kek_id, wrapped, name_ct)
        yield raw, name if _FOLDED.fullmatch(name) else fold(name.decode()).encode()
