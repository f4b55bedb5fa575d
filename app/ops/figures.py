"""Counts for `/metrics`: what is old is counted by the relay once a minute and kept, what is new when it is asked.

Counting three hundred thousand deliveries takes a tenth of a second; of the last hour they are few, and an index has
them. What was counted is kept in Valkey, and in this process where that is away.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from flask import current_app
from sqlalchemy import func, select

from app.core.clock import now
from app.core.wake import waker
from app.extensions import db
from app.models import Agency, Delivery, Offer
from app.models.record import DELIVERY_KINDS

KEPT = "bidflux:figures"
NEW = timedelta(hours=1)  # what became due since then is counted when it is asked
STALE = 600.0  # seconds after which a relay does not seem to count
ENDED = ("delivered", "dead", "cancelled")
OPEN = ("pending", "leased")

Counts = Counter[tuple[str, str]]


def count() -> dict[str, Any]:
    """Count what is old, and keep it."""
    since = now() - NEW
    old = Delivery.due_at < since
    kept: dict[str, Any] = {
        "at": time.time(),
        "since": since.timestamp(),
        "deliveries": [[*key, number] for key, number in _deliveries(ENDED, old).items()],
        "offers": db.session.scalar(select(func.count()).where(Offer.id < _first_id(since))),
    }
    db.session.rollback()
    current_app.extensions["bidflux_figures"] = kept
    try:
        waker().connection.set(KEPT, json.dumps(kept))
    except redis.RedisError:
        pass  # this process knows them
    return kept


def figures() -> tuple[Counts, int]:
    """Deliveries by kind and state, and how many offers there are."""
    kept = _kept()
    since = datetime.fromtimestamp(kept["since"], UTC)
    deliveries: Counts = Counter({(kind, state): number for kind, state, number in kept["deliveries"]})
    deliveries.update(_deliveries(ENDED, Delivery.due_at >= since))
    deliveries.update(_deliveries(OPEN))
    offers = db.session.scalar(select(func.count()).where(Offer.id >= _first_id(since))) or 0
    all_of_them: int = kept["offers"] + offers
    return deliveries, all_of_them


def ledger() -> tuple[int, int]:
    """How many entries all ledgers have, and where the longest stands."""
    row = db.session.execute(select(func.sum(Agency.head_seq), func.max(Agency.head_seq))).one()
    return row[0] or 0, row[1] or 0


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] | None = current_app.extensions.get("bidflux_figures")
    try:
        text: Any = waker().connection.get(KEPT)
        kept = json.loads(text) if text else kept
    except redis.RedisError:
        pass
    return kept if kept and time.time() - kept["at"] < STALE else count()


def _deliveries(states: tuple[str, ...], *where: Any) -> Counts:
    """By kind and state; both are named, so that the index begins with them."""
    query = select(Delivery.kind, Delivery.state, func.count()).where(
        Delivery.kind.in_(DELIVERY_KINDS), Delivery.state.in_(states), *where
    )
    rows = db.session.execute(query.group_by(Delivery.kind, Delivery.state))
    return Counter({(kind, state): number for kind, state, number in rows})


def _first_id(at: datetime) -> uuid.UUID:
    """The least id that a row can have that is made at that moment (UUIDv7)."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)
