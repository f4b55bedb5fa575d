"""The saved views of a person, opened."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field

from sqlalchemy import bindparam, select

from app.core.access import Person
from app.core.keys import agency_key
from app.core.statements import Query
from app.core.vault import Place, unpad, unseal
from app.extensions import db
from app.models import SavedView


@dataclass(frozen=True, slots=True)
class View:
    """A filter under a name, in the form it has in an address."""

    id: uuid.UUID
    name: str
    query: dict[str, str] = field(repr=False)


def views_of(by: Person) -> list[View]:
    """One's own saved views, by name."""
    rows = _MINE.all(db.session.connection(), agency=by.agency_id, user=by.user.id)
    if not rows:
        return []
    key = agency_key(by.agency_id, "secret")
    views = [open_view(key, by.agency_id, row.id, row.body_ct) for row in rows]
    return sorted(views, key=lambda view: (view.name.casefold(), view.id))


_MINE = Query(
    select(SavedView.id, SavedView.body_ct).where(
        SavedView.agency_id == bindparam("agency"), SavedView.user_id == bindparam("user")
    )
)


def open_view(key: bytes, agency_id: uuid.UUID, view_id: uuid.UUID, body_ct: bytes) -> View:
    """A view of which the row was read; `key` is its agency's."""
    body = json.loads(unpad(unseal(key, place_of(agency_id, view_id), body_ct)))
    return View(view_id, body["name"], body["query"])


def place_of(agency_id: uuid.UUID, view_id: uuid.UUID) -> Place:
    """Where the sealed name and filter stand."""
    return Place(agency_id, "saved_view", "body", view_id)
