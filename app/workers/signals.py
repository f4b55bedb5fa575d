"""How worker and relay are asked to stop."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

from app.delivery.dispatcher import stopping


def on_stop() -> threading.Event:
    """The dispatcher's own event, set by SIGTERM and SIGINT from now on. A second signal changes nothing."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ask)
    return stopping


def pause(stop: threading.Event, seconds: float) -> None:
    """Sleep, or until asked to stop. Not `stop.wait`: a handler that sets an event its own thread is just locking
    would wait for itself."""
    until = time.monotonic() + seconds
    while not stop.is_set() and (left := until - time.monotonic()) > 0:
        time.sleep(min(0.1, left))
