"""Loading is authorising: rows are only ever loaded through the person or the key that asks for them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any, NamedTuple

from flask_login import UserMixin
from sqlalchemy import ColumnElement, Select, and_, bindparam, select
from sqlalchemy.orm import joinedload

from app.core.collation import alphabetically
from app.core.errors import NotFound
from app.core.ledger import Actor
from app.extensions import db
from app.models import Agency, Offer, OfferState, Property, SavedView, User
from app.models.agency import ASSISTANT

SCOPES = ("read", "write")  # of a CRM's key


@dataclass(frozen=True, slots=True)
class Person(UserMixin):
    """A signed-in person: the row, the agency, and the session that the cookie named."""

    user: User
    agency: Agency
    session_id: uuid.UUID
    token: str
    elsewhere: bool = False  # whether they are also in another agency

    @property
    def agency_id(self) -> uuid.UUID:
        return self.user.agency_id

    @property
    def actor(self) -> Actor:
        return Actor("user", self.user.id)

    @property
    def is_owner(self) -> bool:
        return self.user.is_owner

    def agencies(self) -> list[tuple[uuid.UUID, str]]:
        """Where they work: themselves in each agency, by id, and its name."""
        query = select(User.id, Agency.name).join(Agency, Agency.id == User.agency_id)
        mine = query.where(User.account_id == self.user.account_id)
        return [(row.id, row.name) for row in db.session.execute(mine.order_by(*alphabetically(Agency.name), User.id))]

    @property
    def is_assistant(self) -> bool:
        """Who reads everything and records offers, and decides nothing."""
        return self.user.role == ASSISTANT

    @property
    def reads_all(self) -> bool:
        """Whether they read their colleagues' properties and offers too."""
        return self.is_owner or self.is_assistant or self.agency.colleagues_read

    @property
    def records_own_only(self) -> bool:
        """Whether they record offers only for properties that they may change; an assistant does for everybody's."""
        return not self.is_assistant

    def get_id(self) -> str:
        """What Flask-Login keeps in the cookie: the session's random token, not the user's id."""
        return self.token


@dataclass(frozen=True, slots=True)
class KeyHolder:
    """A CRM, let in by a key: it reads, or changes, the whole of one agency."""

    key_id: uuid.UUID
    agency_id: uuid.UUID
    zone: str
    scopes: frozenset[str]
    epoch: str
    restores: int

    @property
    def actor(self) -> Actor:
        return Actor("api_key", self.key_id)


Asker = Person | KeyHolder


def _only_of(by: Asker, write: bool) -> uuid.UUID | None:
    """The person to whose properties it is kept; None for the whole agency."""
    if isinstance(by, KeyHolder) or by.is_owner or (not write and by.reads_all):
        return None
    return by.user.id


def properties_of(by: Asker, *, write: bool = False) -> Select[Property]:
    """The properties that a person or a CRM may see, or, with `write`, change."""
    query = select(Property).where(Property.agency_id == by.agency_id)
    agent = _only_of(by, write)
    return query if agent is None else query.where(Property.agent_id == agent)


def offers_of(by: Asker, *, write: bool = False) -> ColumnElement[bool]:
    """The condition on `OfferState` that keeps to the offers of those properties."""
    return _offers_where(by.agency_id, _only_of(by, write))


def _offers_where(agency_id: Any, agent_id: Any | None) -> ColumnElement[bool]:
    in_agency: ColumnElement[bool] = OfferState.agency_id == agency_id
    if agent_id is None:
        return in_agency
    own = select(Property.id).where(Property.agency_id == agency_id, Property.agent_id == agent_id)
    return and_(in_agency, OfferState.property_id.in_(own))


class Reach(NamedTuple):
    """How far somebody may look, without saying who: a statement is built once for each, and run with `asked_by`."""

    whole: bool

    @property
    def offers(self) -> ColumnElement[bool]:
        """As `offers_of`."""
        return _offers_where(ASKING_AGENCY, None if self.whole else _ASKING_AGENT)

    @property
    def properties(self) -> list[ColumnElement[bool]]:
        """As `properties_of`."""
        within = Property.agency_id == ASKING_AGENCY
        return [within] if self.whole else [within, Property.agent_id == _ASKING_AGENT]


ASKING_AGENCY = bindparam("asking_agency", type_=Property.agency_id.type)
_ASKING_AGENT = bindparam("asking_agent", type_=Property.agent_id.type)


def asked_by(by: Asker) -> tuple[Reach, dict[str, uuid.UUID]]:
    """How far they may look, and the values that say who asks."""
    agent = _only_of(by, write=False)
    if agent is None:
        return Reach(whole=True), {"asking_agency": by.agency_id}
    return Reach(whole=False), {"asking_agency": by.agency_id, "asking_agent": agent}


def get_property(by: Asker, property_id: uuid.UUID, *, write: bool = False) -> Property:
    """One property with its agent, or 404."""
    query = properties_of(by, write=write).where(Property.id == property_id)
    found = db.session.scalar(query.options(joinedload(Property.agent), joinedload(Property.agency)))
    if found is None:
        raise NotFound
    return found


def get_offer(by: Asker, offer_id: uuid.UUID, *, write: bool = False) -> tuple[Offer, OfferState]:
    """One offer with its state, or 404."""
    query = select(Offer, OfferState).join(OfferState, OfferState.offer_id == Offer.id)
    found = db.session.execute(query.where(Offer.id == offer_id, offers_of(by, write=write))).one_or_none()
    if found is None:
        raise NotFound
    return found[0], found[1]


def get_saved_view(by: Person, view_id: uuid.UUID) -> SavedView:
    """One's own saved view, or 404: a colleague's does not exist."""
    query = select(SavedView).where(SavedView.agency_id == by.agency_id, SavedView.user_id == by.user.id)
    found = db.session.scalar(query.where(SavedView.id == view_id))
    if found is None:
        raise NotFound
    return found
