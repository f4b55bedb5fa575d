"""Reading feeds that are due: a thread of the relay's own, so that a slow feed never keeps a mail waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog
from flask import Flask

from app.jobs.signals import pause
from app.services import feeds
from app.services.feed_runs import run

EVERY_SECONDS = 15.0

log = structlog.get_logger(__name__)


def read_due_feeds(stop: threading.Event | None = None) -> int:
    """Read what is due, one feed after the other; how many were."""
    done = 0
    while not (stop and stop.is_set()) and (feed := feeds.take_due()) is not None:
        feed_id = str(feed.id)
        try:
            run(feed)
        except Exception as fault:
            log.error("feed_failed", feed=feed_id, fault=type(fault).__name__)
        done += 1
    return done


def watch(
    app: Flask,
    stop: threading.Event,
    name: str,
    work: Callable[[threading.Event], int],
    every: float = EVERY_SECONDS,
) -> threading.Thread:
    """A thread that does what is due every so many seconds, until `stop`."""

    def look() -> None:
        while not stop.is_set():
            try:
                with app.app_context():
                    work(stop)
            except Exception as fault:
                log.error(f"{name}_failed", fault=type(fault).__name__)
            pause(stop, every)

    thread = threading.Thread(target=look, name=name, daemon=True)
    thread.start()
    return thread
