"""A notice to an agent that no server takes: somebody else of the agency is told, and the dashboard says so."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from functools import cache

from sqlalchemy import Connection, and_, func, insert, literal_column, select

from app.core.access import ASKING_AGENCY, Person, Reach, asked_by
from app.core.ids import new_id
from app.core.planner_hints import InOrder
from app.core.statements import Query
from app.core.subjects import about
from app.extensions import db
from app.models import Delivery, OfferState, User
from app.models.agency import OWNER
from app.properties.handover import NOTICES

TEMPLATE = "notice_undelivered"


def tell_another(connection: Connection, delivery_id: uuid.UUID, at: datetime) -> None:
    """If that mail was to tell an agent of an offer: owe one to each other owner, else to the agency's address."""
    row = connection.execute(
        select(Delivery.id, Delivery.agency_id, Delivery.offer_id, Delivery.user_id).where(
            Delivery.id == delivery_id, Delivery.template.in_(NOTICES)
        )
    ).one_or_none()
    if row is None:
        return
    owners = select(User.id).where(
        User.agency_id == row.agency_id, User.role == OWNER, User.active, User.id != row.user_id
    )
    subject = about("delivery", row.id)
    same = {"agency_id": row.agency_id, "offer_id": row.offer_id}
    same |= {"subject_type": subject.type, "subject_id": subject.id}
    told: Sequence[uuid.UUID | None] = connection.scalars(owners).all() or [None]
    for user_id in told:
        owed = {"id": new_id(), "kind": "mail", "template": TEMPLATE, "user_id": user_id, "state": "pending"}
        connection.execute(insert(Delivery), {**same, **owed, "due_at": at, "attempts": 0, "created_at": at})


def count(by: Person) -> int:
    """How many offers that nobody has opened yet were announced to their agent by a mail that never arrived."""
    reach, who = asked_by(by)
    return int(_given_up(reach).one(db.session.connection(), **who).offers)


@cache
def _given_up(reach: Reach) -> Query:
    """From the few that were given up to their offers: unread ones there may be a hundred thousand."""
    given_up = (
        Delivery.agency_id == ASKING_AGENCY,
        Delivery.kind == literal_column("'mail'"),
        Delivery.state == literal_column("'dead'"),  # both as the index says it
        Delivery.template.in_([literal_column(f"'{name}'") for name in NOTICES]),
    )
    unread = (reach.offers, OfferState.status == "new", OfferState.erased_at.is_(None))
    their = and_(Delivery.agency_id == OfferState.agency_id, Delivery.offer_id == OfferState.offer_id)
    query = select(func.count(Delivery.offer_id.distinct()).label("offers")).where(*given_up, *unread)
    return Query(query.select_from(InOrder(Delivery.__table__, OfferState.__table__, their)))
