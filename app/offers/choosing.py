"""The offers that an answer is about to be given to, and those beside them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, and_, select

from app.core.access import Person, offers_of
from app.core.errors import NotFound
from app.core.keys import unwrap_offer_key
from app.core.money import Money
from app.core.planner_hints import Aside
from app.core.vault import Place, unpad, unseal
from app.extensions import db
from app.models import Decision, Offer, OfferBody, OfferKey, OfferState, Property, User
from app.models.property import GONE
from app.offers.document import decode

UNDECIDED = ("new", "viewed")
MOST = 50  # answered at once


@dataclass(frozen=True, slots=True)
class Candidate:
    """An offer as far as deciding needs it; `name` is None once the person has been forgotten."""

    id: uuid.UUID
    agency_id: uuid.UUID
    property_id: uuid.UUID
    property_title: str
    takes_offers: bool
    reference: str
    name: str | None
    email: str | None
    phone: str | None
    amount: Money
    financing: str
    status: str
    version: int
    valid_until: date | None
    withdrawn_at: datetime | None
    latest: bool
    submitted_at: datetime

    @property
    def seen(self) -> str:
        """What a form carries: which offer, as it was when it was shown."""
        return f"{self.id}:{self.version}"

    @property
    def called(self) -> str:
        return self.name or self.reference

    @property
    def stands(self) -> bool:
        """Whether it can still be answered: neither withdrawn nor erased."""
        return self.withdrawn_at is None and self.name is not None

    def lapsed(self, today: date) -> bool:
        return self.valid_until is not None and self.valid_until < today


def candidates(by: Person, offers: Sequence[uuid.UUID]) -> list[Candidate]:
    """These offers, in this order; raises `NotFound` unless the person may decide on every one."""
    mine = Aside(offers_of(by, write=True))
    rows = db.session.execute(_query().where(OfferState.offer_id.in_(offers), mine)).all()
    found = {row.id: row for row in rows}
    if len(found) != len(set(offers)):
        raise NotFound
    return [_candidate(found[offer]) for offer in dict.fromkeys(offers)]


def answerable(by: Person, offers: Sequence[uuid.UUID]) -> tuple[list[Candidate], int]:
    """Those of these offers that the person may answer, and how many only a colleague may. Raises `NotFound` unless the
    person may read all of them, and answer at least one."""
    rows = db.session.execute(_query().where(OfferState.offer_id.in_(offers), Aside(offers_of(by)))).all()
    mine = {row.id: row for row in rows if by.is_owner or row.agent_id == by.user.id}
    if len(rows) != len(set(offers)) or not mine:
        raise NotFound
    return [_candidate(mine[offer]) for offer in dict.fromkeys(offers) if offer in mine], len(rows) - len(mine)


def others_of(by: Person, property_id: uuid.UUID, but: Sequence[uuid.UUID]) -> list[Candidate]:
    """The undecided offers of a property that still stand, the highest first."""
    standing = (
        offers_of(by, write=True),
        OfferState.property_id == property_id,
        OfferState.status.in_(UNDECIDED),
        OfferState.latest,
        OfferState.withdrawn_at.is_(None),
        OfferState.erased_at.is_(None),
        OfferState.offer_id.not_in(but),
    )
    query = _query().where(*standing).order_by(OfferState.amount_minor.desc(), OfferState.submitted_at)
    return [_candidate(row) for row in db.session.execute(query)]


def last_to_change(by: Person, offers: Sequence[uuid.UUID]) -> str:
    """The name of the colleague who changed one of these offers last; empty when it was the CRM."""
    query = (
        select(User.full_name)
        .select_from(Decision)
        .join(User, and_(User.id == Decision.actor_id, User.agency_id == Decision.agency_id), isouter=True)
        .where(Decision.agency_id == by.agency_id, Decision.offer_id.in_(offers))
        .order_by(Decision.at.desc())
        .limit(1)
    )
    return db.session.scalar(query) or ""


def _query() -> Any:
    return (
        select(
            Offer.id, Offer.agency_id, Offer.property_id, Offer.reference, Offer.amount_minor, Offer.currency,
            Offer.financing, Offer.valid_until, Offer.submitted_at, OfferState.status, OfferState.version,
            OfferState.withdrawn_at, OfferState.latest, Property.title, Property.agent_id, Property.accepts_offers,
            Property.availability, OfferBody.body_ct, OfferKey.kek_id, OfferKey.wrapped,
        )
        .join(OfferState, OfferState.offer_id == Offer.id)
        .join(Property, Property.id == Offer.property_id)
        .join(OfferBody, OfferBody.offer_id == Offer.id)
        .join(OfferKey, OfferKey.offer_id == Offer.id, isouter=True)
    )  # fmt: skip


def _candidate(row: Row[Any]) -> Candidate:
    bidder = None
    if row.wrapped is not None:
        key = unwrap_offer_key(row.agency_id, row.id, row.kek_id, row.wrapped)
        body = unseal(key, Place(row.agency_id, "offer_body", "body", row.id), row.body_ct)
        bidder = decode(unpad(body)).bidder
    return Candidate(
        id=row.id,
        agency_id=row.agency_id,
        property_id=row.property_id,
        property_title=row.title,
        takes_offers=row.accepts_offers and row.availability not in GONE,
        reference=row.reference,
        name=bidder.full_name if bidder else None,
        email=bidder.email if bidder else None,
        phone=bidder.phone if bidder else None,
        amount=Money(row.amount_minor, row.currency),
        financing=row.financing,
        status=row.status,
        version=row.version,
        valid_until=row.valid_until,
        withdrawn_at=row.withdrawn_at,
        latest=row.latest,
        submitted_at=row.submitted_at,
    )
