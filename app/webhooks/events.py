"""The events of an agency in the order of their commits: every write locks the head first, so none is ever skipped."""

from __future__ import annotations

import json
import uuid
from typing import Any

from sqlalchemy import select

from app.core.clock import rfc3339
from app.core.errors import OtherEpoch
from app.core.keys import agency_key, unwrap_offer_key
from app.core.vault import Place, unseal
from app.extensions import db
from app.models import Agency, Event, OfferKey, PastEpoch


def events_after(agency_id: uuid.UUID, after: int, limit: int) -> tuple[list[dict[str, Any]], bool]:
    """Up to `limit` events with a higher `seq`, and whether there are more."""
    query = (
        select(
            Event.seq, Event.at, Event.type, Event.offer_id, Event.property_id, Event.body_ct,
            OfferKey.kek_id, OfferKey.wrapped,
        )
        .outerjoin(OfferKey, OfferKey.offer_id == Event.offer_id)
        .where(Event.agency_id == agency_id, Event.seq > after)
        .order_by(Event.seq)
        .limit(limit + 1)
    )  # fmt: skip
    rows = db.session.execute(query).all()
    return [_open(agency_id, row) for row in rows[:limit]], len(rows) > limit


def epoch_of(agency_id: uuid.UUID) -> str:
    """The name of the history that the agency's numbers now belong to."""
    return db.session.scalars(select(Agency.epoch).where(Agency.id == agency_id)).one()


def check_place(agency_id: uuid.UUID, after: int, epoch: str | None) -> None:
    """Raise `OtherEpoch` unless every event up to number `after` of `epoch` is still here. Without an epoch the number
    decides, since a restore never gives out a lost one again."""
    if after == 0:
        return
    current, shared = epoch_of(agency_id), None
    if epoch not in {None, current}:
        mine = (PastEpoch.agency_id == agency_id, PastEpoch.name == epoch)
        shared = db.session.scalar(select(PastEpoch.last_seq).where(*mine))
        if shared is None or after > shared:
            raise OtherEpoch(current, shared)
    if db.session.scalar(select(Event.seq).where(Event.agency_id == agency_id, Event.seq == after)) is None:
        raise OtherEpoch(current, shared)


def _open(agency_id: uuid.UUID, row: Any) -> dict[str, Any]:
    if row.offer_id is None:
        key = agency_key(agency_id, "secret")
    elif row.wrapped is not None:
        key = unwrap_offer_key(agency_id, row.offer_id, row.kek_id, row.wrapped)
    else:
        return _forgotten(row)
    text = unseal(key, Place(agency_id, "event", "body", str(row.seq)), row.body_ct)
    body: dict[str, Any] = json.loads(text)
    return body


def _forgotten(row: Any) -> dict[str, Any]:
    """What remains of an event whose person was erased: its type and its offer."""
    ids = {"id": row.offer_id, "property_id": row.property_id}
    return {
        "type": row.type,
        "timestamp": rfc3339(row.at),
        "seq": row.seq,
        "actor": None,
        "data": {name: str(value) for name, value in ids.items() if value},
        "erased": True,
    }
