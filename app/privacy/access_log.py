"""Writing down who saw whose data."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import insert, select

from app.core.access import KeyHolder, Person
from app.core.clock import now
from app.core.ids import new_id
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Access, KeyAccess
from app.models.key_access import NOTED_ONCE_IN

ONCE_IN = timedelta(minutes=10)  # a search repeated, or typed on, is one search


def note_search(offer_ids: Sequence[uuid.UUID], *, by: Person) -> None:
    """Record that a search by name, e-mail or phone showed `by` these offers. Not what was typed: so nothing typed has
    to be erased later."""
    _note("searched", offer_ids, by)


def note_view(offer_ids: Sequence[uuid.UUID], *, by: Person) -> None:
    """Record that `by` saw the people of these offers in passing; their status stays."""
    _note("viewed", offer_ids, by)


def note_opening(offer_id: uuid.UUID, *, by: Person) -> None:
    """Note that `by` opened one offer, or a call about it; each time is a row of its own."""
    row = {"id": new_id(), "agency_id": by.agency_id, "user_id": by.user.id, "kind": "viewed", "at": now()}
    with housekeeping() as connection:
        connection.execute(insert(Access), {**row, "offer_id": offer_id})


def _note(kind: str, offer_ids: Sequence[uuid.UUID], by: Person) -> None:
    agency_id, user_id, at = by.agency_id, by.user.id, now()
    noted = select(Access.offer_id).where(Access.agency_id == agency_id, Access.at > at - ONCE_IN)
    mine = noted.where(Access.user_id == user_id, Access.kind == kind, Access.offer_id.in_(offer_ids))
    known = set(db.session.scalars(mine))
    row = {"agency_id": agency_id, "user_id": user_id, "kind": kind, "at": at}
    rows = [{**row, "id": new_id(), "offer_id": offer_id} for offer_id in offer_ids if offer_id not in known]
    if rows:
        with housekeeping() as connection:
            connection.execute(insert(Access), rows)


def note_key(kind: str, offer_ids: Sequence[uuid.UUID | None], *, by: KeyHolder) -> None:
    """Record that a CRM `read` an offer, `searched` for its person, or took a list (`listed`, without an offer)."""
    at = now()
    table = KeyAccess
    noted = select(table.offer_id).where(table.agency_id == by.agency_id, table.key_id == by.key_id, table.kind == kind)
    which = table.offer_id.is_(None) if kind == "listed" else table.offer_id.in_(offer_ids)
    known = set(db.session.scalars(noted.where(table.at > at - NOTED_ONCE_IN, which)))
    row = {"agency_id": by.agency_id, "key_id": by.key_id, "kind": kind, "at": at}
    rows = [{**row, "id": new_id(), "offer_id": offer_id} for offer_id in offer_ids if offer_id not in known]
    if rows:
        with housekeeping() as connection:
            connection.execute(insert(KeyAccess), rows)
