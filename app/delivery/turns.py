"""Which of the agencies that wait is served next: the one served longest ago."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

REMEMBERED = 10_000
T = TypeVar("T")


class Turns:
    """Remembers, for one process, in which order agencies were served, and for whom a thread is at work."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: dict[uuid.UUID, int] = {}
        self._count = 0
        self._at_work: set[uuid.UUID] = set()

    def begin(self, waiting: Sequence[uuid.UUID]) -> uuid.UUID | None:
        """The next agency for which no thread is at work; call `end` when its work is done."""
        order = self.order(waiting)
        with self._lock:
            found = next((agency_id for agency_id in order if agency_id not in self._at_work), None)
            if found:
                self._at_work.add(found)
        if found:
            self.served(found)
        return found

    def end(self, agency_id: uuid.UUID) -> None:
        with self._lock:
            self._at_work.discard(agency_id)

    def order(self, waiting: Sequence[uuid.UUID]) -> list[uuid.UUID]:
        """Those who wait, the one served longest ago first; among equals as they were given."""
        with self._lock:
            return sorted(waiting, key=lambda agency_id: self._served.get(agency_id, 0))

    def served(self, agency_id: uuid.UUID) -> None:
        with self._lock:
            self._count += 1
            self._served.pop(agency_id, None)
            self._served[agency_id] = self._count
            if len(self._served) > REMEMBERED:
                del self._served[next(iter(self._served))]


def interleaved(items: Iterable[T], agency_of: Callable[[T], uuid.UUID]) -> list[T]:
    """The first of each agency, then the second of each, and so on; agencies in the order in which they appear."""
    place: Counter[uuid.UUID] = Counter()
    ranked = []
    for item in items:
        place[agency_of(item)] += 1
        ranked.append((place[agency_of(item)], item))
    return [item for _rank, item in sorted(ranked, key=lambda pair: pair[0])]
