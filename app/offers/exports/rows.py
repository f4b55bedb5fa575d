"""A row of a file, made by one function that is put together from the columns.

Going through forty columns for each row costs as much as writing them; so the function is written out as text, as
`dataclasses` writes constructors, and compiled once for each file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from app.offers.exports.columns import COLUMNS, Column
from app.offers.exports.reading import NOTHING, Exported

Write = Callable[[Any], str]
MOST = 5_000  # values that are kept of one column
# Kinds and columns whose values come again and again.
_RECURRING = frozenset(
    {"money", "day", "yes", "count", "status", "financing", "source", "channel", "proof", "program"}
    | {"not_yet_or_day", "property_title", "currency"}
)


class Written(dict[Any, str]):
    """Values as they were written, each made once; no more of them than `MOST`."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def __missing__(self, value: Any) -> str:
        if len(self) >= MOST:
            self.clear()
        self[value] = written = self._write(value)
        return written


def row_maker(by_kind: dict[str, Write], other: Write, nothing: str) -> Callable[[Exported], list[str]]:
    """A function from an offer to its cells in the order of `COLUMNS`: each as its kind is written, what has no way of
    its own as `other` does it, and `nothing` where there is nothing."""
    names: dict[str, Any] = {"NOTHING": NOTHING}
    lines = ["def row(line):", f"    {', '.join(Exported._fields)} = line", "    if sent is None:"]
    lines.append("        sent = NOTHING")
    # Each object of the document is gone into once.
    within = {column.source.rpartition(".")[0] for column in COLUMNS if "." in column.source}
    for path in sorted({part for whole in within for part in _parts(whole)}):
        before, _dot, last = path.rpartition(".")
        lines.append(f"    {_local(path)} = {_local(before)}.{last}")
    cells = []
    for at, column in enumerate(COLUMNS):
        names[f"write_{at}"] = write = _way(column, by_kind, other, nothing)
        before, _dot, last = column.source.rpartition(".")
        value = f"{_local(before)}.{last}" if before else last
        made = f"write_{at}[value]" if isinstance(write, Written) else f"write_{at}(value)"
        cells.append(f"{nothing!r} if (value := {value}) is None else {made}")
    lines.append(f"    return [{', '.join(cells)}]")
    exec("\n".join(lines), names)  # noqa: S102  # nosec B102  of our own declarations alone
    row: Callable[[Exported], list[str]] = names["row"]
    return row


def _parts(path: str) -> list[str]:
    """`sent.offer` and `sent.offer.bidder` of the latter."""
    words = path.split(".")
    return [".".join(words[:count]) for count in range(2, len(words) + 1)]


def _local(path: str) -> str:
    return path.replace(".", "_")


def _way(column: Column, by_kind: dict[str, Write], other: Write, nothing: str) -> Write | Written:
    """From what a document or a table holds to a cell."""
    made, write = column.made, by_kind.get(column.kind, other)

    def both(value: Any) -> str:
        got = made(value)  # type: ignore[misc]  # only where there is one
        return nothing if got is None else write(got)

    way = write if made is None else both
    return Written(way) if {column.kind, column.name} & _RECURRING else way
