"""Who gets somebody's notices too while they are away: from one day to another, in the agency's zone."""

from __future__ import annotations

import uuid
from datetime import date
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import aliased

from app.core.clock import now
from app.core.collation import alphabetically
from app.core.errors import Invalid
from app.core.ledger import Actor
from app.core.subjects import Subject
from app.core.unit_of_work import UnitOfWork, writing
from app.extensions import db
from app.models import Agency, User
from app.models.agency import AGENT

# What an agent is told of an offer, and the same to their deputy.
NOTICES = {"offer_agent": "offer_deputy", "offer_confirmed": "confirmed_deputy", "withdrawn_agent": "withdrawn_deputy"}
NOBODY = lazy_gettext("Choose somebody who may read all offers of the agency")
BACKWARDS = lazy_gettext("The last day is before the first")
PAST = lazy_gettext("This day is over")


ASK = uuid.UUID(int=0)


def owe_notice(
    tx: UnitOfWork,
    template: str,
    subject: Subject,
    *,
    offer_id: uuid.UUID,
    agent_id: uuid.UUID,
    away: uuid.UUID | None = ASK,
) -> None:
    """Owe a notice of an offer to the agent, and to whoever stands in for them today. `away` is whom the agent named,
    for a caller who knows: most name nobody, and need not be asked about."""
    tx.owe_mail(template, subject, offer_id=offer_id, user_id=agent_id)
    if away and (deputy := _deputy(tx, agent_id)):
        tx.owe_mail(NOTICES[template], subject, offer_id=offer_id, user_id=deputy)


def _deputy(tx: UnitOfWork, agent_id: uuid.UUID) -> uuid.UUID | None:
    away, deputy = aliased(User), aliased(User)
    query = (
        select(deputy.id, away.deputy_from, away.deputy_until, Agency.zone)
        .join(away, away.deputy_id == deputy.id)
        .join(Agency, Agency.id == away.agency_id)
        .where(away.agency_id == tx.agency_id, away.id == agent_id, deputy.agency_id == tx.agency_id)
        .where(deputy.active, _reads_all(deputy))
    )
    row = tx.connection.execute(query).one_or_none()
    if row is None or not row.deputy_from <= tx.at.astimezone(ZoneInfo(row.zone)).date() <= row.deputy_until:
        return None
    found: uuid.UUID = row.id
    return found


def _reads_all(user: type[User]) -> ColumnElement[bool]:
    """Whoever gets a notice must be able to open the offer."""
    agency = aliased(Agency)
    shared = select(agency.colleagues_read).where(agency.id == user.agency_id).scalar_subquery()
    return or_(user.role != AGENT, shared)


def choices_of(user: User) -> list[tuple[uuid.UUID, str]]:
    """Who may stand in for somebody, by name."""
    others = select(User.id, User.full_name).where(User.agency_id == user.agency_id, User.id != user.id, User.active)
    rows = db.session.execute(others.where(_reads_all(User)).order_by(*alphabetically(User.full_name)))
    return [(row.id, row.full_name) for row in rows]


def appoint(user: User, deputy_id: uuid.UUID, first: date, last: date, *, by: Actor) -> None:
    """Have somebody stand in from the first day to the last. Raises `Invalid`."""
    zone = db.session.scalars(select(Agency.zone).where(Agency.id == user.agency_id)).one()
    wrong: dict[str, list[object]] = {}
    if deputy_id not in dict(choices_of(user)):
        wrong["deputy"] = [NOBODY]
    if last < first:
        wrong["until"] = [BACKWARDS]
    elif last < now().astimezone(ZoneInfo(zone)).date():
        wrong["until"] = [PAST]
    if wrong:
        raise Invalid(wrong)
    days = {"from": first.isoformat(), "until": last.isoformat()}
    values = {"deputy_id": deputy_id, "deputy_from": first, "deputy_until": last}
    user_id = user.id
    with writing(user.agency_id) as tx:
        tx.connection.execute(update(User).where(User.id == user_id).values(**values))
        tx.record("user.deputy_appointed", user_id, by, {"deputy": str(deputy_id), **days})


def dismiss(user: User, *, by: Actor) -> None:
    """Nobody stands in any more."""
    user_id, nobody = user.id, dict.fromkeys(("deputy_id", "deputy_from", "deputy_until"))
    if user.deputy_id is None:
        return
    with writing(user.agency_id) as tx:
        tx.connection.execute(update(User).where(User.id == user_id).values(**nobody))
        tx.record("user.deputy_dismissed", user_id, by)
