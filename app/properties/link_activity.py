"""How often a property's link was looked at and begun."""

from __future__ import annotations

import uuid
from datetime import date

from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from app.core.unit_of_work import housekeeping
from app.models import LinkActivity

COUNTED = ("opened", "begun")


def count(agency_id: uuid.UUID, property_id: uuid.UUID, day: date, what: str) -> None:
    """One more of `what`, a name of `COUNTED`, on a day of the agency."""
    of_day = (LinkActivity.agency_id == agency_id, LinkActivity.property_id == property_id, LinkActivity.day == day)
    more = update(LinkActivity).where(*of_day).values({what: getattr(LinkActivity, what) + 1})
    first = {"agency_id": agency_id, "property_id": property_id, "day": day, "opened": 0, "begun": 0, what: 1}
    with housekeeping() as connection:
        if connection.execute(more).rowcount:
            return
    try:
        with housekeeping() as connection:
            connection.execute(insert(LinkActivity), first)
    except IntegrityError:  # another buyer was the day's first a moment ago
        with housekeeping() as connection:
            connection.execute(more)
