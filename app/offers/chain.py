"""Which offer another one replaced: known when it came in, or when a recorded offer was confirmed."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, func, select

from app.models import Offer, Supersession


def replaced_by(offer: Any = Offer) -> ColumnElement[Any]:
    """The id of the offer whose place this one has, or NULL."""
    later = select(Supersession.previous_id).where(Supersession.offer_id == offer.id).scalar_subquery()
    return func.coalesce(offer.previous_id, later, type_=Offer.previous_id.type)


def successor(connection: Connection, offer_id: uuid.UUID) -> uuid.UUID | None:
    """The offer that took this one's place, in whichever of the two ways."""
    found: uuid.UUID | None = connection.scalar(_SENT_AFTER, {"id": offer_id})
    return found or connection.scalar(_CONFIRMED_AFTER, {"id": offer_id})


def line_of(connection: Connection, offer_id: uuid.UUID) -> list[uuid.UUID]:
    """The offer and all that took its place one after another, the latest last."""
    line = [offer_id]
    while after := successor(connection, line[-1]):
        line.append(after)
    return line


_SENT_AFTER = select(Offer.id).where(Offer.previous_id == bindparam("id"))
_CONFIRMED_AFTER = select(Supersession.offer_id).where(Supersession.previous_id == bindparam("id"))
