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
from datetime import UTC, date, datetime
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
from app.offers.exports.columns import COLUMNS, as_day
from app.offers.exports.reading import Exported
from app.offers.exports.rows import row_maker
from app.offers.exports.workbook import NOTHING, day_cell, moment_cell, number_cell, text_cell, workbook
from app.offers.fields import NOT_YET
from app.offers.list.filter import OfferFilter
from app.offers.list.pages import count_offers

PURPOSES = ("seller", "agency", "accounting", "person", "other")
BOM = "\ufeff"
EXACT = 11  # digits that a spreadsheet shows as they are, not as 1.2E+11
AT_ONCE = 200  # rows in one piece of the answer
# What spreadsheets take for a formula, at the start of a cell or after anything that another setting takes for a
# separator; some of East Asia take the wide signs for it too (OWASP, CSV Injection).
_SIGNS = frozenset("=+-@\t\r＝＋－＠")
_BREAKS = frozenset(";,\t\r\n")
# Most cells have nothing of it within, and many begin with one, as all phone numbers do: those go the short way.
_WITHIN = re.compile(r"[;,\t\r\n\x00]")
_START = re.compile(r"\s*[=+\-@\t\r＝＋－＠]")
_AFTER = re.compile(r"[;,\t\r\n][^\S\t\r\n]*[=+\-@\t\r＝＋－＠]")
# A letter first and no separator: what names, addresses and titles are.
_PLAIN = re.compile(r"[A-Za-zĂÂÎȘȚăâîșț][^;,\t\r\n\x00]*")


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
    if _PLAIN.fullmatch(text):
        return text
    if (text[:1] == "0" and text[1:].isdigit()) or (len(text) > EXACT and text.isdigit()):
        return f"'{text}"
    if _WITHIN.search(text):
        text = text.replace("\x00", "")
        return _quoted(text) if _AFTER.search(text) or _START.match(text) else text
    if begun := _START.match(text):
        return f"{text[: begun.end() - 1]}'{text[begun.end() - 1 :]}"
    return text


def _harmless_phone(text: str) -> str:
    """The same of what nearly always is a plus sign and digits."""
    return f"'{text}" if text[:1] == "+" and text[1:].isdigit() else harmless(text)


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
    row = row_maker(_for_people(ZoneInfo(zone)), str, "")
    yield from _pieces([str(column.label) for column in COLUMNS], map(row, lines), ";")


def machine_csv(lines: Iterable[Exported]) -> Iterator[str]:
    """The file for machines."""
    yield from _pieces([column.name for column in COLUMNS], map(row_maker(_MACHINE, str, ""), lines), ",")


def offers_xlsx(lines: Iterable[Exported], zone: str) -> Iterator[bytes]:
    """The workbook, in the reader's language."""
    widths = [column.width for column in COLUMNS]
    row = row_maker(_for_workbook(ZoneInfo(zone)), text_cell, NOTHING)
    return workbook(_("Offers"), [str(column.label) for column in COLUMNS], widths, map(row, lines))


def _pieces(head: list[str], rows: Iterator[list[str]], delimiter: str) -> Iterator[str]:
    """Rows as text, the head at once, then some hundred at a time."""
    quoted, between = _quoted_rows(delimiter), len(head) - 1
    some = [head]
    while some:
        texts = []
        for row in some:
            text = delimiter.join(row)
            # Most rows hold nothing that a CSV file quotes; the others are left to who knows how.
            plain = text.count(delimiter) == between and not ('"' in text or "\n" in text or "\r" in text)
            texts.append(text if plain else quoted(row))
        yield "\r\n".join([*texts, ""])
        some = list(islice(rows, AT_ONCE))


def _quoted_rows(delimiter: str) -> Callable[[list[str]], str]:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")

    def quoted(row: list[str]) -> str:
        writer.writerow(row)
        text = out.getvalue().removesuffix("\r\n")
        out.seek(0)
        out.truncate()
        return text

    return quoted


def _day_text(day: date | str) -> str:
    return day if type(day) is str else day.isoformat()  # type: ignore[union-attr]  # a text is its own


def _moment(at: datetime | str) -> datetime:
    return datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at


class _Clock:
    """Moments in an agency's zone: of one hour all have the same offset, unless the clocks change within it."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._hours: dict[str, str | None] = {}

    def text(self, at: datetime | str) -> str:
        """`2026-11-23 17:11:20`."""
        if type(at) is not str:
            return self._spelled(at)  # type: ignore[arg-type]  # `type(…) is` narrows nothing for mypy
        hour = at[:13]
        if hour not in self._hours:
            self._hours[hour] = self._local(hour)
        local = self._hours[hour]
        return f"{local}{at[13:19]}" if local else self._spelled(_moment(at))

    def _local(self, hour: str) -> str | None:
        """The same hour here, or None where its minutes are others."""
        first, last = (self._spelled(_moment(f"{hour}:{rest}")) for rest in ("00:00", "59:59"))
        return first[:13] if first[:13] == last[:13] else None

    def _spelled(self, at: datetime) -> str:
        return at.astimezone(self._zone).isoformat(" ", "seconds")[:19]


def _labels(kind: str) -> Callable[[str], str]:
    """The words of an enumeration, looked up once for all rows."""
    words = {value: str(text) for value, text in LABELS[kind].items()}
    return lambda value: words.get(value, value)


def _for_people(zone: ZoneInfo) -> dict[str, Callable[[Any], str]]:
    yes, no, not_yet, condition = _("Yes"), _("No"), _("Not yet"), _labels("condition")
    return {
        "money": lambda text: text.replace(".", ","),
        "percent": lambda value: f"{value:.1f}".replace(".", ","),
        "moment": _Clock(zone).text,
        "day": _day_text,
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
        "phone": _harmless_phone,
    }


_MACHINE: dict[str, Callable[[Any], str]] = {
    "percent": lambda value: f"{value:.1f}",
    "moment": lambda at: rfc3339(_moment(at)),
    "day": _day_text,
    "yes": lambda value: "true" if value else "false",
    "conditions": " ".join,
    "text": harmless,
}


def _for_workbook(zone: ZoneInfo) -> dict[str, Callable[[Any], str]]:
    people = _for_people(zone)
    local = people["moment"]

    def moment(at: datetime | str) -> str:
        text = local(at)
        hours, minutes, seconds = int(text[11:13]), int(text[14:16]), int(text[17:19])
        return moment_cell(date.fromisoformat(text[:10]), (hours * 60 + minutes) * 60 + seconds)

    def viewing(value: str) -> str:
        return text_cell(people["not_yet_or_day"](value)) if value == NOT_YET else day_cell(as_day(value))

    worded = ("yes", "status", "financing", "source", "channel", "proof", "program", "conditions")
    return {
        **{kind: _then(people[kind], text_cell) for kind in worded},
        "money": lambda decimal: number_cell(decimal, "money"),
        "percent": lambda value: number_cell(f"{value / 100:.4f}", "percent"),
        "count": lambda value: number_cell(str(value), "whole"),
        "moment": moment,
        "day": lambda day: day_cell(as_day(day)),
        "not_yet_or_day": viewing,
    }


def _then(first: Callable[[Any], str], second: Callable[[str], str]) -> Callable[[Any], str]:
    return lambda value: second(first(value))
