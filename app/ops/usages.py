"""How much each agency holds and writes, for the operator."""

from __future__ import annotations

import uuid
from typing import NamedTuple

from sqlalchemy import case, func, select, update

from app.core.clock import now
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import (
    Agency,
    Attempt,
    Delivery,
    Event,
    Idempotency,
    LedgerEntry,
    OfferBody,
    OfferFile,
    Property,
    PropertyFeed,
    Upload,
    User,
)

HEAVY = (
    Event.body_ct, LedgerEntry.body, OfferBody.body_ct, OfferFile.body_ct, Upload.body, PropertyFeed.file_ct,
    Delivery.body_ct, Attempt.answer_ct, Idempotency.answer_ct,
)  # fmt: skip


class Usage(NamedTuple):
    """One agency's; `day_bytes` and `day_offers` are of today, in UTC."""

    id: uuid.UUID
    name: str
    bytes: int
    day_bytes: int
    offers: int
    day_offers: int
    properties: int
    users: int


def by_agency() -> list[Usage]:
    """Every agency, the one with the most bytes first."""
    today = Agency.used_on == now().date()
    properties = select(func.count()).where(Property.agency_id == Agency.id).scalar_subquery()
    users = select(func.count()).where(User.agency_id == Agency.id).scalar_subquery()
    query = select(Agency.id, Agency.name, Agency.all_bytes, case((today, Agency.day_bytes), else_=0)).add_columns(
        Agency.recorded_offers, case((today, Agency.day_offers), else_=0), properties, users
    )
    return [Usage(*row) for row in db.session.execute(query.order_by(Agency.all_bytes.desc(), Agency.name))]


def measure() -> None:
    """Set what each agency has in all to the bytes that it holds now, what was deleted since no longer among them."""
    for agency_id in db.session.scalars(select(Agency.id)).all():
        size_held = 0
        for column in HEAVY:
            size = select(func.coalesce(func.sum(func.length(column)), 0)).where(column.class_.agency_id == agency_id)
            size_held += db.session.scalar(size) or 0
        with housekeeping() as connection:
            connection.execute(update(Agency).where(Agency.id == agency_id).values(all_bytes=size_held))
