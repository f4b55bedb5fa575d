"""The list of offers: keyset pages in any order, counters, and every row of a filter; names opened as rows are read."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache, lru_cache, partial
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Row,
    ScalarSelect,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    union_all,
)
from sqlalchemy.orm import aliased

from app.core.access import ASKING_AGENCY, Person, Reach, asked_by, offers_of
from app.core.formats import COUNTED
from app.core.keys import keyring
from app.core.money import Money
from app.core.planner_hints import Aside
from app.core.vault import Opener, unpad
from app.extensions import db
from app.models import HELD_LINK, Confirmation, Event, Offer, OfferBody, OfferKey, OfferState, Property
from app.models.offer import STATUSES
from app.offers.document import Document, decode
from app.offers.list.filter import OfferFilter, Shape
from app.offers.list.order import DEFAULT_SORT, Cursor, Order
from app.offers.list.search import Search, SearchPage, read_search, scan, totals, visible

__all__ = ["Cursor", "OfferFilter", "OfferLine", "OfferListPage"]

PAGE = 25
SHAPES = 256  # of filters, whose statements are kept


class OfferLine(NamedTuple):
    """One row. `document` is None once the person has been forgotten."""

    id: uuid.UUID
    reference: str
    property_id: uuid.UUID
    property_title: str
    agent_id: uuid.UUID
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
    version: int
    submitted_at: datetime
    withdrawn_at: datetime | None
    decided_at: datetime | None
    in_reserve: bool
    unconfirmed: bool
    held_link: bool
    document: Document | None

    @property
    def awaits_code(self) -> bool:
        """Whether a signature was given that does not count yet: the code was not entered."""
        given = self.document is not None and self.document.terms["signature"] is not None
        return given and not self.signed and not self.held_link

    @property
    def name(self) -> str | None:
        return self.document.terms["bidder"]["full_name"] if self.document else None

    def lapsed(self, today: date) -> bool:
        """Past its own "valid until" while nobody has decided."""
        return self.status in {"new", "viewed"} and self.valid_until is not None and self.valid_until < today


@dataclass(frozen=True, slots=True)
class OfferListPage:
    """One page. `newer` leads to the page before it, `older` to the next one, in whatever order the list stands.

    `counts`: how many offers each status would show, and under "" how many all would; more than `COUNTED` means
    "at least that many".
    """

    lines: list[OfferLine]
    newer: Cursor | None
    older: Cursor | None
    counts: dict[str, int]


def nothing() -> OfferListPage:
    """What a filter shows that could not be read: rather nothing than more than was asked for."""
    return OfferListPage([], None, None, dict.fromkeys(("", *STATUSES), 0))


def ids_in_order(
    by: Person, chosen: OfferFilter, search: Search, order: Order, place: Cursor | None, *, backward: bool = False
) -> Any:
    """The ids of a filter with what they are sorted by. Bodies are read for rows that are shown, never sorted."""
    few = bool(search.conditions or chosen.pins(by.agency_id))
    query = _sorted(order, visible(by, chosen, search), few=few, backward=backward)
    return query.where(order.beyond(place, backward=backward)) if place else query


def _sorted(order: Order, conditions: list[ColumnElement[bool]], *, few: bool, backward: bool) -> Any:
    query = select(OfferState.offer_id, order.key.label("sorted_by")).where(*conditions)
    return order.apply(order.join(query, few=few), backward=backward)


@lru_cache(maxsize=SHAPES)
def _ids_of(reach: Reach, shape: Shape, limit: int, *, backward: bool) -> Any:
    """`ids_in_order` from one end, for whoever looks so far through a filter of this shape."""
    conditions = [reach.offers, *shape.filter.conditions(ASKING_AGENCY)]
    return _sorted(Order(shape.sort), conditions, few=False, backward=backward).limit(limit)


def _read(order: Order, ids: Sequence[uuid.UUID]) -> list[Row[Any]]:
    """Everything about these offers, in this order. The caller has found the ids within what may be seen."""
    rows = db.session.connection().execute(_page_rows(order), {"ids": ids}).all()
    held = {row.offer_id: row for row in rows}
    return [held[offer_id] for offer_id in ids if offer_id in held]


@cache
def _rows(order: Order) -> Any:
    """Building a statement takes longer than running it, so each is built once."""
    state = OfferState
    return (
        select(
            state.offer_id, state.agency_id, state.property_id, state.amount_minor, state.currency, state.financing,
            state.term_days, state.signed, state.source, state.status, state.latest, state.version, state.submitted_at,
            state.withdrawn_at, state.decided_at, Offer.reference, Offer.asking_minor, Offer.valid_until,
            Property.title, Property.agent_id, Property.external_id,
            OfferBody.body_ct, OfferKey.kek_id, OfferKey.wrapped,
            order.key.label("sorted_by"), in_reserve().label("in_reserve"),
            proof_of().label("proof"),
        )
        .join(Offer, Offer.id == state.offer_id)
        .join(Property, Property.id == state.property_id)
        .join(OfferBody, OfferBody.offer_id == state.offer_id, isouter=True)
        .join(OfferKey, OfferKey.offer_id == state.offer_id, isouter=True)
    )  # fmt: skip


@cache
def _page_rows(order: Order) -> Any:
    return _rows(order).where(OfferState.offer_id.in_(bindparam("ids", expanding=True)))


def in_reserve() -> ColumnElement[bool]:
    """Whether an offer waits while another one of its property is accepted: a bank may still refuse that one."""
    other = aliased(OfferState)
    waits = (OfferState.status.in_(("new", "viewed")), OfferState.withdrawn_at.is_(None), OfferState.latest)
    taken = (
        select(other.offer_id)
        .where(other.agency_id == OfferState.agency_id, other.property_id == OfferState.property_id)
        .where(other.status == literal_column("'accepted'"))  # as the index says it
        .where(other.withdrawn_at.is_(None))
    )
    return and_(*waits, taken.exists())


def proof_of() -> ScalarSelect[str]:
    """What shows that an offer is its bidder's: `code` or `held_link`, None where nobody had to say or has said so."""
    return select(Confirmation.proof).where(Confirmation.offer_id == OfferState.offer_id).scalar_subquery()


def _lines_of(rows: Sequence[Row[Any]]) -> list[OfferLine]:
    """All of one agency, as whatever a person may see is."""
    if not rows:
        return []
    opened = keyring().opener(rows[0].agency_id, "offer_body", "body")
    return [_line(row, opened) for row in rows]


def _line(row: Row[Any], opened: Opener) -> OfferLine:
    document = None
    if row.wrapped is not None and row.body_ct is not None:
        document = decode(unpad(opened(row.offer_id.hex, row.kek_id, row.wrapped, row.body_ct)))
    return OfferLine(
        id=row.offer_id,
        reference=row.reference,
        property_id=row.property_id,
        property_title=row.title,
        agent_id=row.agent_id,
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
        version=row.version,
        submitted_at=row.submitted_at,
        withdrawn_at=row.withdrawn_at,
        decided_at=row.decided_at,
        in_reserve=row.in_reserve,
        unconfirmed=row.source != "link" and not (row.proof or row.withdrawn_at or row.wrapped is None),
        held_link=row.proof == HELD_LINK,
        document=document,
    )


def list_offers(
    by: Person,
    chosen: OfferFilter,
    *,
    after: Cursor | None = None,
    before: Cursor | None = None,
    limit: int = PAGE,
    counted: bool = True,
) -> OfferListPage:
    """One page in the filter's order: from the top, what follows `after`, or what comes just before `before`.

    Whoever does not show the counters asks for none with `counted=False`.
    """
    order, search = Order(chosen.sort), read_search(by.agency_id, chosen.q)
    find = partial(scan if search.names else _find, by, chosen, search, order, limit=limit)
    found = find(before, backward=True) if before else None
    if found is None or not found.more:  # less than a page above is the top of the list
        after = None if before else after
        found, before = find(after, backward=False), None
    last = after is not None and not found.ids
    if last:  # what stood there is gone from the list: its end is the nearest that there is
        found = find(None, backward=True)
    ids = found.ids[::-1] if before or last else found.ids
    counts = found.counts or (_count(by, chosen, search) if counted else {})
    newer, older = bool(before or after), bool(before or found.more)
    if last:
        newer, older = found.more, False
    return _page(order, _read(order, ids), counts, newer=newer, older=older)


def _find(
    by: Person, chosen: OfferFilter, search: Search, order: Order, place: Cursor | None, *, backward: bool, limit: int
) -> SearchPage:
    """What the columns in clear decide; the counters are counted apart."""
    who: dict[str, Any] = {}
    if place is None and (shape := chosen.shape()):
        reach, who = asked_by(by)
        query, who = _ids_of(reach, shape, limit + 1, backward=backward), who | chosen.values()
    else:
        query = ids_in_order(by, chosen, search, order, place, backward=backward).limit(limit + 1)
    ids = list(db.session.connection().scalars(query, who))
    return SearchPage(ids[:limit], len(ids) > limit, {})


@dataclass(frozen=True, slots=True)
class Neighbours:
    """An offer within a list: the ones before and after it there; and whether it waits in reserve."""

    before: uuid.UUID | None
    after: uuid.UUID | None
    in_reserve: bool


def standing(by: Person, chosen: OfferFilter, offer: Offer) -> Neighbours:
    """Where an offer, which the caller was allowed to load, stands: also when the filter no longer shows it."""
    order, search = Order(chosen.sort), read_search(by.agency_id, chosen.q)
    query = order.join(select(order.key, in_reserve()).select_from(OfferState)).where(OfferState.offer_id == offer.id)
    value, waits = db.session.execute(query).one()
    before, after = _beside(by, chosen, search, order, order.place_of(value, offer.id))
    return Neighbours(before, after, waits)


def _beside(
    by: Person, chosen: OfferFilter, search: Search, order: Order, place: Cursor
) -> tuple[uuid.UUID | None, uuid.UUID | None]:
    """The one before a place, and the one after it."""
    if search.names:
        find = partial(scan, by, chosen, search, order, place, limit=1)
        return next(iter(find(backward=True).ids), None), next(iter(find(backward=False).ids), None)
    ids = partial(ids_in_order, by, chosen, search, order, place)
    sides = {"before": ids(backward=True), "after": ids(backward=False)}
    rows = [select(literal(side), query.limit(1).subquery().c.offer_id) for side, query in sides.items()]
    found = {row[0]: row[1] for row in db.session.execute(union_all(*rows))}
    return found.get("before"), found.get("after")


def _page(order: Order, rows: Sequence[Row[Any]], counts: dict[str, int], *, newer: bool, older: bool) -> OfferListPage:
    return OfferListPage(
        _lines_of(rows),
        order.place_of(rows[0].sorted_by, rows[0].offer_id) if newer and rows else None,
        order.place_of(rows[-1].sorted_by, rows[-1].offer_id) if older and rows else None,
        counts,
    )


def count_offers(by: Person, chosen: OfferFilter) -> int:
    """How many offers a filter shows, to the last one."""
    search = read_search(by.agency_id, chosen.q)
    if search.names:
        return scan(by, chosen, search, Order(chosen.sort), None, backward=False, limit=0).counts[chosen.status or ""]
    query = select(func.count()).select_from(OfferState).where(*visible(by, chosen, search))
    return db.session.scalar(query) or 0


def count_since(by: Person, chosen: OfferFilter, seen: int) -> int:
    """How many offers of a filter came in after the agency's event number `seen`; past `COUNTED` it stops counting."""
    search = read_search(by.agency_id, chosen.q)
    sent = (Event.agency_id == by.agency_id, Event.seq > seen, Event.type == "offer.created")
    ids = db.session.scalars(select(Event.offer_id).where(*sent).order_by(Event.seq.desc()).limit(COUNTED + 1)).all()
    since = replace(search, conditions=[*search.conditions, OfferState.offer_id.in_(ids)])
    if not ids:
        return 0
    if search.names:
        return scan(by, chosen, since, Order(chosen.sort), None, backward=False, limit=0).counts[chosen.status or ""]
    return db.session.scalar(select(func.count()).select_from(OfferState).where(*visible(by, chosen, since))) or 0


def _count(by: Person, chosen: OfferFilter, search: Search) -> dict[str, int]:
    if (chosen.min_amount, chosen.max_amount) != (None, None) and (counts := _count_in_band(by, chosen, search)):
        return counts
    who: dict[str, Any] = {}
    chosen, few = chosen.without("sort"), bool(search.conditions or chosen.names_few)
    if shape := chosen.shape():
        reach, who = asked_by(by)
        query, who = _counters_of(reach, shape, COUNTED, few=few), who | chosen.values()
    else:
        query = _counters(visible(by, chosen, search, with_status=False), COUNTED, few=few)
    return totals(dict(db.session.connection().execute(query, who).one()._mapping))


@lru_cache(maxsize=SHAPES)
def _counters_of(reach: Reach, shape: Shape, most: int, *, few: bool) -> Any:
    return _counters([reach.offers, *shape.filter.conditions(ASKING_AGENCY, with_status=False)], most, few=few)


def _counters(conditions: list[ColumnElement[bool]], most: int, *, few: bool) -> Any:
    if few:
        each = [func.count().filter(OfferState.status == status).label(status) for status in STATUSES]
        return select(*each).select_from(OfferState).where(*conditions)
    own, *asides = conditions
    conditions = [own, *map(Aside, asides)]  # one status is read along the index that begins with it
    return select(*(_capped(status, conditions, most).label(status) for status in STATUSES))


def _count_in_band(by: Person, chosen: OfferFilter, search: Search) -> dict[str, int] | None:
    """Counting along the index of amounts, which knows where a narrow band is; None when too many are in it."""
    most = len(STATUSES) * COUNTED
    conditions = visible(by, replace(chosen, sort="amount"), search, with_status=False)
    some = select(OfferState.status).where(*conditions).limit(most + 1).subquery()
    rows = db.session.execute(select(some.c.status, func.count()).group_by(some.c.status))
    counts = {row[0]: row[1] for row in rows}
    return totals(counts) if sum(counts.values()) <= most else None


def _capped(status: str, conditions: list[ColumnElement[bool]], most: int) -> ScalarSelect[int]:
    """Counting by status runs along the index that begins with it and holds all that is filtered by."""
    some = select(literal(1)).where(OfferState.status == status, *conditions).limit(most + 1).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


def lines_of(by: Person, offers: Sequence[uuid.UUID]) -> list[OfferLine]:
    """Those of these offers that the person may see, the newest first."""
    return _lines(Aside(offers_of(by)), OfferState.offer_id.in_(offers))


def lines_where(by: Person, *conditions: ColumnElement[bool]) -> list[OfferLine]:
    """The offers that meet the conditions, the newest first: for the few of one page, not for lists."""
    return _lines(offers_of(by), *conditions)


def _lines(*conditions: ColumnElement[bool]) -> list[OfferLine]:
    order = Order(DEFAULT_SORT)
    return _lines_of(db.session.execute(order.apply(_rows(order).where(*conditions))).all())
