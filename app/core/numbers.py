"""From text to numbers: only what is short and has the shape of one is ever converted.

`int` and `Decimal` take time that grows with the square of what is written, and `1e2000000` is nine letters: so nothing
that comes from outside meets them but here, after its length and its shape were looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

LARGEST = 2**63 - 1  # what a column holds
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_DECIMAL = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,25})?")
_JSON = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,25})?(?:[eE][+-]?[0-9]{1,2})?")


class NotANumber(ValueError):
    """The text is no number of the shape and size that is wanted here."""


def whole(text: str, least: int = 0, most: int = LARGEST) -> int:
    """A whole number in ASCII digits, within limits; raises `NotANumber`."""
    if not _WHOLE.fullmatch(text) or not least <= (number := int(text)) <= most:
        raise NotANumber
    return number


def between(least: int, most: int) -> Callable[[str], int]:
    """`whole` with its limits, as `request.args.get(…, type=…)` wants it."""
    return lambda text: whole(text, least, most)


def decimal(text: str) -> Decimal:
    """A decimal number with a point and without exponent; raises `NotANumber`."""
    if not _DECIMAL.fullmatch(text):
        raise NotANumber
    return Decimal(text)


def json_number(text: str) -> int | float:
    """A number as JSON spells it, of a size that anything of ours could have; raises `NotANumber`."""
    if not _JSON.fullmatch(text):
        raise NotANumber
    return int(text) if text.lstrip("-").isdigit() else float(text)
