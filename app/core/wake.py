"""Wakes a worker when something is due. A lost message costs seconds, never a delivery, since the relay also looks."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import redis
import structlog
from flask import current_app
from limits import RateLimitItem
from rq import Queue
from rq.serializers import JSONSerializer

QUEUE = "bidflux"
AWAKE = "bidflux:awake"
AWAKE_MS = 1000
Count = tuple[RateLimitItem, tuple[str, ...]]  # a rate, and the names of what is counted against it
DISPATCH = "app.delivery.dispatcher.dispatch"
QUIET_SECONDS = 5.0

log = structlog.get_logger(__name__)


class Waker:
    """Wakes the worker through Valkey; after a failure not again for five seconds, so that no request waits."""

    def __init__(self, url: str) -> None:
        self.connection = redis.Redis.from_url(url, socket_connect_timeout=0.25, socket_timeout=1.0)
        self.queue = Queue(QUEUE, connection=self.connection, serializer=JSONSerializer)
        self._quiet_until = 0.0

    def wake(self, ring: Callable[[], bool] | None = None) -> bool:
        """Enqueue one job unless one is already waiting; return False when Valkey is away.

        `ring` sets AWAKE together with something else, and says whether it was not set before.
        """
        if time.monotonic() < self._quiet_until:
            if ring:
                ring()
            return False
        try:
            if ring() if ring else self.connection.set(AWAKE, 1, nx=True, px=AWAKE_MS):
                self.queue.enqueue(DISPATCH, result_ttl=0, failure_ttl=3600, job_timeout=120)
        except redis.RedisError as error:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            log.warning("queue_away", error=type(error).__name__)
            return False
        return True

    def answered(self) -> None:
        """The job has begun: what is committed from now on needs a new one."""
        try:
            self.connection.delete(AWAKE)
        except redis.RedisError as error:
            log.warning("queue_away", error=type(error).__name__)


def waker() -> Waker:
    found: Waker = current_app.extensions["bidflux_waker"]
    return found


def wake(counts: Sequence[Count] = ()) -> bool:
    """Called once after each commit that owes something; `counts` go up by one in the same round trip."""
    if not counts:
        return waker().wake()
    counter: Any = current_app.extensions["bidflux_counter"]
    return waker().wake(partial(counter.add, counts, bell=AWAKE))
