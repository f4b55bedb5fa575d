"""Counting calls with `limits`: shared through Valkey, per process while Valkey is away."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from flask import current_app
from limits import RateLimitItem
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from redis import RedisError

from app.core.errors import TooMany
from app.core.wake import AWAKE_MS, Count
from app.web.windows import Windows

QUIET_SECONDS = 5.0
_ADD = """
for i = 1, #KEYS - 1 do
    if redis.call('INCR', KEYS[i]) == 1 then redis.call('EXPIRE', KEYS[i], ARGV[i]) end
end
if redis.call('SET', KEYS[#KEYS], 1, 'NX', 'PX', ARGV[#ARGV]) then return 1 end
return 0
"""
T = TypeVar("T")
log = structlog.get_logger(__name__)


class Counter:
    """`local` counts in this process, `shared` over all of them."""

    def __init__(self, url: str) -> None:
        options = {"socket_connect_timeout": 0.25, "socket_timeout": 0.5}
        self.local = FixedWindowRateLimiter(Windows())
        storage: Any = storage_from_string(url, wrap_exceptions=True, **options)
        self._shared = FixedWindowRateLimiter(storage)
        self._add = storage.get_connection().register_script(_ADD)
        self._quiet_until = 0.0

    def shared(self, rate: RateLimitItem, *names: str) -> bool:
        """Count, and say whether it was within the rate."""
        return self._counted(lambda limiter: limiter.hit(rate, *names))

    def have_room(self, counts: Sequence[Count]) -> list[bool]:
        """Whether one more would be within each rate; nothing is counted. One round trip."""

        def rooms(limiter: FixedWindowRateLimiter) -> list[bool]:
            keys = [rate.key_for(*names) for rate, names in counts]
            if limiter is self.local:
                held = [limiter.storage.get(key) for key in keys]
            else:
                storage: Any = limiter.storage
                held = storage.get_connection().mget([storage.prefixed_key(key) for key in keys])
            return [int(n or 0) < rate.amount for n, (rate, _names) in zip(held, counts, strict=True)]

        return self._counted(rooms)

    def add(self, counts: Sequence[Count], *, bell: str) -> bool:
        """Count one against each, within its rate or not, and set a bell that may hang there: whether it was not set
        before. One round trip."""

        def added(limiter: FixedWindowRateLimiter) -> bool:
            storage: Any = limiter.storage
            if limiter is self.local:
                for rate, names in counts:
                    storage.incr(rate.key_for(*names), rate.get_expiry())
                return False
            keys = [storage.prefixed_key(rate.key_for(*names)) for rate, names in counts]
            return bool(self._add([*keys, bell], [*(rate.get_expiry() for rate, _names in counts), AWAKE_MS]))

        return self._counted(added)

    def spend(self, rate: RateLimitItem, *names: str) -> LimitState:
        """Count, and say what is left."""
        return self._counted(lambda limiter: _spent(limiter.storage, rate, names))

    def forget(self, rate: RateLimitItem, *names: str) -> None:
        """As if nothing had been counted."""
        self.local.clear(rate, *names)
        self._counted(lambda limiter: limiter.clear(rate, *names))

    def _counted(self, ask: Callable[[FixedWindowRateLimiter], T]) -> T:
        """Counted in Valkey; for five seconds after a failure in this process, so that limits hold and no request
        waits."""
        if time.monotonic() >= self._quiet_until:
            try:
                return ask(self._shared)
            except (StorageError, RedisError) as error:
                self._quiet_until = time.monotonic() + QUIET_SECONDS
                log.warning("limits_local", error=type(error).__name__)
        return ask(self.local)


@dataclass(frozen=True, slots=True)
class LimitState:
    """A limit after a call: exceeded or not, calls left, seconds until it is reset."""

    rate: RateLimitItem
    over: bool
    remaining: int
    reset: int


def _spent(storage: Any, rate: RateLimitItem, names: tuple[str, ...]) -> LimitState:
    """One call more in a fixed window, which begins with its first call. The library's own window statistics would ask
    Valkey a third time for the count that `incr` has just told."""
    key = rate.key_for(*names)
    count = storage.incr(key, rate.get_expiry())
    reset = storage.get_expiry(key)
    return LimitState(rate, count > rate.amount, max(0, rate.amount - count), max(1, round(reset - time.time())))


def keyed(value: str) -> str:
    """A name for something personal in limiter keys: a keyed hash, never the thing itself."""
    secret = current_app.config["SECRET_KEY"].encode()
    return hmac.digest(secret, b"limit\0" + value.encode("utf-8", "replace"), hashlib.sha256)[:12].hex()


def spend(rate: RateLimitItem, *names: str) -> LimitState:
    """Count one call against a rate over all processes, and say where it stands."""
    counter: Counter = current_app.extensions["bidflux_counter"]
    return counter.spend(rate, *names)


def hit(rates: tuple[RateLimitItem, ...], *names: str, shared: bool = True) -> None:
    """Count one call against each rate; raise `TooMany` past one."""
    counter: Counter = current_app.extensions["bidflux_counter"]
    count = counter.shared if shared else counter.local.hit
    for rate in rates:
        if not count(rate, *names):
            raise TooMany(rate.get_expiry())


def forget(rates: tuple[RateLimitItem, ...], *names: str) -> None:
    """Reset the count."""
    counter: Counter = current_app.extensions["bidflux_counter"]
    for rate in rates:
        counter.forget(rate, *names)


def have_room(counts: Sequence[Count]) -> list[bool]:
    """Whether one more call would be within each rate; nothing is counted."""
    counter: Counter = current_app.extensions["bidflux_counter"]
    return counter.have_room(counts)
