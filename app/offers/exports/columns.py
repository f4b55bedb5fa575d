"""The columns of exported offers: the name for machines, the label for people, what kind of value, and the value."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import date
from operator import attrgetter
from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _l

from app.core.money import decimal_text
from app.core.raw_rows import id_text
from app.offers import fields
from app.offers.exports.reading import Exported, Sent, SentTerms
from app.offers.fields import FIELDS, Group


class Kind(enum.Enum):
    """What a value is. Money is decimal text, a percentage of 100, a moment aware; conditions are a list."""

    TEXT = "text"
    PHONE = "phone"
    CODE = "code"
    MONEY = "money"
    PERCENT = "percent"
    COUNT = "count"
    MOMENT = "moment"
    DAY = "day"
    YES = "yes"
    STATUS = "status"
    FINANCING = "financing"
    SOURCE = "source"
    CHANNEL = "channel"
    PROOF = "proof"
    PROGRAM = "program"
    CONDITIONS = "conditions"


class Column(NamedTuple):
    """`width` in characters, for workbooks. The value is made of what stands at `source` in `Exported`."""

    name: str
    label: Any
    kind: Kind
    width: int = 14
    source: str = ""
    made: Callable[[Any], Any] | None = None


def _money(minor: int | None) -> str | None:
    return decimal_text(minor) if minor else None


# How what stands in a document becomes what files write.
MADE: dict[fields.Kind, Callable[[Any], Any]] = {
    fields.DAY: date.fromisoformat,
    fields.PERCENT: float,
    fields.NAMES: lambda names: "; ".join(names) or None,
    fields.CHOICES: lambda chosen: chosen or None,
}
CLEAR: dict[fields.Kind, Callable[[Any], Any]] = {fields.MONEY: _money}


def _of(*groups: Group) -> list[Column]:
    """The columns of the declared fields."""
    found = []
    for group in groups:
        for one in (one for one in FIELDS if one.group is group and one.width):
            heading, cell = one.heading or one.title, Kind(one.cell or one.kind.cell)
            source = one.clear or ".".join(("sent", "offer", *one.path))
            made = (CLEAR if one.clear else MADE).get(one.kind)
            found.append(Column(one.name, heading, cell, one.width, source, made))
    return found


COLUMNS = (
    Column("reference", _l("Reference"), Kind.CODE, source="reference"),
    Column("submitted_at", _l("Submitted"), Kind.MOMENT, 18, "submitted_at"),
    Column("status", _l("Status"), Kind.STATUS, source="status"),
    Column("property_title", _l("Property"), Kind.TEXT, 36, "property_title"),
    Column("property_external_id", _l("CRM id"), Kind.TEXT, source="external_id"),
    *_of(Group.OFFER),
    Column("currency", _l("Currency"), Kind.CODE, 9, "currency"),
    Column("asking_price_at_submission", _l("Asking price"), Kind.MONEY, source="asking_minor", made=_money),
    Column("percent_of_asking_price", _l("% of asking price"), Kind.PERCENT, source="share"),
    *_of(Group.FINANCING, Group.TERMS, Group.BIDDER, Group.MESSAGE),
    Column("signed", _l("Signed"), Kind.YES, source="signed"),
    Column("source", _l("Source"), Kind.SOURCE, source="source"),
    Column("channel", _l("How it came"), Kind.CHANNEL, 18, "sent.channel"),
    Column("confirmed", _l("Confirmed"), Kind.YES, source="confirmed"),
    Column("confirmation", _l("Confirmed by"), Kind.PROOF, 22, "proof"),
    Column("is_latest", _l("Latest"), Kind.YES, source="latest"),
    Column("withdrawn_at", _l("Withdrawn"), Kind.MOMENT, 18, "withdrawn_at"),
    Column("id", _l("Id"), Kind.CODE, 38, "id", id_text),
)
_HELD = attrgetter(*(column.source for column in COLUMNS))
_MADE = [(at, column.made) for at, column in enumerate(COLUMNS) if column.made]
_NOTHING = Sent(SentTerms())


def values(line: Exported) -> list[Any]:
    """One offer, in the order of `COLUMNS`; None where there is nothing, as after a person has been forgotten."""
    cells = list(_HELD(line if line.sent else line._replace(sent=_NOTHING)))
    for at, made in _MADE:
        if (value := cells[at]) is not None:
            cells[at] = made(value)
    return cells
