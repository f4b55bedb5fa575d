"""Rows of an Excel workbook's first sheet, one by one, by openpyxl's reader for large files.

What the archive promises to grow to is looked at before anything is opened, and so is how many elements a part has:
a few kilobytes can be made to fill any memory.
"""

from __future__ import annotations

import functools
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from app.core.money import names_a_currency
from app.feeds.cells import NO_RESULT, SHEET_ERROR, Priced, Unread
from app.feeds.csv_rows import COLUMNS, BadRow, FileRow, NotCsv, names_of, row_of

OPENED = 100 * 1024 * 1024  # bytes of all parts together, once they are opened
PARTS = 2000
NOTES = 2048  # bytes of extra notes on a part, honest ones have some dozens: zipfile takes the square of their number
STRINGS = 1_500_000  # elements of the table of texts
OF_ROW = 8 * 500  # elements of one row
SMALL = 200_000  # elements of any other part, which is read whole
LINES = 200_000  # of the sheets that are read, empty ones among them
WIDE = 1000  # lines with more cells than COLUMNS: one cell far out makes thousands before it
PIECE = 1024 * 1024
BETWEEN = 256 * 1024  # bytes from one element to the next: a cell has 32,767 letters, an element few attributes
LOOKS = 255  # letters of a number's format, as Excel has it; openpyxl's pattern takes the square of their number
KNOWN_LOOKS = 1000
_ENTRY = b"PK\x01\x02"  # what the archive says of a part
HEAD = 512  # bytes of a part that tell what it is
_ADDED = re.compile(r'\[\$([^\[\]-]*)(?:-[^\[\]]*)?\]|"([^"]*)"|\\(.)|([^\W\d_]|[$£¥\u20a0-\u20cf])')


_BLANK = b"\xef\xbb\xbf\xfe\xff\0 \t\r\n"
_EBCDIC = b"Lo\xa7\x94"  # `<?xm` in it, which one of openpyxl's parsers knows
_ENCODED = re.compile(rb"<\?xml[^?>]{0,300}?encoding\s{0,9}=\s{0,9}[\"']([\w.-]{1,40})[\"']")
_READABLE = frozenset({b"utf-8", b"utf-16", b"us-ascii", b"iso-8859-1", b"windows-1252"})  # `<` is no other byte there
_MERGED = re.compile(rb'<(?:\w{1,20}:)?mergeCell [^<>]{0,200}?ref="([A-Z]{1,3})(\d{1,7}):[A-Z]{1,3}(\d{1,7})"')


def is_workbook(body: bytes) -> bool:
    """Whether an archive is an Excel workbook; raises `NotCsv` for one that is broken or grows too large."""
    if body.count(_ENTRY) > 2 * PARTS:  # each makes an object before any can be counted
        raise NotCsv("file_large")
    if any(int.from_bytes(body[at + 30 : at + 32], "little") > NOTES for at in _entries(body)):
        raise NotCsv("file_large")
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            parts = archive.infolist()
            if len(parts) > PARTS or sum(part.file_size for part in parts) > OPENED:
                raise NotCsv("file_large")
            return any(part.filename == "xl/workbook.xml" for part in parts)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise NotCsv("file_xlsx") from None


def _entries(body: bytes) -> Iterator[int]:
    """Where the archive may say something of a part."""
    at = body.find(_ENTRY)
    while at >= 0:
        yield at
        at = body.find(_ENTRY, at + 4)


def rows_of(body: bytes) -> Iterator[FileRow | BadRow]:
    """Rows by the names in the first line that is not empty. Raises `NotCsv`."""
    if not is_workbook(body):
        raise NotCsv("file_other")
    names: list[str] = []
    good = 0
    for number, cells in _lines(body):
        if all(cell in {None, ""} or not str(cell).strip() for cell in cells):
            continue
        if names:
            good += 1
            yield row_of(names, cells, number)
        else:
            names = names_of(["" if cell is None or isinstance(cell, Unread) else str(cell) for cell in cells])
    if not good:
        raise NotCsv("file_no_rows" if names else "file_empty")


def _lines(body: bytes) -> Iterator[tuple[int, Sequence[Any]]]:
    """The lines of the first sheet that is shown and not empty, each with its number."""
    books: list[Any] = []
    try:
        # Formulas and their results are two readings of a workbook; the second is for those that have no result.
        for data_only in (True, False) if _measure(body) else (True,):
            books.append(_book(body, data_only=data_only))
        lines = wide = 0
        for name in _shown(books[0]):
            empty, merged = True, Merged(_ranges(books[0], name))
            for number, both in enumerate(zip(*(_rows(book, name) for book in books), strict=True), 1):
                lines, wide = lines + 1, wide + (len(both[0]) > COLUMNS)
                if lines > LINES or wide > WIDE:
                    raise NotCsv("file_large")
                cells = [_value(*same) for same in zip(*both, strict=True)]
                merged.fill(number, cells, names=empty)
                empty = empty and all(cell is None for cell in cells)
                yield number, cells
            if not empty:
                break
    except NotCsv:
        raise
    except Exception:  # the library is not made for broken files, and fails in as many ways as they do
        raise NotCsv("file_xlsx") from None
    finally:
        for book in books:
            book.close()


def _book(body: bytes, *, data_only: bool) -> Any:
    from openpyxl import load_workbook

    return load_workbook(io.BytesIO(body), read_only=True, data_only=data_only, keep_links=False)


def _shown(book: Any) -> list[str]:
    return [sheet.title for sheet in book.worksheets if sheet.sheet_state == "visible"] or [book.worksheets[0].title]


def _ranges(book: Any, name: str) -> list[tuple[int, int, int]]:
    """Cells merged downward, as column, first and last line; the reader for large files leaves them out."""
    archive, part = book._archive, book[name]._worksheet_path
    found, rest = [], b""
    with archive.open(part) as stream:
        while piece := stream.read(PIECE):
            piece = rest + piece
            found += _MERGED.findall(piece)
            rest = piece[piece.rfind(b"<") :]
    from openpyxl.utils import column_index_from_string

    spans = {(column_index_from_string(cell[0].decode()) - 1, int(cell[1]), int(cell[2])) for cell in found}
    return sorted((at, first, last) for at, first, last in spans if at < COLUMNS and first < last)


class Merged:
    """A merged cell counts for each of its lines; the file has its value in the first alone."""

    def __init__(self, ranges: list[tuple[int, int, int]]) -> None:
        self._begins = {(at, first): last for at, first, last in ranges}
        self._open: dict[int, tuple[int, Any]] = {}

    def fill(self, number: int, cells: list[Any], *, names: bool) -> None:
        """Say it in this line too, if there is anything else in it. In the line of `names` nothing begins."""
        blank = all(cell is None for cell in cells)
        for at, (last, value) in list(self._open.items()):
            if number > last:
                del self._open[at]
            elif not blank:
                cells.extend([None] * (at + 1 - len(cells)))
                cells[at] = value
        for at, cell in enumerate(cells):
            if not names and (at, number) in self._begins:
                self._open[at] = self._begins[at, number], cell


def _rows(book: Any, name: str) -> Any:
    book[name].reset_dimensions()  # what the file says of its own extent need not be true
    return book[name].iter_rows()


def _measure(body: bytes) -> bool:
    """Count elements of every part that is markup, whatever it is called: a workbook says itself which part is what.
    Whether there are formulas. Raises `NotCsv`."""
    formulas = False
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for part in archive.infolist():
            name = part.filename.lower()
            ends, most = b"", SMALL
            if "sharedstrings" in name:
                most = STRINGS
            elif name.startswith("xl/worksheets/") and not name.endswith(".rels"):
                ends, most = b"</row>", OF_ROW
            with archive.open(part) as stream:
                markup = _is_markup(name, stream.read(HEAD))
            if markup:
                with archive.open(part) as stream:
                    formulas = _count(stream, ends, most) or formulas
            if name == "xl/styles.xml":
                _check_looks(archive, part)
    return formulas


def _is_markup(name: str, head: bytes) -> bool:
    """Whether a part can be read as XML; raises `NotCsv` for XML in whose encoding elements could not be counted."""
    plain = head.replace(b"\0", b"").lstrip(_BLANK)
    if plain[:1] not in {b"", b"<"}:
        if name.endswith((".xml", ".rels")) or head.startswith(_EBCDIC):
            raise NotCsv("file_xlsx")
        return False
    if plain.startswith(b"<?xml"):
        encoded = _ENCODED.match(plain)
        if b"?>" not in plain or (b"encoding" in plain.partition(b"?>")[0] and not encoded):
            raise NotCsv("file_xlsx")
        if encoded and encoded[1].lower() not in _READABLE:
            raise NotCsv("file_xlsx")
    return True


def _check_looks(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    from openpyxl.xml.functions import iterparse

    with archive.open(part) as stream:
        for _event, element in iterparse(stream):
            if element.tag.endswith("numFmt") and len(element.get("formatCode", "")) > LOOKS:
                raise NotCsv("file_large")
            element.clear()


def _count(stream: Any, ends: bytes, most: int) -> bool:
    """Give up where more than `most` elements begin without the mark that `ends` them, or one goes on without an end;
    whether any is a formula."""
    rest = b""
    run = 0
    formulas = False
    while piece := stream.read(PIECE):
        if max(map(len, piece.split(b"<"))) > BETWEEN:
            raise NotCsv("file_large")
        if ends:
            piece = rest + piece
            formulas = formulas or b"<f" in piece
            *rows, rest = piece.split(ends)
            run = max(part.count(b"<") for part in (*rows, rest))
        else:
            run += piece.count(b"<")
        if run > most or len(rest) > 8 * PIECE:
            raise NotCsv("file_large")
    return formulas


def _value(cell: Any, formula: Any = None) -> Any:
    """A cell's value as other files would have it: whole numbers without a point, days as days, errors as errors. A
    currency that only the number format shows is added."""
    value = cell.value
    if cell.data_type == "e":
        return Unread(SHEET_ERROR)
    if value is None:
        return Unread(NO_RESULT) if formula is not None and formula.data_type == "f" and not _is_text(cell) else None
    if isinstance(value, float):
        value = round(value) if value.is_integer() and abs(value) < 10**15 else round(value, 9)
    if isinstance(value, int | float) and not isinstance(value, bool):
        currency = _currency(cell.number_format or "")
        return Priced(f"{value} {currency}") if currency else value
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return value if isinstance(value, bool | int | str) else str(value)


def _is_text(cell: Any) -> bool:
    """Whether a formula without a value has a text as its result: then that is the empty one."""
    return bool(cell.data_type == "str")


@functools.lru_cache(KNOWN_LOOKS)
def _currency(looks: str) -> str:
    """The currency among what a number format adds to a number: `[$€-2]`, `"lei"`, `\\€`; empty when there is none."""
    for found in _ADDED.finditer(looks.partition(";")[0]):
        word = next(filter(None, found.groups()), "").strip(" .\u00a0").lower()
        if word and names_a_currency(word):
            return word
    return ""
