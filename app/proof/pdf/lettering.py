"""Which font draws a letter, and which way a line runs: people's names come in every script.

The main font has Latin, Greek, Cyrillic, Arabic, Hebrew, Armenian and Georgian. Others are opened when a text needs
them, the finest first; Unifont at the end has nearly all the rest. What no font has is named by its number.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path
from typing import NamedTuple

FONTS = Path(__file__).parent / "fonts"
MAIN, BOLD = "DejaVuSansCondensed.ttf", "DejaVuSansCondensed-Bold.ttf"
INDIC = ("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala")
OTHERS = (
    *(f"NotoSans{script}-Regular.ttf" for script in (*INDIC, "Thai", "Khmer", "Myanmar", "Ethiopic")),
    "NotoEmoji-Regular.ttf",
    "DroidSansFallbackFull.ttf",
    "Unifont.otf",
    "UnifontUpper.otf",
)
JOINERS = "\u200c\u200d"  # they shape the letters beside them in Persian and in India
EMOJI = "NotoEmoji-Regular.ttf"
RIGHT_TO_LEFT = frozenset(("R", "AL", "AN"))
BOX = "\u25af"


class DrawnLine(NamedTuple):
    """One line as it is drawn. `rtl`: its paragraph runs from right to left. `shaped`: letters join or turn round."""

    text: str
    rtl: bool = False
    shaped: bool = False


@cache
def letters_of(file: str) -> frozenset[int]:
    """The code points that a font draws."""
    from fontTools.ttLib import TTFont

    with TTFont(FONTS / file, lazy=True) as font:
        return frozenset(font.getBestCmap())


@cache
def font_of(letter: str) -> str | None:
    """The file that draws a letter; None where none does."""
    point = ord(letter)
    if point in letters_of(MAIN) and point in letters_of(BOLD):
        return MAIN
    return next((file for file in OTHERS if point in letters_of(file)), None)


def drawable(text: str) -> str:
    """The same words in letters that can be drawn; one that cannot becomes `▯(U+20BB7)`.

    Marks that only steer how others are drawn are left out: direction is found anew, and none may turn a line round.
    """
    if text.isascii():
        return text
    out: list[str] = []
    for letter in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(letter)
        if letter in "\n\t" or letter.isascii():
            out.append(letter)
        elif kind == "Cf" or 0xFE00 <= ord(letter) <= 0xFE0F or 0xE0100 <= ord(letter) <= 0xE01EF:
            if letter in JOINERS and out and font_of(out[-1][-1]) not in {None, EMOJI}:
                out.append(letter)
        elif kind in {"Zl", "Zp", "Cc"}:
            out.append("\n")
        elif font_of(letter) is None:
            out.append(f"{BOX}(U+{ord(letter):04X})")
        else:
            out.append(letter)
    return "".join(out)


def runs_from_right(paragraph: str) -> bool:
    """By its first letter that has a direction (UAX #9, P2 and P3)."""
    for letter in paragraph:
        if (direction := unicodedata.bidirectional(letter)) in {"L", "R", "AL"}:
            return direction != "L"
    return False


def needs_shaping(text: str) -> bool:
    """Whether letters join, stack or run from the right, so that drawing them one by one would be wrong."""
    return not text.isascii() and any(
        unicodedata.bidirectional(letter) in RIGHT_TO_LEFT
        or unicodedata.category(letter) in {"Mn", "Mc", "Cf"}
        or font_of(letter) not in {MAIN, None}
        for letter in text
    )


def may_break_before(letter: str) -> bool:
    """A line does not tear a mark from the letter that bears it."""
    return unicodedata.category(letter) not in {"Mn", "Mc", "Me", "Cf"}
