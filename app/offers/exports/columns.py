"""The columns of exported offers: the name for machines, the label for people, what kind of value, and the value."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _l

from app.core.money import decimal_text
from app.core.raw_rows import id_text
from app.offers import fields
from app.offers.fields import FIELDS, Group


class Column(NamedTuple):
    """`kind` is how cells are written: money is decimal text, a percentage of 100, a moment aware. `width` is in
    characters, for workbooks. The value is made of what stands at `source` in `Exported`, None for nothing.
    """

    name: str
    label: Any
    kind: str
    width: int = 14
    source: str = ""
    made: Callable[[Any], Any] | None = None


def _money(minor: int | None) -> str | None:
    return decimal_text(minor) if minor else None


def as_day(day: date | str) -> date:
    """What documents and SQLite hold as text."""
    return date.fromisoformat(day) if isinstance(day, str) else day


# How what stands in a document becomes what files write.
MADE: dict[fields.Kind, Callable[[Any], Any]] = {
    fields.DAY: as_day,
    fields.PERCENT: float,
    fields.NAMES: lambda names: "; ".join(names) or None,
    fields.CHOICES: lambda chosen: chosen or None,
}
CLEAR: dict[fields.Kind, Callable[[Any], Any]] = {fields.MONEY: _money, fields.DAY: as_day}


def _of(*groups: Group) -> list[Column]:
    """The columns of the declared fields."""
    found = []
    for group in groups:
        for field in (field for field in FIELDS if field.group is group and field.width):
            heading, cell = field.heading or field.title, field.cell or field.kind.cell
            source = field.clear or ".".join(("sent", "offer", *field.path))
            made = (CLEAR if field.clear else MADE).get(field.kind)
            found.append(Column(field.name, heading, cell, field.width, source, made))
    return found


COLUMNS = (
    Column("reference", _l("Reference"), "code", source="reference"),
    Column("submitted_at", _l("Submitted"), "moment", 18, "submitted_at"),
    Column("status", _l("Status"), "status", source="status"),
    Column("property_title", _l("Property"), "text", 36, "property_title"),
    Column("property_external_id", _l("CRM id"), "text", source="external_id"),
    *_of(Group.OFFER),
    Column("currency", _l("Currency"), "code", 9, "currency"),
    Column("asking_price_at_submission", _l("Asking price"), "money", source="asking_minor", made=_money),
    Column("percent_of_asking_price", _l("% of asking price"), "percent", source="share"),
    *_of(Group.FINANCING, Group.TERMS, Group.BIDDER, Group.MESSAGE),
    Column("signed", _l("Signed"), "yes", source="signed"),
    Column("source", _l("Source"), "source", source="source"),
    Column("channel", _l("How it came"), "channel", 18, "sent.channel"),
    Column("confirmed", _l("Confirmed"), "yes", source="confirmed"),
    Column("confirmation", _l("Confirmed by"), "proof", 22, "proof"),
    Column("is_latest", _l("Latest"), "yes", source="latest"),
    Column("withdrawn_at", _l("Withdrawn"), "moment", 18, "withdrawn_at"),
    Column("id", _l("Id"), "code", 38, "id", id_text),
)
