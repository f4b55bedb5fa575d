"""Numbers as people write them: `125.000,50`, `125’000.50`, `1,2 milioane`, `72,40 mp`, in the digits of any keyboard.

A point or a comma before three digits means thousands to one reader and decimals to another. What could be either is
told as such, and whoever asked decides: a page asks, a feed has a setting, nothing is guessed. `readAmount` in
`buyer.js` reads amounts by the same rules; one table of cases holds both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from app.core.limits import NUMBER
from app.core.numbers import NotANumber, decimal, whole

ASK, COMMA, POINT = "ask", "comma", "point"  # what is a decimal separator
SEPARATORS = (ASK, COMMA, POINT)
_ZEROS = "٠۰०০੦૦୦௦౦೦൦๐໐༠၀០０"
_SAME = {ord(zero) + n: str(n) for zero in _ZEROS for n in range(10)}
_SAME |= dict.fromkeys(map(ord, "’‘ʼ′`´＇٬"), "'") | {ord("．"): ".", ord("，"): ",", ord("٫"): ","}
_SAME |= {ord("％"): "%", ord("٪"): "%", ord("＄"): "$", ord("㎡"): "m²"}
_CEDILLAS = {ord("ţ"): "ț", ord("ş"): "ș"}  # as many keyboards still write them
_UNSEEN = re.compile(r"[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_TOKEN = re.compile(r"[^\W\d_]+|\S")
_PUNCTUATION = frozenset('.,;:!"„“”«»')
_DASHED = re.compile(r" ?[.,] ?[-–—]{1,2}")  # 125.000,- €
_SPACED = re.compile(r"([0-9]{1,3}(?:([ '])[0-9]{3})(?:\2[0-9]{3})*)(?:[.,]([0-9]{1,2}))?")
_PLAIN = re.compile(r"([0-9]{1,15})(?:[.,]([0-9]{1,2}|[0-9]{4,6}))?")
_GROUPED = re.compile(r"([1-9][0-9]{0,2}(?:([.,])[0-9]{3})(?:\2[0-9]{3})*)(?:([.,])([0-9]{1,2}))?")
_LAKHS = re.compile(r"([1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3})(?:\.([0-9]{1,2}))?")  # as India groups
_BY_RULE = {
    COMMA: re.compile(r"([0-9]{1,15}|[0-9]{1,3}(?:\.[0-9]{3})+)(?:,([0-9]{1,15}))?"),
    POINT: re.compile(r"([0-9]{1,15}|[0-9]{1,3}(?:,[0-9]{3})+)(?:\.([0-9]{1,15}))?"),
}


@dataclass(frozen=True, slots=True)
class TypedNumber:
    """What a text means; `other` is a second meaning a thousand times away, `odd` a spelling to be asked about."""

    value: Decimal
    other: Decimal | None = None
    odd: bool = False

    def times(self, factor: int, *, unsure: bool = False) -> TypedNumber:
        """So many thousands, hectares or months. With `unsure` the word may have meant a thousandth."""
        other = self.other if self.other is None else self.other * factor
        if unsure and other is None and self.value:
            other = self.value * factor / 1000
        return TypedNumber(self.value * factor, other, self.odd)


@dataclass(frozen=True, slots=True)
class Parts:
    """A text around its digits: the words before and after, spelled small."""

    before: tuple[str, ...]
    digits: str
    after: tuple[str, ...]


def parts_of(text: str) -> Parts:
    """The digits of a text and the words around them; raises `NotANumber`."""
    line = " ".join(_UNSEEN.sub("", text).translate(_SAME).split())
    places = [at for at, letter in enumerate(line) if letter in "0123456789"]
    if len(line) > NUMBER or not places:
        raise NotANumber
    first, last = places[0], places[-1] + 1
    if first and line[first - 1] in ".,'":  # `.50` is not 50
        raise NotANumber
    dashed = _DASHED.match(line, last)
    return Parts(_words(line[:first]), line[first:last], _words(line[dashed.end() if dashed else last :]))


def _words(text: str) -> tuple[str, ...]:
    words = _TOKEN.findall(text.lower().translate(_CEDILLAS))
    return tuple(word for word in words if word not in _PUNCTUATION)


def read_digits(text: str, separators: str = ASK, *, sure: str = "") -> TypedNumber:
    """Digits with their separators; raises `NotANumber`.

    `sure` is the separator that before three digits at the end always means thousands.

    >>> read_digits("1.250"), read_digits("1.250", sure=".").other, read_digits("1.250", POINT).value
    (Typed(value=Decimal('1250'), other=Decimal('1.250'), odd=False), None, Decimal('1.250'))
    """
    if spaced := _SPACED.fullmatch(text):
        return TypedNumber(_exact(spaced[1], spaced[3]))
    if separators != ASK:
        found = _BY_RULE[separators].fullmatch(text)
        if not found:
            raise NotANumber
        return TypedNumber(_exact(found[1], found[2]))
    if plain := _PLAIN.fullmatch(text):
        unsure = len(plain[1]) < 4 and len(plain[2] or "") > 3  # `125.0000` is rather thousands with a zero too many
        return TypedNumber(_exact(plain[1], plain[2]), odd=unsure)
    if lakhs := _LAKHS.fullmatch(text):
        return TypedNumber(_exact(lakhs[1], lakhs[2]), odd=True)
    grouped = _GROUPED.fullmatch(text)
    if not grouped or grouped[2] == grouped[3]:
        raise NotANumber
    value = _exact(grouped[1], grouped[4])
    lone = len(grouped[1]) <= len("125.000") and not grouped[4] and grouped[2] != sure
    return TypedNumber(value, decimal(text.replace(",", ".")) if lone else None)


def _exact(whole: str, decimals: str | None) -> Decimal:
    digits = re.sub(r"[ '.,]", "", whole)
    return decimal(f"{digits}.{decimals}" if decimals else digits)


def read_quantity(text: str, units: Mapping[str, int], separators: str = ASK) -> TypedNumber:
    """A number with its unit, of those that are taken, or with none; raises `NotANumber`.

    >>> read_quantity("72,40 mp", {"mp": 1}).value
    Decimal('72.40')
    """
    found = parts_of(re.sub(r"(?i)m ?\^? ?2(?![0-9])", "m²", text))
    unit = " ".join(word for word in found.after if word != "de").replace("m ²", "m²")
    if found.before or (unit and unit not in units):
        raise NotANumber
    return read_digits(found.digits, separators).times(units.get(unit, 1))


def hundredths(value: Decimal) -> int:
    """A value as hundredths, when it has two decimals at most; raises `NotANumber`."""
    scaled = value * 100
    if scaled != scaled.to_integral_value():
        raise NotANumber
    return int(scaled)


def tidy(value: Decimal) -> int | float:
    """A value of at most two decimals as JSON tells it: `72`, and `72.4`."""
    n = hundredths(value)
    return n // 100 if n % 100 == 0 else n / 100


_DAYS = {
    **dict.fromkeys(("", "z", "zi", "zile", "d", "day", "days", "zile calendaristice", "calendar days"), 1),
    **dict.fromkeys(("sapt", "săpt", "saptamana", "săptămână", "saptamani", "săptămâni", "week", "weeks"), 7),
}
_ABOUT = {
    **dict.fromkeys(("luna", "lună", "luni", "month", "months"), 30),
    **dict.fromkeys(("an", "ani", "year", "years"), 365),
}


@dataclass(frozen=True, slots=True)
class Term:
    """A term in days; `about` when it was typed in months or years, which are not so many days each."""

    days: int
    about: bool = False


def read_days(text: str, most: int) -> Term:
    """`60`, `60 de zile`, `2 luni`; raises `NotANumber`.

    >>> read_days("60 zile", 3650), read_days("2 luni", 3650)
    (Term(days=60, about=False), Term(days=60, about=True))
    """
    typed = read_quantity(text, _DAYS | _ABOUT)
    if typed.other is not None or typed.value != typed.value.to_integral_value():
        raise NotANumber
    unit = " ".join(word for word in parts_of(text).after if word != "de")
    return Term(whole(str(int(typed.value)), 0, most), unit in _ABOUT)


def read_percent(text: str) -> Decimal:
    """A share of 0 to 100 percent with two decimals at most; raises `NotANumber`."""
    share = read_quantity(
        text, dict.fromkeys(("", "%", "la sută", "la suta", "percent", "per cent", "procente"), 1)
    ).value
    if not 0 <= share <= 100:
        raise NotANumber
    hundredths(share)
    return share
