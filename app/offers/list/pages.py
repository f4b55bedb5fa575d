"""The list of offers: keyset pages in any order, counters, and every row of a filter; names opened as rows are read."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, func, literal, select, union_all

from app.core.access import Person, offers_of
from app.core.database import is_sqlite
from app.core.formats import COUNTED
from app.core.keys import keyring
from app.core.money import Money
from app.core.planner_hints import Aside
from app.core.raw_rows import as_given, hex_of, raw_id
from app.core.vault import Opener, unpad
from app.extensions import db
from app.models import HELD_LINK, Event, Offer, OfferState
from app.models.offer import STATUSES
from app.offers.document import Document, decode
from app.offers.list import statements
from app.offers.list.filter import OfferFilter
from app.offers.list.order import DEFAULT_SORT, Cursor, Order
from app.offers.list.search import Search, SearchPage, read_search, scan, totals, visible
from app.offers.list.statements import in_reserve

__all__ = ["Cursor", "OfferFilter", "OfferLine", "OfferListPage"]

PAGE = 25
BAND = 10  # times as many offers between two amounts as are counted: so many are looked at one by one


class OfferLine(NamedTuple):
    """One row. `name` is None once the person has been forgotten; `document` is there where all of it was asked for."""

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
    name: str | None
    gave_signature: bool
    document: Document | None

    @property
    def awaits_code(self) -> bool:
        """Whether a signature was given that does not count yet: the code was not entered."""
        return self.gave_signature and not self.signed and not self.held_link

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
    query = statements.in_order(order, visible(by, chosen, search), few=few, backward=backward)
    return query.where(order.beyond(place, backward=backward)) if place else query


def _read(order: Order, ids: Sequence[Any]) -> list[Any]:
    """Everything about these offers, in this order. The caller has found the ids within what may be seen."""
    if not ids:
        return []
    query, connection = statements.page_rows(order, sqlite=is_sqlite(db.engine)), db.session.connection()
    held = {row[0]: row for row in query.raw(connection, ids=as_given(ids))}
    return [query.row(connection, held[offer_id]) for offer_id in ids if offer_id in held]


def _lines_of(rows: Sequence[Any], *, whole: bool = False) -> list[OfferLine]:
    """All of one agency, as whatever a person may see is; with `whole`, what was sealed is read to the end."""
    if not rows:
        return []
    opened = keyring().opener(rows[0].agency_id, "offer_body", "body")
    return [_line(row, opened, whole) for row in rows]


class _Bidder(msgspec.Struct, gc=False):
    full_name: str


class _Terms(msgspec.Struct, gc=False):
    bidder: _Bidder
    signature: dict[str, Any] | None = None


class _Sent(msgspec.Struct, gc=False):
    """What a list shows of what was sealed; the rest is passed over."""

    offer: _Terms


_sent = msgspec.json.Decoder(_Sent).decode


def _line(row: Any, opened: Opener, whole: bool) -> OfferLine:
    (
        offer_id, _agency, reference, property_id, title, agent_id, external_id, amount, currency, asking, financing,
        term_days, valid_until, signed, source, status, latest, version, submitted_at, withdrawn_at, decided_at,
        waits, proof, kek_id, wrapped, body_ct, _sorted_by,
    ) = row  # fmt: skip
    name, signature, document = None, None, None
    if wrapped is not None and body_ct is not None:
        text = unpad(opened(offer_id.hex, kek_id, wrapped, body_ct))
        sent = _sent(text).offer
        name, signature, document = sent.bidder.full_name, sent.signature, decode(text) if whole else None
    unconfirmed = source != "link" and not (proof or withdrawn_at or wrapped is None)
    return OfferLine(
        offer_id, reference, property_id, title, agent_id, external_id, Money(amount, currency), asking, financing,
        term_days, valid_until, signed, source, status, latest, version, submitted_at, withdrawn_at, decided_at,
        waits, unconfirmed, proof == HELD_LINK, name, signature is not None, document,
    )  # fmt: skip


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
    """What the columns in clear decide, and names of which few match; else the counters are counted apart."""
    connection = db.session.connection()
    if how := statements.asked(by, chosen, search):
        at = {"place": place is not None, "null": place is not None and place.value is None, "backward": backward}
        given = how[1] if place is None else {**how[1], "place_id": place.offer_id, "place_value": place.value}
        if how[0].found:
            rows = statements.walk(how[0], **at).raw(connection, **given)
            counts = totals(Counter(row[1] for row in rows))
            ids = [offer_id for offer_id, status, follows in rows if follows and chosen.status in {None, status}]
            return SearchPage(ids[:limit], len(ids) > limit, counts)
        ids = [row[0] for row in statements.ids(how[0], limit + 1, **at).raw(connection, **given)]
    else:
        made = ids_in_order(by, chosen, search, order, place, backward=backward)
        made = made.with_only_columns(raw_id(OfferState.offer_id), order.key)
        ids = list(connection.scalars(made.limit(limit + 1)))
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
        either = [next(iter(find(backward=backward).ids), None) for backward in (True, False)]
        before, after = (None if found is None else uuid.UUID(hex_of(found)) for found in either)
        return before, after
    ids = partial(ids_in_order, by, chosen, search, order, place)
    sides = {"before": ids(backward=True), "after": ids(backward=False)}
    rows = [select(literal(side), query.limit(1).subquery().c.offer_id) for side, query in sides.items()]
    found = {row[0]: row[1] for row in db.session.execute(union_all(*rows))}
    return found.get("before"), found.get("after")


def _page(order: Order, rows: Sequence[Any], counts: dict[str, int], *, newer: bool, older: bool) -> OfferListPage:
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
    connection = db.session.connection()
    few = bool(search.conditions or chosen.names_few)
    how = statements.asked(by, chosen.without("sort"), search)
    if how is None:
        query = statements.counted(visible(by, chosen.without("sort"), search, with_status=False), COUNTED, few=few)
        return totals(dict(connection.execute(query).one()._mapping))
    if (chosen.min_amount, chosen.max_amount) != (None, None) and (counts := _count_in_band(*how)):
        return counts
    return totals(statements.counters(how[0], COUNTED, few=few).one(connection, **how[1])._asdict())


def _count_in_band(how: statements.Asked, values: dict[str, Any]) -> dict[str, int] | None:
    """Every offer between the amounts is looked at; None when there are too many of them."""
    connection, most = db.session.connection(), BAND * COUNTED
    if how.found or statements.band_width(how, most).one(connection, **values).width > most:
        return None
    return totals(dict(statements.band_counters(how).all(connection, **values)))


def lines_of(by: Person, offers: Sequence[uuid.UUID]) -> list[OfferLine]:
    """Those of these offers that the person may see, the newest first, each with its document."""
    return _lines(Aside(offers_of(by)), OfferState.offer_id.in_(offers))


def lines_where(by: Person, *conditions: ColumnElement[bool]) -> list[OfferLine]:
    """The offers that meet the conditions, the newest first: for the few of one page, not for lists."""
    return _lines(offers_of(by), *conditions)


def _lines(*conditions: ColumnElement[bool]) -> list[OfferLine]:
    order = Order(DEFAULT_SORT)
    query = order.apply(statements.rows(order).where(*conditions))
    return _lines_of(db.session.execute(query).all(), whole=True)
