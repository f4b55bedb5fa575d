"""A link that far too many offers come through: its agent is told, and can slow it down."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

from sqlalchemy import exists, select

from app.core.ledger import SYSTEM, Actor
from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork, writing
from app.extensions import db
from app.models import LedgerEntry, Property
from app.properties.editing import load_property

FLOODED = "link.flooded"
TOLD_AGAIN = timedelta(days=1)


def slow(prop: Property, *, on: bool, by: Actor) -> None:
    """Slow a property's link down, or let it run again."""
    with writing(prop.agency_id) as tx:
        current = load_property(prop.id)
        if (current.slowed_at is not None) is not on:
            current.slowed_at = tx.at if on else None
            tx.record("link.slowed" if on else "link.unslowed", current.id, by)


def alert(agency_id: uuid.UUID, property_id: uuid.UUID, an_hour: int) -> bool:
    """Tell the agent that more than `an_hour` offers came within one, unless they were told today or have slowed the
    link down already. Whether they are told."""
    with writing(agency_id) as tx:
        current = load_property(property_id)
        if current.slowed_at is not None or _told_today(tx, property_id):
            return False
        seq = tx.record(FLOODED, property_id, SYSTEM, {"an_hour": an_hour})
        tx.owe_mail("link_flooded", about("entry", seq), user_id=current.agent_id)
    return True


def _told_today(tx: UnitOfWork, property_id: uuid.UUID) -> bool:
    of_it = (LedgerEntry.agency_id == tx.agency_id, LedgerEntry.object_id == property_id)
    told = exists().where(*of_it, LedgerEntry.kind == FLOODED, LedgerEntry.at > tx.at - TOLD_AGAIN)
    return bool(tx.connection.scalar(select(told)))


def flooded(agency_id: uuid.UUID, entry: int) -> tuple[Property, int] | None:
    """The property that an entry says it of, and how many an hour are too many; None where it is gone."""
    held = db.session.get(LedgerEntry, (agency_id, entry))
    prop = db.session.get(Property, held.object_id) if held else None
    return (prop, json.loads(held.body)["data"]["an_hour"]) if held and prop else None
