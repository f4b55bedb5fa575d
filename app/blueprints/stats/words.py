"""Names of stretches of time, bands and durations."""

from __future__ import annotations

from datetime import date

from flask_babel import format_date, ngettext
from flask_babel import gettext as _

from app.stats.figures import Period
from app.stats.tally import Unit

MINUTE, HOUR, DAY = 60, 3600, 86400


def period_name(period: Period, unit: Unit) -> str:
    """`23 nov. 2026`, `16 nov. 2026 – 22 nov. 2026`, `noiembrie 2026`, `2026`; a month cut off says its days."""
    if unit == "year":
        return str(period.first.year)
    if unit == "day":
        return _short(period.first)
    whole = period.first.day == 1 and (period.last - period.first).days >= 27
    if unit == "month" and whole:
        return str(format_date(period.first, "LLLL y", rebase=False))
    if period.first == period.last:
        return _short(period.first)
    return f"{_short(period.first)} – {_short(period.last)}"


def _short(day: date) -> str:
    return str(format_date(day, "d MMM y", rebase=False))


def band_name(low: int | None, high: int | None) -> str:
    if low is None:
        return str(_("under %(percent)d%%", percent=high))
    if high is None:
        return str(_("%(percent)d%% and over", percent=low))
    return f"{low}–{high}%"


def duration(seconds: int | None) -> str:
    """`12 minutes`, `5 hours` or `3 days`, rounded; a dash for none."""
    if seconds is None:
        return "–"
    if seconds < HOUR:
        return str(ngettext("%(num)d minute", "%(num)d minutes", round(seconds / MINUTE)))
    if seconds < 2 * DAY:
        return str(ngettext("%(num)d hour", "%(num)d hours", round(seconds / HOUR)))
    return str(ngettext("%(num)d day", "%(num)d days", round(seconds / DAY)))
