"""Taking offers out: the files, and the record of who took what, and what for.

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
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from sqlalchemy import insert

from app.access import Person
from app.clock import rfc3339
from app.ids import new_id
from app.models import Access
from app.presentation import LABELS
from app.queries.offer_filter import OfferFilter
from app.queries.offer_list import OfferLine, count_offers
from app.services.export_columns import COLUMNS, Kind, values
from app.services.workbook import Cell, Moment, Number, workbook
from app.writing import writing

PURPOSES = ("seller", "agency", "accounting", "person", "other")
BOM = "\ufeff"
AT_ONCE = 200  # rows in one piece of the answer
# What Excel takes for a formula, at the start of a cell or after anything that another setting takes for a separator.
_FORMULA = re.compile(r"(^|[;,\t\r\n])(\s*)(?=[=+\-@\t\r])")
_SUSPECT = re.compile(r"[=+\-@\t\r\x00]")


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
    """A cell that no spreadsheet computes."""
    return _FORMULA.sub(r"\1\2'", text.replace("\x00", "")) if _SUSPECT.search(text) else text


def offers_csv(lines: Iterable[OfferLine], zone: str) -> Iterator[str]:
    """The file for people, in their language."""
    shown = _for_people(ZoneInfo(zone))
    how = [shown.get(column.kind, str) for column in COLUMNS]
    rows = (
        [harmless(show(value)) if value is not None else "" for show, value in zip(how, values(line), strict=True)]
        for line in lines
    )
    yield BOM
    yield from _pieces([str(column.label) for column in COLUMNS], rows, ";")


def machine_csv(lines: Iterable[OfferLine]) -> Iterator[str]:
    """The file for machines."""
    how = [_MACHINE.get(column.kind, str) for column in COLUMNS]
    rows = (
        [show(value) if value is not None else "" for show, value in zip(how, values(line), strict=True)]
        for line in lines
    )
    yield from _pieces([column.name for column in COLUMNS], rows, ",")


def offers_xlsx(lines: Iterable[OfferLine], zone: str) -> Iterator[bytes]:
    """The workbook, in the reader's language."""
    how = [_for_workbook(ZoneInfo(zone)).get(column.kind, str) for column in COLUMNS]
    rows = (
        [show(value) if value is not None else None for show, value in zip(how, values(line), strict=True)]
        for line in lines
    )
    widths = [column.width for column in COLUMNS]
    return workbook(_("Offers"), [str(column.label) for column in COLUMNS], widths, rows)


def _pieces(head: list[str], rows: Iterable[list[str]], delimiter: str) -> Iterator[str]:
    """Rows as text, the first ones at once, then some hundred at a time."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(head)
    yield out.getvalue()
    out.seek(0)
    out.truncate()
    for n, row in enumerate(rows):
        writer.writerow(row)
        if n % AT_ONCE == 0:
            yield out.getvalue()
            out.seek(0)
            out.truncate()
    yield out.getvalue()


def _comma(minor: int) -> str:
    return f"{minor // 100},{minor % 100:02d}"


def _point(minor: int) -> str:
    return f"{minor // 100}.{minor % 100:02d}"


def _labels(kind: str) -> Callable[[str], str]:
    """The words of an enumeration, looked up once for all rows."""
    words = {value: str(text) for value, text in LABELS[kind].items()}
    return lambda value: words.get(value, value)


def _for_people(zone: ZoneInfo) -> dict[Kind, Callable[[Any], str]]:
    yes, no = _("Yes"), _("No")
    return {
        Kind.MONEY: _comma,
        Kind.PERCENT: lambda value: f"{value:.1f}".replace(".", ","),
        Kind.MOMENT: lambda at: at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        Kind.DAY: date.isoformat,
        Kind.YES: lambda value: yes if value else no,
        Kind.STATUS: _labels("status"),
        Kind.FINANCING: _labels("financing_short"),
        Kind.SOURCE: _labels("source"),
        Kind.CHANNEL: _labels("channel"),
        Kind.PROGRAM: _labels("credit_program"),
    }


_MACHINE: dict[Kind, Callable[[Any], str]] = {
    Kind.MONEY: _point,
    Kind.PERCENT: lambda value: f"{value:.1f}",
    Kind.MOMENT: rfc3339,
    Kind.DAY: date.isoformat,
    Kind.YES: lambda value: "true" if value else "false",
    Kind.TEXT: harmless,
}


def _for_workbook(zone: ZoneInfo) -> dict[Kind, Callable[[Any], Cell]]:
    people: dict[Kind, Callable[[Any], Cell]] = {**_for_people(zone)}

    def local(at: datetime) -> Moment:
        return Moment(at.astimezone(zone).replace(tzinfo=None))

    return people | {
        Kind.MONEY: lambda minor: Number(_point(minor), "money"),
        Kind.PERCENT: lambda value: Number(f"{value / 100:.4f}", "percent"),
        Kind.COUNT: lambda value: Number(str(value), "whole"),
        Kind.MOMENT: local,
        Kind.DAY: lambda day: day,
    }
