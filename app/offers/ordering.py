"""Moving an offer in its property's order, and undoing that. The rule itself is `app.offers.ranking`."""

from __future__ import annotations

import uuid

from sqlalchemy import delete

from app.core import keys
from app.core.access import Person
from app.core.errors import Conflict
from app.core.unit_of_work import writing
from app.core.vault import Place, seal
from app.models import OfferMove, OfferState


def move(state: OfferState, place: int, reason: str | None, *, by: Person) -> None:
    """Put an offer at `place`, counted from 1; `reason` is sealed. Raises `Conflict` for a forgotten person's offer."""
    offer_id, property_id = state.offer_id, state.property_id
    with writing(state.agency_id) as tx:
        key = keys.offer_key(tx.agency_id, offer_id)
        if key is None:
            raise Conflict
        mine = (OfferMove.agency_id == tx.agency_id, OfferMove.offer_id == offer_id)
        tx.connection.execute(delete(OfferMove).where(*mine))
        sealed = seal(key, Place(tx.agency_id, "offer_move", "reason", offer_id), reason.encode()) if reason else None
        row = {"offer_id": offer_id, "property_id": property_id, "user_id": by.user.id, "at": tx.at, "place": place}
        tx.add(OfferMove, **row, reason_ct=sealed)
        tx.record("offer.moved", offer_id, by.actor, {"place": place})


def reset(property_id: uuid.UUID, *, by: Person) -> None:
    """Back to the order that the offers have by themselves."""
    with writing(by.agency_id) as tx:
        moved = (OfferMove.agency_id == tx.agency_id, OfferMove.property_id == property_id)
        if tx.connection.execute(delete(OfferMove).where(*moved)).rowcount:
            tx.record("order.reset", property_id, by.actor)
