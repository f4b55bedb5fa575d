"""Why a file of properties, or a line of it, cannot be read: told in the words of whoever made it in a spreadsheet."""

from __future__ import annotations

from dataclasses import dataclass

from flask_babel import lazy_gettext

from app.language import msgid

# Of the whole file.
FILE = {
    "file": lazy_gettext("The file cannot be read as CSV"),
    "file_empty": lazy_gettext("The file is empty"),
    "file_no_rows": lazy_gettext("The file has a line of names and no rows under it"),
    "file_names": lazy_gettext("Two columns have the same name in the first line"),
    "file_narrow": lazy_gettext("The first line has fewer cells than the rows under it: begin with the line of names"),
    "file_columns": lazy_gettext("The file has more than 500 columns"),
    "file_xls": lazy_gettext(
        "An old Excel file (.xls), or one with a password: save it as .xlsx without one, or as CSV"
    ),
    "file_xlsx": lazy_gettext("The Excel file is damaged, or is none: save it again, or as CSV"),
    "file_other": lazy_gettext("Neither CSV nor Excel (.xlsx): open it in a spreadsheet and save it as one of them"),
    "file_large": lazy_gettext("The file is too large once it is opened"),
    "encoding": lazy_gettext("The answer is compressed in a way that was not asked for and cannot be opened"),
}
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
    """A cell that holds something, and what it holds cannot be known; `why` is told of the field it stands for."""

    why: str


class Priced(str):
    """A number that its cell shows with a currency, which is part of how it looks there: `125000.5 lei`."""

    __slots__ = ()
