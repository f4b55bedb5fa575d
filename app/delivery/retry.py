"""When a delivery that failed is tried again."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

GIVE_UP = timedelta(hours=24)
FEWEST = 3  # tries before giving up, however old the delivery: the outage may have been ours
STEPS = (5, 15, 60, 300, 900, 1800, 3600)  # seconds
AWAY_LEAST, AWAY_MOST, AWAY_SHARE = 5.0, 900.0, 0.15


def _spread(seconds: float) -> timedelta:
    """±20%, so that what failed together does not come back together."""
    return timedelta(seconds=seconds * random.uniform(0.8, 1.2))  # noqa: S311  # nosec B311


def next_try(created: datetime, now: datetime, attempts: int) -> datetime | None:
    """After a refusal for now (SMTP 4xx) or a broken conversation: 5 s, growing to an hour, a last try at 24 hours."""
    if now - created >= GIVE_UP and attempts >= FEWEST:
        return None
    due = now + _spread(STEPS[min(attempts, len(STEPS)) - 1])
    last = created + GIVE_UP
    return min(due, last) if now < last else due


def next_try_away(created: datetime, now: datetime, attempts: int) -> datetime | None:
    """While the server cannot be reached at all: a share of the delivery's age, so that a young one leaves within
    half a minute of the server's return and a whole day costs some hundred tries."""
    if now - created >= GIVE_UP and attempts >= FEWEST:
        return None
    age = (now - created).total_seconds()
    return now + _spread(min(max(AWAY_LEAST, age * AWAY_SHARE), AWAY_MOST))
