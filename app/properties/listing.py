"""The list of properties, with how many offers each has."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, and_, bindparam, case, false, func, not_, or_, select, true
from sqlalchemy.orm import joinedload

from app.core.access import Asker, Person, Reach, asked_by, offers_of, properties_of
from app.core.clock import now
from app.core.collation import alphabetically
from app.core.database import alphabetical
from app.core.errors import NotFound
from app.core.formats import Choices
from app.core.raw_rows import id_text, raw_id
from app.core.recently_used import RecentlyUsed
from app.core.statements import Query
from app.extensions import db
from app.models import OfferState, Property, User
from app.models.agency import ASSISTANT
from app.models.property import GONE
from app.properties.representation import link_state
from app.properties.search import holding_words

PAGE = 25
CHOICES = 500


@dataclass(frozen=True, slots=True)
class Counts:
    """Of one property: all offers, the new ones, and the highest that still stands, in minor units."""

    offers: int = 0
    new: int = 0
    best: int | None = None


@dataclass(frozen=True, slots=True)
class PropertyLine:
    prop: Property
    counts: Counts

    @property
    def link(self) -> str:
        """Where the link stands: open, not_open, closed, off, or what became of the property."""
        return link_state(self.prop, self.prop.link_version)

    @property
    def days_left(self) -> int | None:
        """Whole days until the link closes; None where it has no end."""
        return (self.prop.offers_close_at - now()).days if self.prop.offers_close_at else None


@dataclass(frozen=True, slots=True)
class PropertyListPage:
    lines: list[PropertyLine]
    number: int
    more: bool


NOTHING = PropertyListPage([], 1, more=False)


@dataclass(frozen=True, slots=True)
class PropertyFilter:
    """Which properties: words in title, place and the CRM's id; where the link stands; whose; present or archived."""

    q: str = ""
    link: str = ""
    agent: uuid.UUID | None = None
    archived: bool = False

    def named(self) -> dict[str, str]:
        """As it stands in a URL; what says nothing is left out."""
        agent, archived = str(self.agent or ""), "1" if self.archived else ""
        given = {"q": self.q, "link": self.link, "agent": agent, "archived": archived}
        return {name: value for name, value in given.items() if value}

    def conditions(self) -> list[ColumnElement[bool]]:
        shelf = Property.archived_at.is_not(None) if self.archived else Property.archived_at.is_(None)
        found = [shelf, *holding_words(self.q)]
        if self.agent:
            found.append(Property.agent_id == self.agent)
        return [*found, _standing(self.link)] if self.link else found


def _standing(link: str) -> ColumnElement[bool]:
    """The properties whose link stands so; `link_state` says the same of one."""
    at, on = now(), Property.accepts_offers
    begun = func.coalesce(Property.offers_open_at <= at, true())
    over = func.coalesce(Property.offers_close_at <= at, false())
    if link in GONE:
        return Property.availability == link
    return (
        Property.availability.not_in(GONE)
        & {
            "open": and_(on, begun, not_(over)),
            "not_open": and_(on, not_(begun)),
            "closed": and_(on, begun, over),
            "off": not_(on),
        }[link]
    )


def list_properties(by: Person, chosen: PropertyFilter, *, number: int = 1) -> PropertyListPage:
    """One page, newest first; past the last one, the last one."""
    query = properties_of(by).where(*chosen.conditions()).options(joinedload(Property.agent))
    query = query.order_by(Property.created_at.desc(), Property.id.desc())
    found = db.session.scalars(query.offset((number - 1) * PAGE).limit(PAGE + 1)).all()
    if number > 1 and not found:
        total = select(func.count()).select_from(properties_of(by).where(*chosen.conditions()).subquery())
        number = max(1, -(-(db.session.scalar(total) or 0) // PAGE))
        found = db.session.scalars(query.offset((number - 1) * PAGE).limit(PAGE + 1)).all()
    counts = count_offers([prop.id for prop in found], by)
    lines = [PropertyLine(prop, counts.get(prop.id, Counts())) for prop in found[:PAGE]]
    return PropertyListPage(lines, number, len(found) > PAGE)


def line_of(by: Person, prop: Property) -> PropertyLine:
    """One property as the list has it."""
    return PropertyLine(prop, count_offers([prop.id], by).get(prop.id, Counts()))


def count_offers(ids: list[uuid.UUID], by: Asker) -> dict[uuid.UUID, Counts]:
    """By property. An offer stands while nothing replaced it, and it was neither rejected nor withdrawn."""
    if not ids:
        return {}
    stands = and_(
        OfferState.latest,
        OfferState.status != "rejected",
        OfferState.withdrawn_at.is_(None),
        OfferState.erased_at.is_(None),
        OfferState.currency == Property.currency,
    )
    new = func.sum(case((OfferState.status == "new", 1), else_=0))
    best = func.max(case((stands, OfferState.amount_minor)))
    query = (
        select(OfferState.property_id, func.count(), new, best)
        .join(Property, Property.id == OfferState.property_id)
        .where(offers_of(by), OfferState.property_id.in_(ids))
        .group_by(OfferState.property_id)
    )
    return {row[0]: Counts(row[1], int(row[2]), row[3]) for row in db.session.execute(query)}


def property_choices(by: Person, also: uuid.UUID | None = None) -> Choices:
    """Id as text and title of the properties a person may see, for a filter; `also` is listed even if there are too
    many."""
    reach, who = asked_by(by)
    held = _choices(reach).raw(db.session.connection(), **who)
    if len(held) > CHOICES:
        return _first_choices(by, reach, who, also)
    key = tuple(who.values())
    kept = _kept.get(key)
    if kept is None or kept[0] != held:
        titled = sorted(held, key=lambda row: (alphabetical(row[1]), row[1]))
        kept = held, Choices((id_text(row[0]), row[1]) for row in titled)
        _kept.put(key, kept, EACH + sum(SHOWN + 3 * len(row[1]) for row in held))
    return kept[1]


@cache
def _choices(reach: Reach) -> Query:
    """In no order: sorting them by the alphabet takes longer than reading them, and they seldom change."""
    return Query(select(Property.id, Property.title).where(*reach.properties).limit(CHOICES + 1))


# By whom they are for, and only while they are the very rows that were just read. In bytes of a process.
_kept: RecentlyUsed[tuple[list[Any], Choices]] = RecentlyUsed(8 * 1024 * 1024)
EACH, SHOWN = 1024, 512


def _first_choices(by: Person, reach: Reach, who: dict[str, uuid.UUID], also: uuid.UUID | None) -> Choices:
    """Of too many, the first by the alphabet."""
    query = select(raw_id(Property.id), Property.title).where(*reach.properties)
    query = query.order_by(*alphabetically(Property.title)).limit(CHOICES)
    rows = [*db.session.connection().execute(query, who)]
    if also:
        query = properties_of(by).with_only_columns(raw_id(Property.id), Property.title)
        rows += db.session.execute(query.where(Property.id == also))
    return Choices({row[0]: (id_text(row[0]), row[1]) for row in rows}.values())


def recordable_properties(by: Person) -> list[tuple[uuid.UUID, str]]:
    """Id and title of those for which a person may record an offer taken elsewhere."""
    query = properties_of(by, write=by.records_own_only).where(
        Property.archived_at.is_(None), Property.transaction_type == "sale"
    )
    query = query.where(Property.availability.not_in(GONE))
    named = (
        query.with_only_columns(Property.id, Property.title).order_by(*alphabetically(Property.title)).limit(CHOICES)
    )
    return [(row[0], row[1]) for row in db.session.execute(named)]


def property_title(by: Person, property_id: uuid.UUID) -> str | None:
    """The title of one property, where the person may see it."""
    return db.session.scalar(properties_of(by).with_only_columns(Property.title).where(Property.id == property_id))


def agent_choices(by: Person, also: str | None = None) -> list[tuple[uuid.UUID, str]]:
    """The people of the agency who may be responsible for a property; `also` one named by id, who may have left."""
    try:
        named = uuid.UUID(also or "")
    except ValueError:
        named = None
    found = _AGENTS.all(db.session.connection(), agency=by.agency_id, also=named)
    return [(row[0], row[1]) for row in found]


_AGENTS = Query(
    select(User.id, User.full_name)
    .where(
        User.agency_id == bindparam("agency"),
        or_(and_(User.active, User.role != ASSISTANT), User.id == bindparam("also")),
    )
    .order_by(*alphabetically(User.full_name))
)


def property_by_external_id(by: Asker, external_id: str) -> uuid.UUID:
    """The property that a CRM knows under this id; raises `NotFound`."""
    if "\0" in external_id:  # which PostgreSQL takes in no text
        raise NotFound
    query = properties_of(by).with_only_columns(Property.id).where(Property.external_id == external_id)
    found = db.session.scalar(query)
    if found is None:
        raise NotFound
    return uuid.UUID(str(found))


def version_of(by: Asker, external_id: str) -> int | None:
    """The present version of the property that a CRM knows under this id, or None when there is none yet."""
    if "\0" in external_id:
        return None
    query = properties_of(by).with_only_columns(Property.version).where(Property.external_id == external_id)
    found: int | None = db.session.scalar(query)
    return found
