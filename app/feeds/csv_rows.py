"""Rows of a CSV file, one by one: the file is never held as text or as a list, however long it is.

A row that cannot be read is given as a `BadRow`, and reading goes on with the line after its first: one quotation mark
that is never closed must not swallow the rows behind it.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.core.values import typed_text
from app.feeds.cells import LONG_ROW, LOST_LETTERS, MORE_CELLS, QUOTES
from app.feeds.encodings import old_encoding

PART = 65536  # bytes looked at together
RECORD = 1_000_000  # characters of one row, its line breaks among them
AGAIN = 40 * RECORD  # characters that are read a second time, all bad rows together
COLUMNS = 500
SEPARATORS = ";,\t|"
LOOKED_AT = 5  # lines under the names: what separates stands in each as often as in the first
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"}
BOMS |= {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
csv.field_size_limit(RECORD)  # a row has a bound of its own


class NotCsv(Exception):
    """The file cannot be read. `code`: one of `app.core.labels.FEED_FILE`."""

    def __init__(self, code: str = "file") -> None:
        self.code = code
        super().__init__(code)


class FileRow(dict[str, Any]):
    """Cells by the names in the first line. `line` is where it begins in the file."""

    line: int = 0


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that cannot be read: in which line it begins, and why."""

    line: int
    why: str


class _TooLong(Exception):
    """The row that is being read goes on beyond any honest one."""


def rows_of(body: bytes) -> Iterator[FileRow | BadRow]:
    """Rows, by the names in the first line that is not empty. Its separator is the one that is as frequent there as in
    the lines below, or that Excel's `sep=` names; its encoding UTF-8, UTF-16, or the one of `encodings.OLD` in which
    its words are words. Raises `NotCsv` when nothing can be read."""
    lines = _Lines(io.TextIOWrapper(io.BytesIO(body), encoding=_encoding(body), errors="replace", newline=""))
    records = csv.reader(lines, delimiter=_separator(lines), strict=True)
    names: list[str] = []
    good, bad, narrow = 0, 0, True
    while (found := _next(records, lines)) is not None:
        if isinstance(found, BadRow) and not names:
            raise NotCsv
        if isinstance(found, BadRow) or not any(cell.strip() for cell in found):
            row: FileRow | BadRow | None = found if isinstance(found, BadRow) else None
        elif not names:
            names, row = names_of(found), None
        else:
            row = row_of(names, found, lines.began)
        if row is not None:
            bad += isinstance(row, BadRow)
            narrow = narrow and isinstance(row, BadRow) and row.why == MORE_CELLS
            good += isinstance(row, FileRow)
            yield row
    if not good:
        raise NotCsv("file_narrow" if bad and narrow else "file" if bad else "file_no_rows" if names else "file_empty")


def names_of(cells: Sequence[str]) -> list[str]:
    """The names of the columns; a column without one is empty here, and is not read."""
    names = [_name(cell) for cell in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > COLUMNS:
        raise NotCsv("file_columns")
    named = [name for name in names if name]
    if len(set(named)) != len(named):
        raise NotCsv("file_names")
    return names


def _name(cell: str) -> str:
    """As it is seen: without marks of nothing, and of a cell that is broken into lines on one."""
    name = typed_text(cell).strip()
    return " ".join(name.split()) if "\n" in name else name


def row_of(names: Sequence[str], cells: Sequence[Any], line: int) -> FileRow | BadRow:
    """Cells under their names."""
    if any(str(cell).strip() for cell in cells[len(names) :] if cell is not None):
        return BadRow(line, MORE_CELLS)
    if any(isinstance(cell, str) and "\ufffd" in cell for cell in cells):
        return BadRow(line, LOST_LETTERS)
    row = FileRow((name, cell) for name, cell in zip(names, cells, strict=False) if name)
    row.line = line
    return row


def _next(records: Iterator[list[str]], lines: _Lines) -> list[str] | BadRow | None:
    lines.begin()
    try:
        return next(records, None)
    except csv.Error:
        why = QUOTES
    except _TooLong:
        why = LONG_ROW if lines.is_one else QUOTES
    lines.rewind()
    return BadRow(lines.began, why)


class _Lines:
    """The lines of a text, counted, and kept until the row that they belong to is whole."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self._ahead: deque[str] = deque()
        self._taken: list[str] = []
        self._size = self._again = self._number = 0
        self.began = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._ahead.popleft() if self._ahead else self._text.readline(RECORD + 1)
        if not line:
            raise StopIteration
        self._number += 1
        self._taken.append(line)
        self._size += len(line)
        if self._size > RECORD:
            raise _TooLong
        return line

    @property
    def is_one(self) -> bool:
        return len(self._taken) == 1

    def begin(self) -> None:
        """A row begins with the next line."""
        self._taken, self._size, self.began = [], 0, self._number + 1

    def rewind(self) -> None:
        """Go on after the first line of the row; of one without an end the rest is passed over."""
        first, rest = self._taken[0], self._taken[1:]
        self._again += self._size
        if self._again > AGAIN:
            raise NotCsv
        self._ahead.extendleft(reversed(rest))
        self._number -= len(rest)
        if len(first) > RECORD and not first.endswith(("\n", "\r")):
            while (part := self._text.readline(PART)) and not part.endswith(("\n", "\r")):
                pass

    def peek(self) -> str:
        """The first line that says anything, to be read again."""
        while (line := self._text.readline(RECORD + 1)) and not line.strip():
            self._number += 1
        if line:
            self._ahead.append(line)
        return line

    def look_on(self, some: int) -> list[str]:
        """The lines at hand and so many more, to be read again; none after one whose end was not reached."""
        while self._ahead and len(self._ahead) <= some and self._ahead[-1].endswith(("\n", "\r")):
            if not (line := self._text.readline(RECORD + 1)):
                break
            self._ahead.append(line)
        return list(self._ahead)

    def drop(self) -> None:
        """Pass over the line that was looked at."""
        self._ahead.popleft()
        self._number += 1


def _separator(lines: _Lines) -> str:
    first = lines.peek()
    if declared := re.fullmatch(r'"?sep=(\\t|.)?"?[;,\t]*\s*', first, re.IGNORECASE):
        lines.drop()
        if declared[1] and declared[1] not in "\r\n":
            return declared[1].replace("\\t", "\t")
        first = lines.peek()
    bare = [re.sub(r'"[^"]*"', "", line) for line in lines.look_on(LOOKED_AT)]

    def parts(separator: str) -> tuple[int, int]:
        counts = [line.count(separator) for line in bare]
        return (counts.count(counts[0]) if counts[0] else 0), counts[0]

    return max(SEPARATORS, key=parts) if bare else SEPARATORS[0]


def _encoding(body: bytes) -> str:
    for bom, name in BOMS.items():
        if body.startswith(bom):
            return name
    start = body[:200]
    high, low = start[1::2].count(0), start[::2].count(0)
    if (high + low) * 3 > len(start) or (min(high, low) == 0 and max(high, low) > 2):
        return "utf-16-le" if high > low else "utf-16-be"  # letters of two bytes, without a mark of their order
    return "utf-8" if _is_mostly_utf8(body) else old_encoding(body)


def _is_mostly_utf8(body: bytes) -> bool:
    """By its lines: one of another encoding spoils itself, not the file."""
    good = bad = 0
    for line in io.BytesIO(body):
        if not line.isascii():
            try:
                line.decode()
            except UnicodeDecodeError:
                bad += 1
            else:
                good += 1
    return good >= bad
