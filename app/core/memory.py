"""Memory that was needed for a while goes back to the system: else a web process of many threads keeps its most.

glibc gives each thread heaps of its own and keeps what is freed in them. Elsewhere nothing is done, and nothing needed.
"""

from __future__ import annotations

import ctypes

# malloc.h: mallopt(3), malloc_trim(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
KEPT = 1024 * 1024
LARGE = 256 * 1024
ARENAS = 2


def _libc() -> ctypes.CDLL | None:
    found = ctypes.CDLL(None)
    return found if hasattr(found, "mallopt") and hasattr(found, "malloc_trim") else None


def keep_little() -> None:
    """For a process that serves: two heaps for all threads, and large blocks apart, which leave as they are freed."""
    if libc := _libc():
        for what, value in ((_ARENA_MAX, ARENAS), (_MMAP_THRESHOLD, LARGE), (_TRIM_THRESHOLD, KEPT)):
            libc.mallopt(what, value)


def give_back() -> None:
    """After something large: what is free goes back now."""
    if libc := _libc():
        libc.malloc_trim(0)
