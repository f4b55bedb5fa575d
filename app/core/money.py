"""Money: an exact number of minor units with a currency, read the way people type it.

Babel reads `120000.50` in Romanian as 12,000,050 and `120.000` in English as 120, so the reading is ours. Both
customs are accepted in both languages; what could be a thousand times off is asked about, never guessed, and a
currency that was typed is never dropped.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from babel.core import get_global

from app.core.language import LANGUAGES
from app.core.numbers import NotANumber, whole
from app.core.typed_numbers import ASK, TypedNumber, hundredths, parts_of, read_digits

MAX_MINOR = 10**13  # a hundred billion: beyond any property, far below 2^53
NBSP = "\u00a0"
# What people call them.
CURRENCY_WORDS = {
    **dict.fromkeys(("euro", "eur", "€", "euros", "euroi"), "EUR"),
    **dict.fromkeys(("lei", "leu", "ron", "roni"), "RON"),
}
_NEW = "noi"  # lei since 2005; the old ones were ten thousand times less, and are refused
_THOUSANDS, _MILLIONS = ("k", "mii", "mie", "tsd"), ("milioane", "milion", "million", "millions", "mio")
_SHORT = ("mil", "m", "mln")  # of `milioane`, but some mean `mii`
_OTHERS = {code.lower() for code in get_global("all_currencies")} | {
    "dolari", "dolar", "dollars", "dollar", "lire", "lira", "liră", "pounds", "franci", "franc", "forinți", "forinti",
    "leva", "zloți", "zloti", "coroane", "yeni", "ruble", "us", "kč", "zł", "ft", "лв", "fr", "sfr", "rs", "kr", "quid",
    "moldovenești", "moldovenesti", "vechi",
}  # fmt: skip
_DECIMAL = re.compile(r"(\d{1,12})(?:\.(\d{1,2}))?", re.ASCII)


class NotMoney(ValueError):
    """The text is not an amount."""


class OtherCurrency(NotMoney):
    """The text names a currency that is not the one wanted; `said` is the word."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


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
class ReadAmount:
    """What a text means as an amount; `other` is a second meaning a thousand times away, when there is one.

    `currency` is the one that was typed with it, and `said` the word. What is `doubtful` is asked about.
    """

    minor: int
    other: int | None = None
    currency: str | None = None
    said: str = ""
    odd: bool = False

    @property
    def doubtful(self) -> bool:
        return self.odd or self.other is not None


def read_amount(text: str, currency: str | None = None, separators: str = ASK) -> ReadAmount:
    """Read an amount typed by a person; raise `NotMoney`, and `OtherCurrency` for a word of another than `currency`.

    >>> read_amount("125.000").minor, read_amount("125 000,50").minor, read_amount("125,000.50 lei")
    (12500000, 12500050, Reading(minor=12500050, other=None, currency='RON', said='lei', odd=False))
    """
    try:
        found = parts_of(text)
        after = [word for word in found.after if word != "de"]
        scale = after.pop(0) if after and after[0] in (*_THOUSANDS, *_MILLIONS, *_SHORT) else ""
        unit, typed_in = _currency((*found.before, *after), currency)
        typed = _scaled(read_digits(found.digits, separators, sure="" if scale else "."), scale)
        minor = hundredths(typed.value)
    except NotANumber:
        raise NotMoney(text) from None
    if minor > MAX_MINOR:
        raise NotMoney("too large")
    return ReadAmount(minor, int(typed.other * 100) if typed.other is not None else None, typed_in, unit, typed.odd)


def _scaled(typed: TypedNumber, scale: str) -> TypedNumber:
    if not scale:
        return typed
    if typed.other is not None:  # `1,250 milioane` is rather one and a quarter
        typed = TypedNumber(typed.other, typed.value)
    return typed.times(1_000 if scale in _THOUSANDS else 1_000_000, unsure=scale in _SHORT)


def _currency(words: tuple[str, ...], wanted: str | None) -> tuple[str, str | None]:
    """The word for a currency among those around an amount, and its code; raises when there is anything else."""
    named = [
        word for at, word in enumerate(words) if word != _NEW or not at or CURRENCY_WORDS.get(words[at - 1]) != "RON"
    ]
    for word in named:
        code = CURRENCY_WORDS.get(word)
        if (code and wanted not in {None, code}) or (not code and _is_another(word)):
            raise OtherCurrency(word)
    if not all(word in CURRENCY_WORDS for word in named):
        raise NotANumber
    codes = {CURRENCY_WORDS[word] for word in named}
    if len(codes) > 1:
        raise OtherCurrency(named[-1])
    return (named[-1], codes.pop()) if codes else ("", None)


def names_a_currency(word: str) -> bool:
    """Whether a word, in small letters, is what some currency is called."""
    return word in CURRENCY_WORDS or _is_another(word)


def _is_another(word: str) -> bool:
    return word in _OTHERS or unicodedata.category(word[0]) == "Sc"


def from_decimal_text(text: str) -> int:
    """Minor units of an API decimal string, exactly `\\d+(\\.\\d{1,2})?`; raise `NotMoney`."""
    if not (match := _DECIMAL.fullmatch(text)):
        raise NotMoney(text)
    minor = whole(match.group(1)) * 100 + whole((match.group(2) or "0").ljust(2, "0"))
    if minor > MAX_MINOR:
        raise NotMoney("too large")
    return minor


def show(money: Money, language: str) -> str:
    """`125.000,50 EUR` or `EUR 125,000.50`, whole amounts without cents, never broken over a line."""
    whole, cents = divmod(money.minor, 100)
    habits = LANGUAGES[language]
    digits = f"{whole:,}".replace(",", habits.thousands)
    if cents:
        digits += f"{habits.decimal}{cents:02d}"
    return f"{money.currency}{NBSP}{digits}" if habits.currency_first else f"{digits}{NBSP}{money.currency}"


def percent(part: int, whole: int, language: str) -> str:
    """`96,5%` of two amounts in minor units."""
    value = f"{part * 100 / whole:.1f}".removesuffix(".0")
    return value.replace(".", LANGUAGES[language].decimal) + "%"
