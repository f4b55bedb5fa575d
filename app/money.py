"""Money: an exact number of minor units with a currency, read the way people type it.

Babel reads `120000.50` in Romanian as 12,000,050 and `120.000` in English as 120, so the reading is ours. Both
customs are accepted in both languages; what could be a thousand times off is asked about, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from app.numbers import NotANumber, decimal, whole

MAX_MINOR = 10**13  # a hundred billion: beyond any property, far below 2^53
NBSP = "\u00a0"
LONGEST = 60  # characters of an amount as typed, its spaces run together
_BEFORE = ("euro", "eur", "€", "ron", "lei", "leu")
_AFTER = (*_BEFORE, ",-", ".-")
_SHORT = re.compile(r"(?ia)(\d{1,12}(?:[.,]\d{1,2})?)(k|mii|mil\.?|milioane|m)")
_GROUPED = re.compile(r"\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*(?:([.,])(\d{1,2}))?", re.ASCII)
_SPACED = re.compile(r"\d{1,3}(?: \d{3})+(?:[.,]\d{1,2})?", re.ASCII)
_PLAIN = re.compile(r"(\d{1,15})(?:[.,](\d{1,2}))?", re.ASCII)
_DECIMAL = re.compile(r"(\d{1,12})(?:\.(\d{1,2}))?", re.ASCII)


class NotMoney(ValueError):
    """The text is not an amount."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """`minor` hundredths of `currency` (EUR or RON)."""

    minor: int
    currency: str

    @property
    def decimal(self) -> Decimal:
        return Decimal(self.minor).scaleb(-2)

    @property
    def text(self) -> str:
        """The decimal string of the API: `125000.50`."""
        return decimal_text(self.minor)


def decimal_text(minor: int) -> str:
    """`125000.50` of 12500050."""
    return f"{minor // 100}.{minor % 100:02d}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text means as an amount; `other` is a second meaning a thousand times away, when there is one."""

    minor: int
    other: int | None = None


def read_amount(text: str) -> Reading:
    """Read an amount typed by a person; raise `NotMoney`.

    >>> read_amount("125.000").minor, read_amount("125 000,50").minor, read_amount("125,000.50").minor
    (12500000, 12500050, 12500050)
    """
    compact = _without_currency(" ".join(text.replace("'", " ").split()))
    if not compact:
        raise NotMoney(text)
    if short := _SHORT.fullmatch(compact.replace(" ", "")):
        factor = 1_000 if short.group(2).lower() in {"k", "mii"} else 1_000_000
        return _checked(int(decimal(short.group(1).replace(",", ".")) * 100 * factor))
    compact = _join_spaced(compact)
    if plain := _PLAIN.fullmatch(compact):
        return _checked(whole(plain.group(1)) * 100 + _cents(plain.group(2)))
    grouped = _GROUPED.fullmatch(compact)
    if not grouped or grouped.group(1) == grouped.group(2):
        raise NotMoney(text)
    digits, cents = compact, grouped.group(3)
    if cents:
        digits = compact[: -len(cents) - 1]
    groups = digits.replace(",", ".").split(".")
    try:
        minor = whole("".join(groups)) * 100 + _cents(cents)
    except NotANumber:
        raise NotMoney(text) from None
    # "1.250" or "125,000": one group and no cents could be decimals with a zero too many.
    lone = not cents and len(groups) == 2
    return _checked(minor, minor // 1000 if lone and "," in digits else None)


def _without_currency(text: str) -> str:
    """The amount alone, of a text on one line; raises `NotMoney` where there is more than any amount has."""
    if len(text) > LONGEST:
        raise NotMoney("too long")
    low = text.lower()  # as long as `text` is, or the text is no amount
    before = next((word for word in _BEFORE if low.startswith(word)), "")
    after = next((word for word in _AFTER if low.endswith(word) and len(low) > len(before)), "")
    return text[len(before) : len(text) - len(after)].strip()


def _join_spaced(text: str) -> str:
    """Drop the spaces of `125 000` and of `1 250 000,50`; refuse them anywhere else."""
    if " " not in text:
        return text
    if not _SPACED.fullmatch(text):
        raise NotMoney(text)
    return text.replace(" ", "")


def _cents(digits: str | None) -> int:
    return whole((digits or "0").ljust(2, "0"))


def _checked(minor: int, other: int | None = None) -> Reading:
    if minor > MAX_MINOR:
        raise NotMoney("too large")
    return Reading(minor, other)


def from_decimal_text(text: str) -> int:
    """Minor units of an API decimal string, exactly `\\d+(\\.\\d{1,2})?`; raise `NotMoney`."""
    if not (match := _DECIMAL.fullmatch(text)):
        raise NotMoney(text)
    return _checked(whole(match.group(1)) * 100 + _cents(match.group(2))).minor


def show(money: Money, language: str) -> str:
    """`125.000,50 EUR` or `EUR 125,000.50`, whole amounts without cents, never broken over a line."""
    whole, cents = divmod(money.minor, 100)
    english = language == "en"
    digits = f"{whole:,}" if english else f"{whole:,}".replace(",", ".")
    if cents:
        digits += f"{'.' if english else ','}{cents:02d}"
    return f"{money.currency}{NBSP}{digits}" if english else f"{digits}{NBSP}{money.currency}"


def percent(part: int, whole: int, language: str) -> str:
    """`96,5%` of two amounts in minor units."""
    value = f"{part * 100 / whole:.1f}".removesuffix(".0")
    return (value if language == "en" else value.replace(".", ",")) + "%"
