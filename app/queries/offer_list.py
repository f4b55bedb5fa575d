"""The list of offers: one filter for rows, counters and export; keyset pages; names opened for the page's rows only."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, select

from app.access import Person, offers_of
from app.extensions import db
from app.keys import unwrap_offer_key
from app.models import Offer, OfferBody, OfferKey, OfferState, Property
from app.models.offer import STATUSES
from app.money import Money
from app.offer_document import Document, decode
from app.vault import Place, unpad, unseal

PAGE = 25
EXPORT_BATCH = 500


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """Which offers. Every field is optional; none holds personal data."""

    status: str | None = None
    property_id: uuid.UUID | None = None
    financing: str | None = None

    def condition(self, *, with_status: bool = True) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.status and with_status:
            found.append(OfferState.status == self.status)
        if self.property_id:
            found.append(OfferState.property_id == self.property_id)
        if self.financing:
            found.append(OfferState.financing == self.financing)
        return found

    def named(self) -> dict[str, str]:
        """The filter as it stands in a URL."""
        pairs = {"status": self.status, "property_id": self.property_id, "financing": self.financing}
        return {name: str(value) for name, value in pairs.items() if value}


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the list, newest first."""

    at: datetime
    offer_id: uuid.UUID

    def __str__(self) -> str:
        return f"{int(self.at.timestamp()) * 1_000_000 + self.at.microsecond:x}-{self.offer_id.hex}"

    @classmethod
    def read(cls, text: str | None) -> Cursor | None:
        """None for anything that is no cursor: the list then begins at the top."""
        moment, _, hexed = (text or "").partition("-")
        try:
            seconds, micros = divmod(int(moment, 16), 1_000_000)
            return cls(datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros), uuid.UUID(hexed))
        except (ValueError, OverflowError, OSError):
            return None

    def older(self) -> ColumnElement[bool]:
        return (OfferState.submitted_at < self.at) | (
            (OfferState.submitted_at == self.at) & (OfferState.offer_id < self.offer_id)
        )

    def newer(self) -> ColumnElement[bool]:
        return (OfferState.submitted_at > self.at) | (
            (OfferState.submitted_at == self.at) & (OfferState.offer_id > self.offer_id)
        )


@dataclass(frozen=True, slots=True)
class OfferLine:
    """One row. `document` is None once the person has been forgotten."""

    id: uuid.UUID
    reference: str
    property_id: uuid.UUID
    property_title: str
    external_id: str | None
    amount: Money
    asking_minor: int | None
    financing: str
    term_days: int
    valid_until: date | None
    signed: bool
    source: str
    status: str
    latest: bool
    submitted_at: datetime
    withdrawn_at: datetime | None
    decided_at: datetime | None
    document: Document | None

    @property
    def name(self) -> str | None:
        return self.document.bidder.full_name if self.document else None

    def lapsed(self, today: date) -> bool:
        """Past its own "valid until" while nobody has decided."""
        return self.status in {"new", "viewed"} and self.valid_until is not None and self.valid_until < today


@dataclass(frozen=True, slots=True)
class OfferPage:
    lines: list[OfferLine]
    newer: Cursor | None
    older: Cursor | None


def _lines(by: Person, chosen: OfferFilter) -> Any:
    state = OfferState
    return (
        select(
            state.offer_id, state.agency_id, state.property_id, state.amount_minor, state.currency, state.financing,
            state.term_days, state.signed, state.source, state.status, state.latest, state.submitted_at,
            state.withdrawn_at, state.decided_at, Offer.reference, Offer.asking_minor, Offer.valid_until,
            Property.title, Property.external_id, OfferBody.body_ct, OfferKey.kek_id, OfferKey.wrapped,
        )
        .join(Offer, Offer.id == state.offer_id)
        .join(Property, Property.id == state.property_id)
        .join(OfferBody, OfferBody.offer_id == state.offer_id, isouter=True)
        .join(OfferKey, OfferKey.offer_id == state.offer_id, isouter=True)
        .where(offers_of(by), *chosen.condition())
    )  # fmt: skip


def _newest_first(query: Any) -> Any:
    return query.order_by(OfferState.submitted_at.desc(), OfferState.offer_id.desc())


def _line(row: Row[Any]) -> OfferLine:
    document = None
    if row.wrapped is not None and row.body_ct is not None:
        key = unwrap_offer_key(row.agency_id, row.offer_id, row.kek_id, row.wrapped)
        document = decode(unpad(unseal(key, Place(row.agency_id, "offer_body", "body", row.offer_id), row.body_ct)))
    return OfferLine(
        id=row.offer_id,
        reference=row.reference,
        property_id=row.property_id,
        property_title=row.title,
        external_id=row.external_id,
        amount=Money(row.amount_minor, row.currency),
        asking_minor=row.asking_minor,
        financing=row.financing,
        term_days=row.term_days,
        valid_until=row.valid_until,
        signed=row.signed,
        source=row.source,
        status=row.status,
        latest=row.latest,
        submitted_at=row.submitted_at,
        withdrawn_at=row.withdrawn_at,
        decided_at=row.decided_at,
        document=document,
    )


def list_offers(
    by: Person, chosen: OfferFilter, *, after: Cursor | None = None, before: Cursor | None = None, limit: int = PAGE
) -> OfferPage:
    """One page, newest first: from the top, older than `after`, or just newer than `before`."""
    query = _lines(by, chosen)
    if before:
        ascending = query.where(before.newer()).order_by(OfferState.submitted_at, OfferState.offer_id)
        rows: Sequence[Row[Any]] = db.session.execute(ascending.limit(limit + 1)).all()
        if len(rows) > limit:
            return _page(rows[limit - 1 :: -1], newer=True, older=True)
        after = None  # less than a page above: the top of the list
    query = query.where(after.older()) if after else query
    rows = db.session.execute(_newest_first(query).limit(limit + 1)).all()
    return _page(rows[:limit], newer=after is not None, older=len(rows) > limit)


def _page(rows: Sequence[Row[Any]], *, newer: bool, older: bool) -> OfferPage:
    def cursor(row: Row[Any]) -> Cursor:
        return Cursor(row.submitted_at, row.offer_id)

    return OfferPage(
        [_line(row) for row in rows],
        cursor(rows[0]) if newer and rows else None,
        cursor(rows[-1]) if older and rows else None,
    )


def count_by_status(by: Person, chosen: OfferFilter) -> dict[str, int]:
    """How many offers each status would show, and under "" how many all would."""
    query = select(OfferState.status, func.count()).where(offers_of(by), *chosen.condition(with_status=False))
    counted = dict.fromkeys(STATUSES, 0)
    for status, count in db.session.execute(query.group_by(OfferState.status)):
        counted[status] = count
    return {"": sum(counted.values()), **counted}


def count_offers(by: Person, chosen: OfferFilter) -> int:
    query = select(func.count()).select_from(OfferState).where(offers_of(by), *chosen.condition())
    return db.session.scalar(query) or 0


def count_new(by: Person) -> int:
    return count_offers(by, OfferFilter(status="new"))


def all_offers(by: Person, chosen: OfferFilter) -> Iterator[OfferLine]:
    """Every offer of the filter, newest first, in batches that hold no transaction open between them."""
    after: Cursor | None = None
    while True:
        query = _newest_first(_lines(by, chosen)).limit(EXPORT_BATCH)
        rows = db.session.execute(query.where(after.older()) if after else query).all()
        db.session.rollback()
        yield from map(_line, rows)
        if len(rows) < EXPORT_BATCH:
            return
        after = Cursor(rows[-1].submitted_at, rows[-1].offer_id)
