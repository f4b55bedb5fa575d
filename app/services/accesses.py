"""Writing down who looked for a person."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import insert, select

from app.access import Person
from app.clock import now
from app.extensions import db
from app.ids import new_id
from app.models import Access
from app.writing import housekeeping

ONCE_IN = timedelta(minutes=10)  # a search repeated, or typed on, is one search


def note_search(offer_ids: Sequence[uuid.UUID], *, by: Person) -> None:
    """That a search by name, e-mail or phone showed `by` these offers.

    Which offers, not what was typed: so it can be read by person, and nothing typed has to be forgotten later.
    """
    agency_id, user_id, at = by.agency_id, by.user.id, now()
    held = select(Access.offer_id).where(Access.agency_id == agency_id, Access.at > at - ONCE_IN)
    mine = held.where(Access.user_id == user_id, Access.kind == "searched", Access.offer_id.in_(offer_ids))
    known = set(db.session.scalars(mine))
    rows = [
        {"id": new_id(), "agency_id": agency_id, "user_id": user_id, "kind": "searched", "offer_id": one, "at": at}
        for one in offer_ids
        if one not in known
    ]
    if rows:
        with housekeeping() as connection:
            connection.execute(insert(Access), rows)
