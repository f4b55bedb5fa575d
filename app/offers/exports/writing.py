"""Exports: the files, and the ledger entry of who exported what, and what for.

Three files of the same columns. The one for people is made for Excel with Romanian regional settings, which is what
agencies here open it with: UTF-8 with a byte order mark, semicolons, decimal commas, local times. (`sep=` would break
the byte order mark and every other reader; a comma as separator lands in one column, and a decimal point is read there
as a thousands separator.) The one for machines has the names and values of the API and never changes with the reader's
language: commas, decimal points, UTC. The workbook has real numbers and dates.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from sqlalchemy import insert

from app.core.access import Person
from app.core.clock import rfc3339
from app.core.ids import new_id
from app.core.labels import LABELS
from app.core.unit_of_work import writing
from app.models import Access
from app.offers.exports.columns import COLUMNS, values
from app.offers.exports.reading import Exported
from app.offers.exports.workbook import Cell, LocalMoment, Number, workbook
from app.offers.fields import NOT_YET
from app.offers.list.filter import OfferFilter
from app.offers.list.pages import count_offers

PURPOSES = ("seller", "agency", "accounting", "person", "other")
BOM = "\ufeff"
EXACT = 11  # digits that a spreadsheet shows as they are, not as 1.2E+11
AT_ONCE = 200  # rows in one piece of the answer
# What Excel takes for a formula, at the start of a cell or after anything that another setting takes for a separator.
_SIGNS = frozenset("=+-@\t\r")
_BREAKS = frozenset(";,\t\r\n")
# Most cells have nothing of it within, and many begin with one, as all phone numbers do: those go the short way.
_WITHIN = re.compile(r"[;,\t\r\n\x00]")
_START = re.compile(r"\s*[=+\-@\t\r]")


def record_export(chosen: OfferFilter, *, by: Person, form: str = "csv", purpose: str = "") -> int:
    """Write down that `by` takes out the offers of a filter, as which file and what for; return how many they are."""
    count = count_offers(by, chosen)
    what = {"rows": count, "filter": chosen.recordable(), "form": form}
    with writing(by.agency_id) as tx:
        tx.record(
            "offers.exported", None, by.actor, {**what, "purpose": purpose if purpose in PURPOSES else "unstated"}
        )
        row = {"id": new_id(), "agency_id": tx.agency_id, "user_id": by.user.id, "kind": "exported", "at": tx.at}
        tx.connection.execute(insert(Access), row)
    return count


def harmless(text: str) -> str:
    """A cell that no spreadsheet computes, and whose digits it does not round or cut: `0012` is no number."""
    if (text[:1] == "0" and text[1:].isdigit()) or (len(text) > EXACT and text.isdigit()):
        return f"'{text}"
    if _WITHIN.search(text):
        return _quoted(text.replace("\x00", ""))
    if begun := _START.match(text):
        return f"{text[: begun.end() - 1]}'{text[begun.end() - 1 :]}"
    return text


def _quoted(text: str) -> str:
    """A `'` before each sign that follows the beginning or a separator, with nothing but spaces between."""
    told, begins = [], True
    for c in text:
        if begins and c in _SIGNS:
            told.append("'")
            begins = False
        begins = c in _BREAKS or (begins and c.isspace())
        told.append(c)
    return "".join(told)


def offers_csv(lines: Iterable[Exported], zone: str) -> Iterator[str]:
    """The file for people, in their language."""
    yield BOM
    yield from _pieces([str(column.label) for column in COLUMNS], _cells(lines, _for_people(ZoneInfo(zone))), ";")


def machine_csv(lines: Iterable[Exported]) -> Iterator[str]:
    """The file for machines."""
    yield from _pieces([column.name for column in COLUMNS], _cells(lines, _MACHINE), ",")


def offers_xlsx(lines: Iterable[Exported], zone: str) -> Iterator[bytes]:
    """The workbook, in the reader's language."""
    widths = [column.width for column in COLUMNS]
    rows = _cells(lines, _for_workbook(ZoneInfo(zone)))
    return workbook(_("Offers"), [str(column.label) for column in COLUMNS], widths, rows)


def _cells(lines: Iterable[Exported], by_kind: dict[str, Callable[[Any], Any]]) -> Iterator[list[Any]]:
    """The rows of a file: each value as its kind is written there. What has no way of its own is text or a number."""
    how = [(at, by_kind[column.kind]) for at, column in enumerate(COLUMNS) if column.kind in by_kind]
    for line in lines:
        cells = values(line)
        for at, write in how:
            if (value := cells[at]) is not None:
                cells[at] = write(value)
        yield cells


def _pieces(head: list[str], rows: Iterator[list[Any]], delimiter: str) -> Iterator[str]:
    """Rows as text, the head at once, then some hundred at a time."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    some = [head]
    while some:
        writer.writerows(some)
        yield out.getvalue()
        out.seek(0)
        out.truncate()
        some = list(islice(rows, AT_ONCE))


def _labels(kind: str) -> Callable[[str], str]:
    """The words of an enumeration, looked up once for all rows."""
    words = {value: str(text) for value, text in LABELS[kind].items()}
    return lambda value: words.get(value, value)


def _for_people(zone: ZoneInfo) -> dict[str, Callable[[Any], str]]:
    yes, no, not_yet, condition = _("Yes"), _("No"), _("Not yet"), _labels("condition")
    return {
        "money": lambda text: text.replace(".", ","),
        "percent": lambda value: f"{value:.1f}".replace(".", ","),
        "moment": lambda at: at.astimezone(zone).isoformat(" ", "seconds")[:19],
        "day": date.isoformat,
        "yes": lambda value: yes if value else no,
        "status": _labels("status"),
        "financing": _labels("financing_short"),
        "source": _labels("source"),
        "channel": _labels("channel"),
        "proof": _labels("proof"),
        "program": _labels("credit_program"),
        "not_yet_or_day": lambda value: not_yet if value == NOT_YET else value,
        "conditions": lambda kinds: "; ".join(map(condition, kinds)),
        "text": harmless,
        "phone": harmless,
    }


_MACHINE: dict[str, Callable[[Any], str]] = {
    "percent": lambda value: f"{value:.1f}",
    "moment": rfc3339,
    "day": date.isoformat,
    "yes": lambda value: "true" if value else "false",
    "conditions": " ".join,
    "text": harmless,
}


def _for_workbook(zone: ZoneInfo) -> dict[str, Callable[[Any], Cell]]:
    people: dict[str, Callable[[Any], Cell]] = {**_for_people(zone)}

    def local(at: datetime) -> LocalMoment:
        return LocalMoment(at.astimezone(zone).replace(tzinfo=None))

    return people | {
        "text": str,
        "phone": str,
        "money": lambda decimal: Number(decimal, "money"),
        "percent": lambda value: Number(f"{value / 100:.4f}", "percent"),
        "count": lambda value: Number(str(value), "whole"),
        "moment": local,
        "day": lambda day: day,
        "not_yet_or_day": lambda value: (
            people["not_yet_or_day"](value) if value == NOT_YET else date.fromisoformat(value)
        ),
    }
