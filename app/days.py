"""A day as people write it, in figures or with the month's name, Romanian or English."""

from __future__ import annotations

import re
import unicodedata
from datetime import date

from app.numbers import whole

MONTHS = (
    ("ianuarie", "january"), ("februarie", "february"), ("martie", "march"), ("aprilie", "april"), ("mai", "may"),
    ("iunie", "june"), ("iulie", "july"), ("august",), ("septembrie", "september"), ("octombrie", "october"),
    ("noiembrie", "november"), ("decembrie", "december"),
)  # fmt: skip
SHORT = {"ian": 1, "jan": 1, "iun": 6, "jun": 6, "iul": 7, "jul": 7, "sept": 9, "noi": 11}
_YEAR_FIRST = re.compile(r"(\d{4})([-/.])(\d{1,2})\2(\d{1,2})", re.ASCII)
_DAY_FIRST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})", re.ASCII)
_DAY_NAMED = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?[ .-]*([a-z]{3,10})[ .,-]*(\d{4})", re.ASCII)
_NAME_FIRST = re.compile(r"([a-z]{3,10})[ .]*(\d{1,2})(?:st|nd|rd|th)?[ ,]+(\d{4})", re.ASCII)
LONGEST = 40


class NotADay(ValueError):
    """The text is no date. `impossible`: it is written as one, of a day that no calendar has."""

    def __init__(self, text: str, *, impossible: bool = False) -> None:
        self.impossible = impossible
        super().__init__(text)


def read_day(text: str) -> date:
    """`31.12.2026`, `31. 12. 26`, `2026-12-31`, `5 decembrie 2026`, `Dec 5, 2026`; raises `NotADay`.

    The day comes before the month, as here and in most of Europe; two figures of a year are of this century.
    """
    if len(text) > LONGEST:
        raise NotADay(text)
    plain = unicodedata.normalize("NFKD", text.casefold()).strip(" .,;")
    bare = re.sub(r" ?([-/.]) ?", r"\1", " ".join(plain.split()))
    parts = _parts(bare)
    if parts is None:
        raise NotADay(text)
    try:
        return date(*parts)
    except ValueError:
        raise NotADay(text, impossible=True) from None


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
    return (whole(year), month, whole(day)) if month else None


def _month(name: str) -> int | None:
    if name in SHORT:
        return SHORT[name]
    return next(
        (at for at, names in enumerate(MONTHS, 1) if any(one == name or one[:3] == name for one in names)), None
    )
