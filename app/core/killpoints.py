"""Moments at which a process can be killed on purpose, to prove that nothing is lost when one dies there.

`BIDFLUX_KILL_FILE` names a file; the first process that passes the moment written in it removes the file and dies by
SIGKILL. Without the variable, and always in production, passing a moment does nothing.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

BEFORE_COMMIT = "before commit"
AFTER_COMMIT = "after commit, before enqueue"
AFTER_CLAIM = "after claim, before call"
AFTER_CALL = "after call, before outcome recorded"
AFTER_DATA = "after SMTP DATA"

BEFORE_SWAP = "restored beside, before swap"
AFTER_SWAP = "after swap"
BEFORE_NOTE_GONE = "restore complete, before its note is gone"

_FILE = os.environ.get("BIDFLUX_KILL_FILE") if os.environ.get("BIDFLUX_ENV") == "development" else None


def passing(point: str) -> None:
    """Die here, if somebody asked for it."""
    if _FILE:
        _die_if_asked(Path(_FILE), point)


def _die_if_asked(order: Path, point: str) -> None:
    try:
        if order.read_text() != point:
            return
        order.unlink()  # whoever removes it dies; of two processes that read it, one
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.SIGKILL)
