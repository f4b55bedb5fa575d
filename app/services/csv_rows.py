"""Rows of a CSV file, one by one: the file is never held as text or as a list, however long it is."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from typing import Any

PART = 65536  # bytes looked at together
RECORD = 1_000_000  # characters of one row, its line breaks among them
COLUMNS = 500


class NotCsv(Exception):
    """The file cannot be read as CSV: broken, without a line of names, or a row is longer than any honest one."""


def rows_of(body: bytes) -> Iterator[dict[str, Any]]:
    """Rows by the names in the first line; separated by comma, semicolon or tab, in UTF-8 or Windows-1250.

    Raises `NotCsv` when it comes to what cannot be read.
    """
    encoding, errors = ("utf-8-sig", "strict") if _is_utf8(body) else ("cp1250", "replace")
    text = io.TextIOWrapper(io.BytesIO(body), encoding=encoding, errors=errors, newline="")
    first = text.readline(RECORD)
    text.seek(0)
    lines = _Lines(text)
    records = csv.reader(lines, delimiter=max(";,\t", key=first.count), strict=True)
    try:
        names = [name.strip() for name in next(records, [])]
        if not names or len(names) > COLUMNS or len(set(names)) != len(names):
            raise NotCsv
        lines.taken = 0
        for row in records:
            lines.taken = 0
            if any(cell.strip() for cell in row):
                yield dict(zip(names, row, strict=False))
    except csv.Error:
        raise NotCsv from None


class _Lines:
    """The lines of a text, counted until a row is whole: one without an end is not waited for."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.taken = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._text.readline(RECORD + 1)
        self.taken += len(line)
        if self.taken > RECORD:
            raise NotCsv
        if not line:
            raise StopIteration
        return line


def _is_utf8(body: bytes) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        for start in range(0, len(body), PART):
            decoder.decode(body[start : start + PART])
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True
