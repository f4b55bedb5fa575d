"""Which offer another one replaced: known when it came in, or when a recorded offer was confirmed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, func, select

from app.models import Offer, Supersession


def replaced_by(offer: Any = Offer) -> ColumnElement[Any]:
    """The id of the offer whose place this one has, or NULL."""
    later = select(Supersession.previous_id).where(Supersession.offer_id == offer.id).scalar_subquery()
    return func.coalesce(offer.previous_id, later, type_=Offer.previous_id.type)
