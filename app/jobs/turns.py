"""Whose turn it is, where agencies wait for the same hands: the one that was served longest ago."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence

REMEMBERED = 10_000


class Turns:
    """Remembers, for one process, in which order agencies were served."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._served: dict[uuid.UUID, int] = {}
        self._count = 0

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
