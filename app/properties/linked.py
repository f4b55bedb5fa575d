"""A property with its agent and agency as its link shows them: read each time, made anew only when the row differs.

To make three objects of a row costs more than to read it. They belong to no session and are shared by threads: they
are read, and never changed. What is not read here raises where somebody asks for it.
"""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.orm.attributes import set_committed_value

from app.core.detached import columns_of, every, made_of
from app.core.recently_used import RecentlyUsed
from app.core.statements import Query
from app.extensions import db
from app.models import Agency, Property, User

MOST = 16 * 1024 * 1024  # bytes in a process
EACH = 8 * 1024  # bytes of the objects and their row, beside long texts
# What every offer moves, and what a link has no business with.
NOT_SHOWN = {"head_seq", "head_hash", "event_seq", "used_on", "day_bytes", "day_offers", "all_bytes", "recorded_offers"}
NOT_SHOWN |= {"account_id", "read_in", "chosen_at"}


_COLUMNS = columns_of((Property, User, Agency), without=NOT_SHOWN)
_QUERY = Query(
    select(*every(_COLUMNS))
    .join(User, User.id == Property.agent_id)
    .join(Agency, Agency.id == Property.agency_id)
    .where(Property.id == bindparam("id"))
)
_kept: RecentlyUsed[tuple[tuple[Any, ...], Property]] = RecentlyUsed(MOST)


def linked_property(property_id: uuid.UUID) -> Property | None:
    """As it is now; None when it is gone. The same object as before while nothing that was read has changed."""
    if db.session().in_transaction():  # who waits for a second connection while holding one may wait for ever
        return _read(db.session.connection(), property_id)
    with db.engine.connect() as connection:  # one statement needs no session, nor a transaction around it
        return _read(connection, property_id)


def _read(connection: Connection, property_id: uuid.UUID) -> Property | None:
    held = next(iter(_QUERY.raw(connection, id=property_id)), None)
    if held is None:
        return None
    kept = _kept.get(property_id)
    if kept is not None and kept[0] == held:
        return kept[1]
    prop = _made(_QUERY.row(connection, held))
    _kept.put(property_id, (held, prop), EACH + sum(len(value) for value in held if isinstance(value, str | bytes)))
    return prop


def _made(row: Any) -> Property:
    prop = made_of(row, Property, _COLUMNS)
    set_committed_value(prop, "agent", made_of(row, User, _COLUMNS))
    set_committed_value(prop, "agency", made_of(row, Agency, _COLUMNS))
    return prop
