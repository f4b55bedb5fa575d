"""Reading feeds that are due: threads of the relay's own, so that a slow feed never keeps a mail waiting."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Sequence

import structlog
from flask import Flask

from app.core.faults import report
from app.delivery.turns import Turns
from app.feeds import editing as feeds
from app.feeds import tries
from app.feeds.runs import run
from app.models import PropertyFeed
from app.workers.signals import pause

EVERY_SECONDS = 15.0
TRIES_EVERY = 1.0  # somebody looks at the page
THREADS = 3  # of each kind; of one agency one feed at a time is read, so that no other waits for all of its

log = structlog.get_logger(__name__)
_reading, _trying = Turns(), Turns()


def read_due_feeds(stop: threading.Event | None = None) -> int:
    """Read what is due, one feed after the other, agencies taking turns; how many were."""
    return _in_turn(feeds.waiting, feeds.take, run, _reading, stop)


def try_due_feeds(stop: threading.Event | None = None) -> int:
    """Try out what was asked for, one feed after the other, agencies taking turns; how many were."""
    return _in_turn(tries.waiting, tries.take, tries.run, _trying, stop)


def _in_turn(
    waiting: Callable[[], Sequence[uuid.UUID]],
    take: Callable[[uuid.UUID], PropertyFeed | None],
    work: Callable[[PropertyFeed], object],
    turns: Turns,
    stop: threading.Event | None,
) -> int:
    done = 0
    while not (stop and stop.is_set()):
        order = turns.order(waiting())
        feed = next(filter(None, map(take, order)), None)
        if feed is None:
            break
        feed_id = str(feed.id)
        turns.served(feed.agency_id)
        try:
            work(feed)
        except Exception as fault:
            log.error("feed_failed", feed=feed_id, fault=type(fault).__name__)
            report(fault)
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
                report(fault)
            pause(stop, every)

    thread = threading.Thread(target=look, name=name, daemon=True)
    thread.start()
    return thread
