"""Rows of an Excel workbook's first sheet, one by one, by openpyxl's reader for large files.

What the archive promises to grow to is looked at before anything is opened, and so is how many elements a part has:
a few kilobytes can be made to fill any memory.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from app.services.csv_rows import BadRow, NotCsv, Row, names_of, row_of

OPENED = 100 * 1024 * 1024  # bytes of all parts together, once they are opened
PARTS = 2000
STRINGS = 1_500_000  # elements of the table of texts
OF_ROW = 8 * 500  # elements of one row
SMALL = 200_000  # elements of any other part, which is read whole
LINES = 200_000  # of the sheet, empty ones among them
PIECE = 1024 * 1024


def is_workbook(body: bytes) -> bool:
    """Whether an archive calls itself a workbook of Excel; raises `NotCsv` for what is none, or grows too large."""
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            parts = archive.infolist()
            if len(parts) > PARTS or sum(part.file_size for part in parts) > OPENED:
                raise NotCsv("file_large")
            return any(part.filename == "xl/workbook.xml" for part in parts)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError):
        raise NotCsv("file_xlsx") from None


def rows_of(body: bytes) -> Iterator[Row | BadRow]:
    """Rows by the names in the first line that is not empty. Raises `NotCsv`."""
    if not is_workbook(body):
        raise NotCsv("file_other")
    names: list[str] = []
    good = 0
    for number, cells in enumerate(_lines(body), 1):
        if number > LINES:
            raise NotCsv("file_large")
        if all(cell in {None, ""} or not str(cell).strip() for cell in cells):
            continue
        if names:
            good += 1
            yield row_of(names, cells, number)
        else:
            names = names_of([str(cell) if cell is not None else "" for cell in cells])
    if not good:
        raise NotCsv("file_no_rows" if names else "file_empty")


def _lines(body: bytes) -> Iterator[Sequence[Any]]:
    from openpyxl import load_workbook

    book = None
    try:
        _measure(body)
        book = load_workbook(io.BytesIO(body), read_only=True, data_only=True, keep_links=False)
        shown = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"] or book.worksheets
        shown[0].reset_dimensions()  # what the file says of its own extent need not be true
        for cells in shown[0].iter_rows():
            yield [_value(cell) for cell in cells]
    except NotCsv:
        raise
    except Exception:  # the library is not made for broken files, and fails in as many ways as they do
        raise NotCsv("file_xlsx") from None
    finally:
        if book is not None:
            book.close()


def _measure(body: bytes) -> None:
    """Count elements of the parts that are read, each as far as it may go; raises `NotCsv`."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        for part in archive.infolist():
            name = part.filename.lower()
            if not name.endswith((".xml", ".rels")) or name.startswith(("xl/drawings/", "xl/media/", "xl/charts/")):
                continue
            ends, most = b"", SMALL
            if "sharedstrings" in name:
                most = STRINGS
            elif name.startswith("xl/worksheets/") and not name.endswith(".rels"):
                ends, most = b"</row>", OF_ROW
            with archive.open(part) as stream:
                _count(stream, ends, most)


def _count(stream: Any, ends: bytes, most: int) -> None:
    """Give up where more than `most` elements begin without the mark that `ends` them."""
    rest = b""
    run = 0
    while piece := stream.read(PIECE):
        if ends:
            *rows, rest = (rest + piece).split(ends)
            run = max(part.count(b"<") for part in (*rows, rest))
        else:
            run += piece.count(b"<")
        if run > most or len(rest) > 8 * PIECE:
            raise NotCsv("file_large")


def _value(cell: Any) -> Any:
    """A cell as it is read elsewhere: numbers as such, whole ones without a point, days as days, errors as nothing."""
    value = cell.value
    if value is None or cell.data_type == "e":
        return None
    if isinstance(value, float):
        return round(value) if value.is_integer() and abs(value) < 10**15 else round(value, 9)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(sep=" ")
    if isinstance(value, date | time):
        return value.isoformat()
    return value if isinstance(value, bool | int | str) else str(value)
