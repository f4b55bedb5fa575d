"""Money: an exact number of minor units with a currency, read the way people type it.

Babel reads `120000.50` in Romanian as 12,000,050 and `120.000` in English as 120, so the reading is ours. Both
customs are accepted in both languages; what could be a thousand times off is asked about, never guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

MAX_MINOR = 10**13  # a hundred billion: beyond any property, far below 2^53
NBSP = "\u00a0"
_SPACES = re.compile(r"[\s\u00a0\u202f\u2009']+")
_CURRENCY = re.compile(r"(?i)^(?:€|eur|euro|ron|lei|leu)?\s*(.*?)\s*(?:€|eur|euro|ron|lei|leu|,-|\.-)?$")
_SHORT = re.compile(r"(?ia)^(\d+(?:[.,]\d{1,2})?)(k|mii|mil\.?|milioane|m)$")
_GROUPED = re.compile(r"^\d{1,3}(?:([.,])\d{3})(?:\1\d{3})*(?:([.,])(\d{1,2}))?$", re.ASCII)
_PLAIN = re.compile(r"^(\d+)(?:[.,](\d{1,2}))?$", re.ASCII)


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
    stripped = _CURRENCY.match(text.strip())
    compact = _SPACES.sub(" ", stripped.group(1) if stripped else text).strip()
    if not compact or len(compact) > 40:
        raise NotMoney(text)
    if short := _SHORT.match(compact.replace(" ", "")):
        factor = 1_000 if short.group(2).lower() in {"k", "mii"} else 1_000_000
        return _checked(int(Decimal(short.group(1).replace(",", ".")) * 100 * factor))
    compact = _join_spaced(compact)
    if plain := _PLAIN.match(compact):
        return _checked(int(plain.group(1)) * 100 + _cents(plain.group(2)))
    grouped = _GROUPED.match(compact)
    if not grouped or grouped.group(1) == grouped.group(2):
        raise NotMoney(text)
    whole, cents = compact, grouped.group(3)
    if cents:
        whole = compact[: -len(cents) - 1]
    minor = int(re.sub(r"[.,]", "", whole)) * 100 + _cents(cents)
    # "1.250" or "125,000": one group and no cents could be decimals with a zero too many.
    lone = not cents and len(re.findall(r"[.,]", whole)) == 1
    return _checked(minor, minor // 1000 if lone and "," in whole else None)


def _join_spaced(text: str) -> str:
    """Drop the spaces of `125 000` and of `1 250 000,50`; refuse them anywhere else."""
    if " " not in text:
        return text
    if not re.fullmatch(r"\d{1,3}(?: \d{3})+(?:[.,]\d{1,2})?", text, re.ASCII):
        raise NotMoney(text)
    return text.replace(" ", "")


def _cents(digits: str | None) -> int:
    return int((digits or "0").ljust(2, "0"))


def _checked(minor: int, other: int | None = None) -> Reading:
    if minor > MAX_MINOR:
        raise NotMoney("too large")
    return Reading(minor, other)


def from_decimal_text(text: str) -> int:
    """Minor units of an API decimal string, exactly `\\d+(\\.\\d{1,2})?`; raise `NotMoney`."""
    if not (match := re.fullmatch(r"(\d{1,12})(?:\.(\d{1,2}))?", text, re.ASCII)):
        raise NotMoney(text)
    return _checked(int(match.group(1)) * 100 + _cents(match.group(2))).minor


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
