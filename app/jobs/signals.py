"""How a job process is asked to stop."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from app.jobs.drain import stopping


def on_stop() -> threading.Event:
    """An event that SIGTERM and SIGINT set, together with the drain's own. Where there is no main thread, only that."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ask)
    return stopping
