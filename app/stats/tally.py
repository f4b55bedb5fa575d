"""Counts offers: medians, stretches of time, bands against the asking price. Pure functions, no database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

Unit = Literal["day", "week", "month", "year"]
# At most this many days are shown in each unit; beyond the last one, by year.
LONGEST: tuple[tuple[Unit, int], ...] = (("day", 45), ("week", 200), ("month", 1830))
# Percent of the asking price, each from its lower limit on and under its upper one.
BANDS: tuple[tuple[int | None, int | None], ...] = ((None, 90), (90, 95), (95, 100), (100, 105), (105, None))


def median(values: Iterable[int]) -> int | None:
    """The middle value, or the mean of the two in the middle, halves rounded up; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return (low + high + 1) // 2


def unit_for(first: date, last: date) -> Unit:
    """In which unit so long a time is told."""
    days = (last - first).days + 1
    return next((unit for unit, longest in LONGEST if days <= longest), "year")


def periods(first: date, last: date, unit: Unit) -> list[tuple[date, date]]:
    """The time from `first` to `last`, both included, cut where a unit begins: weeks on Mondays."""
    found = []
    while first <= last:
        end = min(_end(first, unit), last)
        found.append((first, end))
        first = end + timedelta(days=1)
    return found


def _end(day: date, unit: Unit) -> date:
    """The last day of the unit in which this day is."""
    if unit == "day":
        return day
    if unit == "week":
        return day + timedelta(days=6 - day.weekday())
    if unit == "year":
        return date(day.year, 12, 31)
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def band(amount: int, asking: int) -> int:
    """Which of `BANDS` an amount is in, both in minor units of one currency; exact, without fractions."""
    return next(n for n, (_low, high) in enumerate(BANDS) if high is None or amount * 100 < asking * high)
