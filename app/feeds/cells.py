"""Cells that hold no plain text, and why a row cannot be read, in words for the person who made the file."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.language import msgid

# Of one line.
QUOTES = msgid("A quotation mark is not closed, or stands in the middle of a quoted cell: double it")
MORE_CELLS = msgid("More cells than names: a cell with the separator in it must be in quotation marks")
LONG_ROW = msgid("The row is longer than a million characters")
LOST_LETTERS = msgid("Letters that cannot be read: save the file as UTF-8")
# Of one cell.
SHEET_ERROR = msgid("The cell shows an error of the spreadsheet, such as #REF!: mend it there")
NO_RESULT = msgid("The cell is a formula without a result: open the file in a spreadsheet and save it again")


@dataclass(frozen=True, slots=True)
class Unread:
    """A cell that holds something which cannot be read; `why` is said of the field that it fills."""

    why: str


class Priced(str):
    """A number that its cell shows with a currency, which is part of how it looks there: `125000.5 lei`."""

    __slots__ = ()
