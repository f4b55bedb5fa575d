"""A day as people write it, in figures or with the month's name in one of our languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date

from babel.dates import get_day_names, get_month_names

from app.core.language import LANGUAGES
from app.core.limits import DAY
from app.core.numbers import whole


def _plain(text: str) -> str:
    """In small letters without marks."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _in_each_language(names: Callable[..., Mapping[int, str]], numbers: range) -> list[set[str]]:
    found = [names("wide", locale=code) for code in LANGUAGES]
    return [{_plain(each[number]) for each in found} for number in numbers]


MONTHS = _in_each_language(get_month_names, range(1, 13))
_WEEKDAYS = _in_each_language(get_day_names, range(7))
_ROMAN = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_NAMED = re.compile(r"([a-z]{3,10})[ .,]+(.*)", re.ASCII | re.DOTALL)
_DASHES = dict.fromkeys(range(0x2010, 0x2016), "-") | {0x2212: "-"}
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_DAY_NAMED = re.compile(
    r"(?:the )?(\d{1,2})(?:st|nd|rd|th|-a)?[ ./-]*(?:of )?([a-z]{1,10})[ .,/-]*(\d{4}|(?<!\d)'?\d{2})", re.ASCII
)
_NAME_FIRST = re.compile(r"([a-z]{3,10})[ ./-]*(\d{1,2})(?:st|nd|rd|th)?[ ,/-]+(\d{4})", re.ASCII)


class NotADay(ValueError):
    """The text is no date. `impossible`: it is written as one, of a day that no calendar has."""

    def __init__(self, text: str, *, impossible: bool = False) -> None:
        self.impossible = impossible
        super().__init__(text)


def read_day(text: str) -> date:
    """`31.12.2026`, `31. 12. 26`, `2026-12-31`, `sâmbătă, 5 dec. 2026`, `5.XII.2026`, `Dec 5, 2026`; raises `NotADay`.

    The day comes before the month, as here and in most of Europe; two figures of a year are of this century.
    """
    if len(text) > DAY:
        raise NotADay(text)
    plain = _plain(text.translate(_DASHES)).replace("’", "'").strip(" .,;")
    bare = re.sub(r" ?([-/.]) ?", r"\1", " ".join(plain.split()))
    weekday, bare = _weekday(bare)
    parts = _parts(bare)
    if parts is None:
        raise NotADay(text)
    try:
        day = date(*parts)
    except ValueError:
        raise NotADay(text, impossible=True) from None
    if weekday not in {None, day.weekday()}:
        raise NotADay(text, impossible=True)
    return day


def _weekday(bare: str) -> tuple[int | None, str]:
    """The day of the week that a date begins with, and the rest. `mar` is rather the month."""
    if (found := _NAMED.fullmatch(bare)) and (found[1] == "marti" or not _month(found[1])):
        for at, names in enumerate(_WEEKDAYS):
            if any(month.startswith(found[1]) for month in names):
                return at, found[2]
    return None, bare


def _parts(bare: str) -> tuple[int, int, int] | None:
    """Year, month and day, each within what its figures can say."""
    if found := _YEAR_FIRST.fullmatch(bare):
        return whole(found[1]), whole(found[3]), whole(found[4])
    if found := _DAY_FIRST.fullmatch(bare):
        return whole(found[4]) + (2000 if len(found[4]) == 2 else 0), whole(found[3]), whole(found[1])
    if found := _DAY_NAMED.fullmatch(bare):
        day, name, year = found.groups()
    elif found := _NAME_FIRST.fullmatch(bare):
        name, day, year = found.groups()
    else:
        return None
    month = _month(name)
    return (whole(year.lstrip("'")) + (2000 if len(year) < 4 else 0), month, whole(day)) if month else None


def _month(name: str) -> int | None:
    """By its name, by three or more of its first letters, which are no other's, or by its Roman number."""
    if name in _ROMAN:
        return _ROMAN.index(name) + 1
    if len(name) < 3:
        return None
    return next((at for at, names in enumerate(MONTHS, 1) if any(month.startswith(name) for month in names)), None)
