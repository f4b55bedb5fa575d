"""Times as people write them: local time of an agency's zone, to the minute.

Once a year a stretch of that clock comes twice, and once it is left out. What was typed there is asked about.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from flask_babel import format_datetime
from flask_babel import gettext as _

from app.core.days import read_day
from app.core.numbers import whole
from app.core.questions import Meaning, Question

LOCAL = "%Y-%m-%dT%H:%M"
LONGEST = 60
_WRITTEN = re.compile(r"(.*?[^\s,])(?:T|,?\s(?:ora |orele |at )?)(\d{1,2})[:.](\d{2})(?::(\d{2}))?", re.ASCII)


class NotATime(ValueError):
    """It is no date and time, or it names an offset of its own."""


def shown_in(at: datetime | None, zone: str) -> str:
    """A moment as a field shows it: its seconds are not seen, and must not be lost for that."""
    return at.astimezone(ZoneInfo(zone)).strftime(LOCAL) if at else ""


def meanings(local: datetime, zone: ZoneInfo) -> list[datetime]:
    """The moments that a naive local time names, earliest first: one, two where it comes twice, none where it is left
    out."""
    found = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sorted(at for at in found if at.astimezone(zone).replace(tzinfo=None, fold=0) == local.replace(fold=0))


def instead(local: datetime, zone: ZoneInfo) -> datetime:
    """What the clock shows at the moment at which a time that is left out would have been, had it not been moved."""
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC)


def naive(text: str) -> datetime:
    """What a field holds, or what was written in it, as a local time: a day without an hour is refused. Raises
    `NotATime`."""
    found = _WRITTEN.fullmatch(text.strip()) if len(text) <= LONGEST else None
    if not found:
        raise NotATime(text)
    try:
        hour, minute, second = (whole(part or "0") for part in found.groups()[1:])
        return datetime.combine(read_day(found[1]), time(hour, minute, second))
    except ValueError:
        raise NotATime(text) from None


def read(
    name: str, text: str, zone: str, confirmed: Collection[str], stored: datetime | None = None
) -> datetime | Question:
    """The moment in UTC that the field `name` means, or what is asked about it; raises `NotATime`.

    `stored` is the moment that the field was filled in with: left as it was shown, it stays that moment to the second.
    """
    local, here = naive(text), ZoneInfo(zone)
    if stored and local.strftime(LOCAL) == shown_in(stored, zone) and not (local.second or local.microsecond):
        return stored
    try:
        found = meanings(local, here)
    except OverflowError:  # the first or the last year there is
        raise NotATime(text) from None
    if len(found) == 1:
        return found[0]
    possible = found or [instead(local, here)]
    for at in possible:
        if _key(name, local, at) in confirmed:
            return at
    answers = [Meaning(_key(name, local, at), _said(at, here)) for at in possible]
    return _twice(local, answers) if found else _left_out(local, answers)


def _key(name: str, local: datetime, at: datetime) -> str:
    """Answers for this very time in this very field."""
    return f"{name}:{local.isoformat()}:{at.isoformat()}"


def _said(at: datetime, zone: ZoneInfo) -> str:
    """`25 octombrie 2026, 03:30 (UTC+3)`: the offset tells one from the other."""
    local = at.astimezone(zone)
    offset = local.utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset is not None else 0
    hours, rest = divmod(abs(minutes), 60)
    named = f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")
    return f"{_written(local)} ({named})"


def _written(local: datetime) -> str:
    return str(format_datetime(local, "d MMMM y, HH:mm", rebase=False))


def _twice(local: datetime, answers: list[Meaning]) -> Question:
    text = _("%(time)s comes twice: the clocks go back that night. Which one do you mean?", time=_written(local))
    first, second = answers
    return Question(
        text,
        _("The first: %(time)s", time=first.label),
        first.key,
        others=(Meaning(second.key, _("The second: %(time)s", time=second.label)),),
    )


def _left_out(local: datetime, answers: list[Meaning]) -> Question:
    text = _(
        "%(time)s does not exist: the clocks go forward that night. Do you mean what they show then?",
        time=_written(local),
    )
    return Question(text, _("Yes, %(time)s", time=answers[0].label), answers[0].key)
