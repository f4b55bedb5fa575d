"""What a signed link opens."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import bindparam, select
from sqlalchemy.orm import joinedload

from app.extensions import db
from app.links import read_offer_link
from app.models import Property
from app.representations import link_state

_PROPERTY = (
    select(Property)
    .where(Property.id == bindparam("id"))
    .options(joinedload(Property.agent), joinedload(Property.agency))
)


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """A property, and where its link stands: open, not_open, closed, off or rotated."""

    property: Property
    version: int
    state: str


def open_link(token: str) -> OpenedLink | None:
    """The link's property with agent and agency; None when the property is gone. Raises `BadToken`."""
    link = read_offer_link(token)
    prop = db.session.scalar(_PROPERTY, {"id": link.property_id})
    return OpenedLink(prop, link.version, link_state(prop, link.version)) if prop else None
