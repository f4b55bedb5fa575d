"""Counts in memory: right, forgotten when their time is over, and no thread for it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import time_machine
from limits import parse
from limits.strategies import FixedWindowRateLimiter

from app.web.windows import Windows


def test_a_window_begins_with_its_first_call_and_ends_as_a_whole() -> None:
    limiter, rate = FixedWindowRateLimiter(Windows()), parse("3/minute")
    with time_machine.travel(datetime(2026, 11, 28, tzinfo=UTC), tick=False) as clock:
        assert [limiter.hit(rate, "ana") for _ in range(4)] == [True, True, True, False]
        assert limiter.test(rate, "ion") and not limiter.test(rate, "ana")
        clock.shift(timedelta(seconds=59))
        assert not limiter.hit(rate, "ana") and limiter.hit(rate, "ion")
        assert limiter.get_window_stats(rate, "ana").reset_time == datetime(2026, 11, 28, 0, 1, tzinfo=UTC).timestamp()
        clock.shift(timedelta(seconds=1))
        assert limiter.test(rate, "ana") and limiter.hit(rate, "ana")
        limiter.clear(rate, "ana")
        assert limiter.storage.get(rate.key_for("ana")) == 0


def test_what_has_ended_goes_while_others_come() -> None:
    counts = Windows()
    with time_machine.travel(datetime(2026, 11, 28, tzinfo=UTC), tick=False) as clock:
        for number in range(100):
            counts.incr(f"long {number}", 3600)
        for number in range(1000):
            counts.incr(f"short {number}", 60)
        clock.shift(timedelta(seconds=61))
        for number in range(700):
            counts.incr(f"new {number}", 60)
        assert counts.reset() == 800
    assert counts.reset() == 0


def test_counting_starts_no_thread_and_loses_no_call() -> None:
    counts, before = Windows(), threading.active_count()
    threads = [threading.Thread(target=lambda: [counts.incr("one", 60) for _ in range(2000)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts.get("one") == 8000 and threading.active_count() == before
