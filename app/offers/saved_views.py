"""Saved views: a filter of the list under a name, for one person; name and filter are sealed."""

from __future__ import annotations

import json
import uuid
from datetime import datetime

from flask_babel import lazy_gettext
from sqlalchemy import delete, insert, select, update

from app.core import limits
from app.core.access import Person
from app.core.clock import now
from app.core.errors import Invalid
from app.core.ids import new_id
from app.core.keys import agency_key
from app.core.unit_of_work import housekeeping
from app.core.vault import pad, seal
from app.extensions import db
from app.models import Agency, SavedView, Tombstone, User
from app.models.agency import OWNER
from app.offers.list.filter import OfferFilter
from app.offers.list.pages import count_offers
from app.offers.view_reading import open_view, place_of, views_of

MOST = 50
NAMELESS = lazy_gettext("Give the view a name")
TOO_LONG = lazy_gettext("Use at most %(max)d characters", max=limits.VIEW_NAME)
TOO_MANY = lazy_gettext("There are 50 saved views; delete one first")


def save(name: str, query: dict[str, str], *, by: Person) -> uuid.UUID:
    """Keep the filter under a name; one of the same name is replaced. Raises `Invalid` for `name`."""
    name, views = _checked(name), views_of(by)
    same = next((view for view in views if view.name.casefold() == name.casefold()), None)
    if same is None and len(views) >= MOST:
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


def rename(view: SavedView, name: str) -> None:
    """Give one's view another name. Raises `Invalid` for `name`."""
    name, view_id, agency_id = _checked(name), view.id, view.agency_id
    query = open_view(agency_key(agency_id, "secret"), agency_id, view_id, view.body_ct).query
    body_ct = _sealed(agency_id, view_id, name, query)
    with housekeeping() as connection:
        connection.execute(update(SavedView).where(SavedView.id == view_id).values(body_ct=body_ct))


def forget(view: SavedView) -> None:
    """Delete one's view."""
    view_id = view.id
    with housekeeping() as connection:
        connection.execute(delete(SavedView).where(SavedView.id == view_id))


def forget_searches(since: datetime) -> int:
    """Drop the views that look for somebody who is nowhere in their agency, if it forgot anybody since: slow, as every
    name there is opened. Rights do not count: a person that a colleague may no longer see is there all the same."""
    forgot = select(Tombstone.agency_id).where(Tombstone.at > since)
    query = select(SavedView.id, SavedView.body_ct, Agency).join(Agency, Agency.id == SavedView.agency_id)
    found: dict[tuple[uuid.UUID, str | None, str | None], bool] = {}
    lost = []
    for view_id, body_ct, agency in db.session.execute(query.where(Agency.id.in_(forgot))).all():
        asked = open_view(agency_key(agency.id, "secret"), agency.id, view_id, body_ct).query
        who = (agency.id, asked.get("q"), asked.get("email"))
        if who not in found:
            found[who] = _finds_somebody(agency, OfferFilter(q=asked.get("q"), email=asked.get("email")))
        if not found[who]:
            lost.append(view_id)
    if lost:
        with housekeeping() as connection:
            connection.execute(delete(SavedView).where(SavedView.id.in_(lost)))
    return len(lost)


def _finds_somebody(agency: Agency, chosen: OfferFilter) -> bool:
    """Whether a filter looks for no person, or an owner would find one by it."""
    owner = Person(User(agency_id=agency.id, role=OWNER), agency, agency.id, "")
    return not (chosen.q or chosen.email) or count_offers(owner, chosen) > 0


def _checked(name: str) -> str:
    name = " ".join(name.replace("\0", " ").split())
    if not name:
        raise Invalid({"name": [NAMELESS]})
    if len(name) > limits.VIEW_NAME:
        raise Invalid({"name": [TOO_LONG]})
    return name


def _sealed(agency_id: uuid.UUID, view_id: uuid.UUID, name: str, query: dict[str, str]) -> bytes:
    text = json.dumps({"name": name, "query": query}).encode()
    return seal(agency_key(agency_id, "secret"), place_of(agency_id, view_id), pad(text))
