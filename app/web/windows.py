"""The counts of one process: fixed windows in memory, without a thread.

The library's own store in memory starts a thread every ten milliseconds in which something is counted, and that thread
walks through all counts: it cost more than the page. Here each new count looks at two old ones.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from threading import Lock

from limits.storage import Storage


class Windows(Storage):
    """For `limits`' strategy of fixed windows."""

    base_exceptions = ValueError

    def __init__(self) -> None:
        super().__init__()
        self._held: OrderedDict[str, tuple[int, float]] = OrderedDict()  # count, and when its window ends (Unix time)
        self._lock = Lock()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        at = time.time()
        with self._lock:
            count, ends = self._held.get(key, (0, 0.0))
            if ends <= at:
                self._tidy(at)
                count, ends = 0, at + expiry
            self._held[key] = count + amount, ends
        return count + amount

    def _tidy(self, at: float) -> None:
        """Two leave for one that comes, or wait behind it: the ended are never more than those that still count."""
        for _ in range(min(2, len(self._held))):
            key, held = self._held.popitem(last=False)
            if held[1] > at:
                self._held[key] = held

    def get(self, key: str) -> int:
        count, ends = self._held.get(key, (0, 0.0))
        return count if ends > time.time() else 0

    def get_expiry(self, key: str) -> float:
        return self._held.get(key, (0, time.time()))[1]

    def clear(self, key: str) -> None:
        with self._lock:
            self._held.pop(key, None)

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with self._lock:
            held = len(self._held)
            self._held.clear()
        return held
