"""Saved views: a filter of the list under a name, for one person; name and filter are sealed."""

from __future__ import annotations

import json
import uuid

from flask_babel import lazy_gettext
from sqlalchemy import delete, insert, update

from app.access import Person
from app.clock import now
from app.errors import Invalid
from app.ids import new_id
from app.keys import agency_key
from app.models import SavedView
from app.queries.views import place_of, views_of
from app.vault import pad, seal
from app.writing import housekeeping

MOST = 50
LONGEST = 80
NAMELESS = lazy_gettext("Give the view a name")
TOO_LONG = lazy_gettext("Use at most %(max)d characters", max=LONGEST)
TOO_MANY = lazy_gettext("There are 50 saved views; delete one first")


def save(name: str, query: dict[str, str], *, by: Person) -> uuid.UUID:
    """Keep the filter under a name; one of the same name is replaced. Raises `Invalid` for `name`."""
    name, held = _checked(name), views_of(by)
    same = next((view for view in held if view.name.casefold() == name.casefold()), None)
    if same is None and len(held) >= MOST:
        raise Invalid({"name": [TOO_MANY]})
    agency_id, user_id, view_id = by.agency_id, by.user.id, same.id if same else new_id()
    body_ct = _sealed(agency_id, view_id, name, query)
    with housekeeping() as connection:
        if same:
            connection.execute(update(SavedView).where(SavedView.id == view_id).values(body_ct=body_ct))
        else:
            row = {"id": view_id, "agency_id": agency_id, "user_id": user_id, "body_ct": body_ct, "created_at": now()}
            connection.execute(insert(SavedView), row)
    return view_id


def rename(view: SavedView, name: str, *, by: Person) -> None:
    """Give one's view another name. Raises `Invalid` for `name`."""
    name, view_id, agency_id = _checked(name), view.id, view.agency_id
    query = next(held.query for held in views_of(by) if held.id == view_id)
    body_ct = _sealed(agency_id, view_id, name, query)
    with housekeeping() as connection:
        connection.execute(update(SavedView).where(SavedView.id == view_id).values(body_ct=body_ct))


def forget(view: SavedView) -> None:
    """Delete one's view."""
    view_id = view.id
    with housekeeping() as connection:
        connection.execute(delete(SavedView).where(SavedView.id == view_id))


def _checked(name: str) -> str:
    name = " ".join(name.replace("\0", " ").split())
    if not name:
        raise Invalid({"name": [NAMELESS]})
    if len(name) > LONGEST:
        raise Invalid({"name": [TOO_LONG]})
    return name


def _sealed(agency_id: uuid.UUID, view_id: uuid.UUID, name: str, query: dict[str, str]) -> bytes:
    text = json.dumps({"name": name, "query": query}).encode()
    return seal(agency_key(agency_id, "secret"), place_of(agency_id, view_id), pad(text))
