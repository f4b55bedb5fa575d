"""An uploaded file of properties: CSV or Excel, perhaps compressed; anything else is named."""

from __future__ import annotations

from collections.abc import Iterator

from app.feeds import csv_rows, xlsx_rows
from app.feeds.csv_rows import BadRow, FileRow, NotCsv
from app.feeds.inflating import GZIP, NotCompressed, TooLarge, gunzip

OPENED = 32 * 1024 * 1024  # bytes of a packed CSV once it is opened
ZIP, OLD_OFFICE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
# What people send for a table: what is packed twice, pages, PDF, pictures, archives, JSON.
OTHERS = (GZIP, b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"Rar!", b"7z\xbc\xaf", b"{\\rtf", b"PK\x05\x06")


def rows_of(body: bytes) -> Iterator[FileRow | BadRow]:
    """The rows, each with the line in which it begins. Raises `NotCsv` with the reason when there are none."""
    return _rows(_opened(body))


def _rows(body: bytes) -> Iterator[FileRow | BadRow]:
    if body.startswith(ZIP):
        return xlsx_rows.rows_of(body)
    if body.startswith(OLD_OFFICE):
        raise NotCsv("file_xls")
    start = body[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()
    if body.startswith(OTHERS) or start[:1] in {b"<", b"{", b"["}:
        raise NotCsv("file_other")
    if not body.strip():
        raise NotCsv("file_empty")
    return csv_rows.rows_of(body)


def _opened(body: bytes) -> bytes:
    """Without its gzip, if it has one."""
    if not body.startswith(GZIP):
        return body
    try:
        return gunzip(body, OPENED)
    except TooLarge:
        raise NotCsv("file_large") from None
    except NotCompressed:
        raise NotCsv("file_other") from None


def looks_like_rows(body: bytes, most: int) -> None:
    """Look at the beginning only; raise `NotCsv` for what cannot be a file of rows. A job opens workbooks, also those
    that were packed once more."""
    body = _opened(body)
    if body.startswith(ZIP):
        if not xlsx_rows.is_workbook(body):
            raise NotCsv("file_other")
        return
    for number, _row in enumerate(_rows(body), 1):
        if number >= most:
            break
