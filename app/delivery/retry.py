"""When a delivery that failed is tried again: one schedule for each kind."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from app.core.numbers import whole

DAY = timedelta(hours=24)
SPREAD = 0.2  # so that what failed together does not come back together
FEWEST = 3  # tries of a mail before giving up, however old it is: the outage may have been ours
AWAY_LEAST, AWAY_MOST, AWAY_SHARE = 5.0, 900.0, 0.15


@dataclass(frozen=True, slots=True)
class Schedule:
    """Seconds from each failure to the next try. With `last`, the final step goes on until a delivery is that old, and
    one last try is made then; without, tries end with the steps."""

    steps: tuple[int, ...]
    last: timedelta | None = None


MAIL = Schedule((5, 15, 60, 300, 900, 1800, 3600), last=DAY)
SCHEDULES = {
    "mail": MAIL,
    "receipt": MAIL,
    "webhook": Schedule((5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)),
}


def next_try(
    kind: str, created: datetime, at: datetime, tries: int, *, retry_after: str | None = None
) -> datetime | None:
    """When a delivery that failed for the `tries`-th time is tried again: never sooner than the receiver asked for,
    which may ask for a day. None to give up."""
    schedule = SCHEDULES[kind]
    if schedule.last is None and tries > len(schedule.steps):
        return None
    if schedule.last and at - created >= schedule.last and tries >= FEWEST:
        return None
    wait = _spread(schedule.steps[min(tries, len(schedule.steps)) - 1])
    due = at + min(max(wait, _asked(retry_after, at)), max(wait, DAY))
    end = created + schedule.last if schedule.last else None
    return min(due, end) if end and at < end else due


def next_try_away(created: datetime, at: datetime, tries: int) -> datetime | None:
    """While the mail server cannot be reached at all: a share of the delivery's age, so that a young one leaves within
    half a minute of the server's return and a whole day costs some hundred tries."""
    if at - created >= DAY and tries >= FEWEST:
        return None
    age = (at - created).total_seconds()
    return at + _spread(min(max(AWAY_LEAST, age * AWAY_SHARE), AWAY_MOST))


def _spread(seconds: float) -> timedelta:
    return timedelta(seconds=seconds * random.uniform(1 - SPREAD, 1 + SPREAD))  # noqa: S311  # nosec B311


def _asked(text: str | None, at: datetime) -> timedelta:
    """`Retry-After` (RFC 9110, section 10.2.3), at most a day; nothing for what cannot be read."""
    if not text:
        return timedelta(0)
    try:
        if (digits := text.strip()).isdecimal():
            return min(timedelta(seconds=whole(digits[:9])), DAY)
        moment = parsedate_to_datetime(text[:100])
    except (TypeError, ValueError, LookupError, OverflowError):
        return timedelta(0)
    return min(max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - at, timedelta(0)), DAY)
