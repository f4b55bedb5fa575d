"""How long things are kept, and the hourly deletion of what has expired."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, update

from app.core.clock import now
from app.core.collation import alphabetically
from app.core.ids import new_id
from app.core.ledger import SYSTEM, Actor
from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork, housekeeping, writing
from app.extensions import db
from app.models import Agency, OfferOrigin, OfferState, Property, Retention, User
from app.models.agency import OWNER
from app.privacy.erasure import erase_all

# In days. Claims out of an accepted offer lapse after three years (Romanian Civil Code, article 2517).
DEFAULTS = {"origin_days": 90, "undecided_days": 365, "rejected_days": 365, "accepted_days": 1095}
KINDS = tuple(DEFAULTS)
AHEAD = timedelta(days=7)  # owners are told this long before
PAUSE = timedelta(days=8)  # no new rule erases anything sooner: a week's notice, given within a day
MOST = 5_000  # offers in one round of an agency


@dataclass(frozen=True, slots=True)
class Rule:
    """Days, by kind, for the properties that `chosen` picks of the offers."""

    days: Mapping[str, int]
    chosen: ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Purged:
    """What one round did: offers whose people were forgotten, callers' addresses dropped, owners told."""

    offers: int = 0
    origins: int = 0
    told: int = 0

    @property
    def rows(self) -> int:
        return self.offers + self.origins


def days_of(agency_id: uuid.UUID, property_id: uuid.UUID | None = None) -> dict[str, int | None]:
    """The days set for the agency (or the defaults), or those of one property, None where it follows the agency."""
    row = db.session.scalar(
        select(Retention).where(
            Retention.agency_id == agency_id,
            Retention.property_id.is_(None) if property_id is None else Retention.property_id == property_id,
        )
    )
    if row:
        return {kind: getattr(row, kind) for kind in KINDS}
    return dict(DEFAULTS) if property_id is None else dict.fromkeys(KINDS)


def days_for(agency_id: uuid.UUID, property_id: uuid.UUID | None = None) -> dict[str, int]:
    """The days that hold for offers of a property: its own where it has some, else the agency's."""
    own = days_of(agency_id, property_id) if property_id else {}
    return {kind: own.get(kind) or usual or DEFAULTS[kind] for kind, usual in days_of(agency_id).items()}


@lru_cache(maxsize=4096)
def days_told(
    agency_id: uuid.UUID, property_id: uuid.UUID | None, facts_at: datetime | None
) -> tuple[tuple[str, int], ...]:
    """The same for the notice. `facts_at` is the agency's: whatever moves the days moves it too (`set_days`)."""
    return tuple(days_for(agency_id, property_id).items())


def set_days(
    agency_id: uuid.UUID, days: Mapping[str, int | None], *, by: Actor, property_id: uuid.UUID | None = None
) -> None:
    """Keep things for so many days from now on; what is due at once by that is announced, and erased after a week."""
    with writing(agency_id) as tx:
        _keep_rule(tx, days, property_id)
        tx.record("retention.changed", property_id, by, {kind: days[kind] for kind in KINDS})
        own = (Retention.agency_id == agency_id, Retention.property_id.is_(None))
        tx.connection.execute(update(Retention).where(*own).values(effective_from=tx.at + PAUSE, warned_until=None))
        tx.connection.execute(update(Agency).where(Agency.id == agency_id).values(facts_at=tx.at))


def _keep_rule(tx: UnitOfWork, days: Mapping[str, int | None], property_id: uuid.UUID | None) -> None:
    of = Retention.property_id.is_(None) if property_id is None else Retention.property_id == property_id
    values = {**{kind: days[kind] for kind in KINDS}, "updated_at": tx.at}
    changed = tx.connection.execute(update(Retention).where(Retention.agency_id == tx.agency_id, of).values(**values))
    if not changed.rowcount:
        row = {"id": new_id(), "agency_id": tx.agency_id, "property_id": property_id, "effective_from": tx.at + PAUSE}
        tx.connection.execute(insert(Retention), {**row, **values})


def purge(at: datetime | None = None) -> Purged:
    """One round over all agencies."""
    at, done = at or now(), Purged()
    for agency_id in db.session.scalars(select(Agency.id).where(Agency.ended_at.is_(None))).all():
        purged = purge_agency(agency_id, at)
        done = Purged(done.offers + purged.offers, done.origins + purged.origins, done.told + purged.told)
    return done


def purge_agency(agency_id: uuid.UUID, at: datetime) -> Purged:
    """Announce what falls due within a week, and forget what is due now and was announced."""
    own = select(Retention).where(Retention.agency_id == agency_id, Retention.property_id.is_(None))
    rule = db.session.scalar(own)
    if rule is None:
        with writing(agency_id) as tx:
            _keep_rule(tx, DEFAULTS, None)
        rule = db.session.scalars(own).one()
    effective_from, warned_until = rule.effective_from, rule.warned_until
    told = _announce(agency_id, at, warned_until)
    origins = _drop_origins(agency_id, at)
    if at < effective_from:
        return Purged(0, origins, told)
    ids = db.session.scalars(select(OfferState.offer_id).where(due(agency_id, at)).limit(MOST)).all()
    return Purged(erase_all(agency_id, ids, "retention"), origins, told)


def due(agency_id: uuid.UUID, at: datetime) -> ColumnElement[bool]:
    """The offers of an agency, not forgotten yet, whose time is over at a moment."""
    state = OfferState

    def ended(rule: Rule) -> ColumnElement[bool]:
        before = {kind: at - timedelta(days=rule.days[kind]) for kind in KINDS}
        withdrawn = state.withdrawn_at.is_not(None)
        return and_(
            rule.chosen,
            or_(
                and_(withdrawn, state.withdrawn_at <= before["rejected_days"]),
                and_(~withdrawn, state.status == "accepted", state.decided_at <= before["accepted_days"]),
                and_(~withdrawn, state.status == "rejected", state.decided_at <= before["rejected_days"]),
                and_(
                    ~withdrawn, state.status.in_(("new", "viewed")), state.submitted_at <= before["undecided_days"]
                ),
            ),
        )  # fmt: skip

    some = or_(*(ended(rule) for rule in _rules(agency_id)))
    return and_(state.agency_id == agency_id, state.erased_at.is_(None), some)


def _rules(agency_id: uuid.UUID) -> list[Rule]:
    """The agency's rule for most properties, and one for each property that has its own."""
    rows = db.session.scalars(select(Retention).where(Retention.agency_id == agency_id)).all()
    whole = next((row for row in rows if row.property_id is None), None)
    usual = {kind: (getattr(whole, kind) if whole else None) or DEFAULTS[kind] for kind in KINDS}
    own = [row for row in rows if row.property_id]
    others = (
        OfferState.property_id.not_in([row.property_id for row in own]) if own else OfferState.agency_id == agency_id
    )
    return [
        Rule(usual, others),
        *(
            Rule({kind: getattr(row, kind) or usual[kind] for kind in KINDS}, OfferState.property_id == row.property_id)
            for row in own
        ),
    ]


def _announce(agency_id: uuid.UUID, at: datetime, warned_until: datetime | None) -> int:
    """Tell the owners, at most once a day, what will be forgotten within a week."""
    horizon = at.replace(hour=0, minute=0, second=0, microsecond=0) + AHEAD + timedelta(days=1)
    if warned_until and warned_until >= horizon:
        return 0
    coming = [due(agency_id, horizon)]
    if warned_until:
        coming.append(~due(agency_id, warned_until))
    count = db.session.scalar(select(func.count()).select_from(OfferState).where(*coming)) or 0
    owners = db.session.scalars(
        select(User.id).where(User.agency_id == agency_id, User.role == OWNER, User.active.is_(True))
    ).all()
    with writing(agency_id) as tx:
        own = (Retention.agency_id == agency_id, Retention.property_id.is_(None))
        tx.connection.execute(update(Retention).where(*own).values(warned_until=horizon))
        if not count:
            return 0
        seq = tx.record("retention.announced", None, SYSTEM, {"offers": count})
        for user_id in owners:
            tx.owe_mail("retention_due", about("entry", seq), user_id=user_id)
    return count


def _drop_origins(agency_id: uuid.UUID, at: datetime) -> int:
    """Callers' addresses and browsers live shorter than the offers they came with."""
    dropped = 0
    for rule in _rules(agency_id):
        old = (
            select(OfferOrigin.offer_id)
            .join(OfferState, OfferState.offer_id == OfferOrigin.offer_id)
            .where(OfferOrigin.agency_id == agency_id, rule.chosen)
            .where(OfferState.submitted_at <= at - timedelta(days=rule.days["origin_days"]))
            .limit(MOST)
        )
        ids = db.session.scalars(old).all()
        if ids:
            with housekeeping() as connection:
                connection.execute(delete(OfferOrigin).where(OfferOrigin.offer_id.in_(ids)))
            dropped += len(ids)
    return dropped


def coming_up(agency_id: uuid.UUID, at: datetime) -> int:
    """How many offers will be forgotten within a week."""
    return db.session.scalar(select(func.count()).select_from(OfferState).where(due(agency_id, at + AHEAD))) or 0


def exceptions_of(agency_id: uuid.UUID) -> list[Any]:
    """The properties with periods of their own: `title`, and days by kind, None where they follow the agency."""
    query = (
        select(Property.title, *(getattr(Retention, kind) for kind in KINDS))
        .join(Property, Property.id == Retention.property_id)
        .where(Retention.agency_id == agency_id, or_(*(getattr(Retention, kind).is_not(None) for kind in KINDS)))
        .order_by(*alphabetically(Property.title))
    )
    return list(db.session.execute(query))
