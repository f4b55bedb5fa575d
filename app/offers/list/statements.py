"""The statements of the list: built and compiled once for each shape of filter, and run with the values of who asks.

Building one takes longer than running it. A statement names the agency, the agent and each value of the filter as a
parameter (`app.core.access.Reach`), so that a kept one is nobody's.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, ScalarSelect, and_, bindparam, func, literal, literal_column, select
from sqlalchemy.orm import aliased

from app.core.access import ASKING_AGENCY, Person, Reach, asked_by
from app.core.database import is_sqlite
from app.core.planner_hints import Aside
from app.core.raw_rows import among_given
from app.core.statements import Query
from app.extensions import db
from app.models import Confirmation, Offer, OfferBody, OfferKey, OfferState, Property
from app.models.offer import STATUSES
from app.offers.list.filter import OfferFilter, Shape
from app.offers.list.order import Order
from app.offers.list.search import Search

SHAPES = 256  # of filters, whose statements are kept
_BAND = frozenset({"currency", "min_amount", "max_amount"})


class Asked(NamedTuple):
    """What a statement is made of beside values. `found`: a search has named the offers; `sqlite`: on which engine."""

    reach: Reach
    shape: Shape
    found: bool
    sqlite: bool

    def conditions(self, *, with_status: bool = True) -> list[ColumnElement[bool]]:
        """What is shown. Offers that were named are looked up, and all else is checked."""
        own = [self.reach.offers, *self.shape.filter.conditions(ASKING_AGENCY, with_status=with_status)]
        if not self.found:
            return own
        named = [among_given(OfferState.offer_id, "found"), OfferState.erased_at.is_(None)]
        return [*named, *map(Aside, own)]


def asked(by: Person, chosen: OfferFilter, search: Search) -> tuple[Asked, dict[str, Any]] | None:
    """Which statements, and the values of this reader; None where one is made for this very filter."""
    shape = (chosen.without("q") if search.found is not None else chosen).shape()
    if shape is None:
        return None
    reach, values = asked_by(by)
    found = {} if search.found is None else {"found": search.found}
    return Asked(reach, shape, bool(found), is_sqlite(db.engine)), values | chosen.values() | found


@lru_cache(maxsize=SHAPES)
def ids(how: Asked, limit: int, *, backward: bool, place: bool, null: bool) -> Query:
    """The ids from one end, or from a `place` on, whose value may be none."""
    order = Order(how.shape.sort)
    query = in_order(order, how.conditions(), few=how.found, backward=backward).limit(limit)
    return Query(query.where(_past(order, backward=backward, null=null)) if place else query)


@lru_cache(maxsize=SHAPES)
def walk(how: Asked, *, backward: bool, place: bool, null: bool) -> Query:
    """All that were named, of whatever status: id, status, whether it follows the `place`. They are looked up once."""
    order = Order(how.shape.sort)
    follows = _past(order, backward=backward, null=null) if place else literal(True)
    query = in_order(order, how.conditions(with_status=False), few=True, backward=backward)
    return Query(query.with_only_columns(OfferState.offer_id, OfferState.status, follows.label("follows")))


def _past(order: Order, *, backward: bool, null: bool) -> ColumnElement[bool]:
    """What follows the place whose `place_id` and `place_value` a statement is run with."""
    value = None if null else bindparam("place_value", type_=order.key.type)
    return order.past(value, bindparam("place_id", type_=OfferState.offer_id.type), backward=backward)


def in_order(order: Order, conditions: list[ColumnElement[bool]], *, few: bool, backward: bool) -> Any:
    query = select(OfferState.offer_id, order.key.label("sorted_by")).where(*conditions)
    return order.apply(order.join(query, few=few), backward=backward)


@cache
def page_rows(order: Order, *, sqlite: bool) -> Query:
    """Everything about the offers named by `ids`, in no order."""
    del sqlite  # among which ids are given differs
    return Query(rows(order).where(among_given(OfferState.offer_id, "ids")))


@cache
def rows(order: Order) -> Any:
    """Everything about offers that a list shows, as `app.offers.list.pages` takes it apart."""
    state = OfferState
    return (
        select(
            state.offer_id, state.agency_id, Offer.reference, state.property_id, Property.title, Property.agent_id,
            Property.external_id, state.amount_minor, state.currency, Offer.asking_minor, state.financing,
            state.term_days, Offer.valid_until, state.signed, state.source, state.status, state.latest, state.version,
            state.submitted_at, state.withdrawn_at, state.decided_at, in_reserve().label("in_reserve"),
            proof_of().label("proof"), OfferKey.kek_id, OfferKey.wrapped, OfferBody.body_ct,
            order.key.label("sorted_by"),
        )
        .join(Offer, Offer.id == state.offer_id)
        .join(Property, Property.id == state.property_id)
        .join(OfferBody, OfferBody.offer_id == state.offer_id, isouter=True)
        .join(OfferKey, OfferKey.offer_id == state.offer_id, isouter=True)
    )  # fmt: skip


def in_reserve() -> ColumnElement[bool]:
    """Whether an offer waits while another one of its property is accepted: a bank may still refuse that one."""
    other = aliased(OfferState)
    open_yet = OfferState.status.in_((literal_column("'new'"), literal_column("'viewed'")))
    waits = (open_yet, OfferState.withdrawn_at.is_(None), OfferState.latest)
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


# --- counters ---------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=SHAPES)
def counters(how: Asked, most: int, *, few: bool) -> Query:
    """How many of each status, up to one more than `most`."""
    return Query(counted(how.conditions(with_status=False), most, few=few))


def counted(conditions: list[ColumnElement[bool]], most: int, *, few: bool) -> Any:
    if few:
        each = [func.count().filter(OfferState.status == status).label(status) for status in STATUSES]
        return select(*each).select_from(OfferState).where(*conditions)
    own, *asides = conditions
    conditions = [own, *map(Aside, asides)]  # one status is read along the index that begins with it
    return select(*(_capped(status, conditions, most).label(status) for status in STATUSES))


def _capped(status: str, conditions: list[ColumnElement[bool]], most: int) -> ScalarSelect[int]:
    """Counting by status runs along the index that begins with it and holds all that is filtered by."""
    some = select(literal(1)).where(OfferState.status == status, *conditions).limit(most + 1).subquery()
    return select(func.count()).select_from(some).scalar_subquery()


@lru_cache(maxsize=SHAPES)
def band_width(how: Asked, most: int) -> Query:
    """How many offers of the agency are between the amounts, up to one more than `most`: the index alone says."""
    shape = Shape(tuple(name for name in how.shape.names if name in _BAND), "amount")
    within = [OfferState.agency_id == ASKING_AGENCY, *shape.filter.conditions(ASKING_AGENCY)]
    some = select(literal(1)).select_from(OfferState).where(*within).limit(most + 1).subquery()
    return Query(select(func.count().label("width")).select_from(some))


@lru_cache(maxsize=SHAPES)
def band_counters(how: Asked) -> Query:
    """Of each status that is there, how many: along the index of amounts, which knows where a narrow band is."""
    narrow = how._replace(shape=how.shape._replace(sort="amount"))
    query = select(OfferState.status, func.count().label("many")).where(*narrow.conditions(with_status=False))
    return Query(query.group_by(OfferState.status))
