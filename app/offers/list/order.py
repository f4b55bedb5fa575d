"""The order of a list of offers, and places in it: keyset cursors in both directions, whatever the column."""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, literal, or_, tuple_

from app.core.planner_hints import InOrder
from app.core.raw_rows import AsDriverGave
from app.models import Offer, OfferState, Property
from app.models.offer import STATUSES


@dataclass(frozen=True, slots=True)
class Sort:
    """A column kept in clear. `kind` is the type of its values; empty ones stand last, whichever way it runs.

    `beside` is the table that holds it, and how it is joined, where that is not `OfferState` itself; `leads` says that
    an index of that table has its rows in this order, so that a page needs no more than its own.
    """

    by: Any
    kind: type
    nullable: bool = False
    beside: tuple[Any, ColumnElement[bool]] | None = None
    leads: bool = False


_OFFER = (Offer, Offer.id == OfferState.offer_id)
_PROPERTY = (Property, Property.id == OfferState.property_id)

SORTS: dict[str, Sort] = {
    "submitted_at": Sort(OfferState.submitted_at, datetime),
    "updated_at": Sort(OfferState.updated_at, datetime),
    "viewed_at": Sort(OfferState.viewed_at, datetime, nullable=True),
    "decided_at": Sort(OfferState.decided_at, datetime, nullable=True),
    "withdrawn_at": Sort(OfferState.withdrawn_at, datetime, nullable=True),
    "valid_until": Sort(Offer.valid_until, date, nullable=True, beside=_OFFER, leads=True),
    "amount": Sort(OfferState.amount_minor, int),
    "asking_price_at_submission": Sort(Offer.asking_minor, int, nullable=True, beside=_OFFER),
    "payment_term_days": Sort(OfferState.term_days, int),
    "status": Sort(case({status: n for n, status in enumerate(STATUSES)}, value=OfferState.status), int),
    "financing": Sort(OfferState.financing, str),
    "source": Sort(OfferState.source, str),
    "signed": Sort(OfferState.signed, bool),
    "latest": Sort(OfferState.latest, bool),
    "reference": Sort(Offer.reference, str, beside=_OFFER),
    "property": Sort(Property.title, str, beside=_PROPERTY, leads=True),
}
DEFAULT_SORT = "-submitted_at"
WITHIN_ONE_CURRENCY = {f"{sign}{name}" for name in ("amount", "asking_price_at_submission") for sign in ("", "-")}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in a list: the value sorted by and the id of one row, and the order in which that means anything."""

    sort: str
    value: Any
    offer_id: uuid.UUID

    def __str__(self) -> str:
        value = self.value.isoformat() if isinstance(self.value, date) else self.value
        text = json.dumps([self.sort, value, self.offer_id.hex], ensure_ascii=False, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str | None, sort: str) -> Cursor | None:
        """None for anything that is no cursor in this order: the list then begins at the top."""
        if not text or len(text) > 2000:
            return None
        try:
            found = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
            named, value, hexed = found
            if named != sort:
                return None
            return cls(sort, _value(SORTS[sort.removeprefix("-")], value), uuid.UUID(hexed))
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, binascii.Error):
            return None


def _value(sort: Sort, value: Any) -> Any:
    """What stood in a cursor, as the column's own type; raise `ValueError` for anything a row cannot hold."""
    if value is None and sort.nullable:
        return None
    if sort.kind is datetime:
        at = datetime.fromisoformat(value)
        return at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    if sort.kind is date:
        return date.fromisoformat(value)
    if type(value) is not sort.kind:
        raise ValueError(value)
    if (isinstance(value, int) and abs(value) >= 2**63) or (isinstance(value, str) and b"\0" in value.encode()):
        raise ValueError(value)
    return value


@dataclass(frozen=True, slots=True)
class Order:
    """A list's order; `name` is a key of `SORTS`, with `-` in front when it runs downward."""

    name: str

    @property
    def _sort(self) -> Sort:
        return SORTS[self.name.removeprefix("-")]

    @property
    def key(self) -> ColumnElement[Any]:
        """What rows are sorted by, to be selected beside them for their cursors."""
        by: ColumnElement[Any] = self._sort.by
        return by

    @property
    def _id(self) -> Any:
        """The offer's id, from the table of the key where that has it: an index holds both."""
        return Offer.id if self._sort.beside is _OFFER else OfferState.offer_id

    def join(self, query: Select[Any], *, few: bool = True) -> Select[Any]:
        """A query over `OfferState` with the table that the key is in; unless that finds `few`, it is read first."""
        if not self._sort.beside:
            return query
        table, on = self._sort.beside
        if few or not self._sort.leads:
            return query.join(table, on)
        here = and_(on, table.agency_id == OfferState.agency_id)
        return query.select_from(InOrder(table.__table__, OfferState.__table__, here))

    def apply(self, query: Select[Any], *, backward: bool = False) -> Select[Any]:
        """The query in this order, or from its end."""
        down = self.name.startswith("-") != backward
        ordered = [column.desc() if down else column.asc() for column in (self.key, self._id)]
        if self._sort.nullable:
            ordered[0] = ordered[0].nulls_first() if backward else ordered[0].nulls_last()
        return query.order_by(*ordered)

    def beyond(self, place: Cursor, *, backward: bool = False) -> ColumnElement[bool]:
        """The rows that follow a place, or with `backward` those that come before it."""
        own_id = literal(place.offer_id, OfferState.offer_id.type)
        value = None if place.value is None else literal(place.value, self.key.type)
        return self.past(value, own_id, backward=backward)

    def beyond_given(self, *, empty: bool) -> ColumnElement[bool]:
        """The rows that follow the one whose `last_id` and, unless its key is `empty`, `last_value` a statement is run
        with, both as the driver gave them."""
        value = None if empty else bindparam("last_value", type_=AsDriverGave())
        return self.past(value, bindparam("last_id", type_=AsDriverGave()), backward=False)

    def past(self, value: Any, own_id: Any, *, backward: bool) -> ColumnElement[bool]:
        """The same of a place given as expressions; `value` is None where the row's key is empty."""
        down = self.name.startswith("-") != backward
        past_id = OfferState.offer_id < own_id if down else OfferState.offer_id > own_id
        if value is None:
            beside = and_(self.key.is_(None), past_id)
            return or_(self.key.is_not(None), beside) if backward else beside
        here = tuple_(self.key, OfferState.offer_id)
        there = tuple_(value, own_id)
        past = here < there if down else here > there
        return or_(past, self.key.is_(None)) if self._sort.nullable and not backward else past

    def place_of(self, value: Any, offer_id: uuid.UUID) -> Cursor:
        return Cursor(self.name, value, offer_id)
