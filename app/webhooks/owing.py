"""What endpoints are owed, many calls of it: some at a time, since on SQLite everybody's writes wait for each turn."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, or_, select, update

from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork, writing
from app.models import Delivery, Event, WebhookEndpoint

AT_ONCE = 500  # calls that are owed or ended in one turn

replaying: set[uuid.UUID] = set()  # agencies, in this process


def waits_after_failure(at: datetime) -> ColumnElement[bool]:
    """Calls that were tried and are to be tried again later. What was never tried may wait so that it can be undone."""
    return and_(Delivery.state == "pending", Delivery.attempts > 0, Delivery.due_at > at)


def owe_all(agency_id: uuid.UUID, endpoint_id: uuid.UUID, since: datetime) -> None:
    """All that is replayed, while the endpoint is on. Whoever is killed over it asks once more."""
    replaying.add(agency_id)
    try:
        for owe in (_owe_not_arrived, _owe_missed):
            place: Any = None
            while True:
                with writing(agency_id) as tx:
                    place = owe(tx, endpoint_id, since, place) if _is_on(tx, endpoint_id) else None
                if place is None:
                    break
    finally:
        replaying.discard(agency_id)


def _owe_not_arrived(tx: UnitOfWork, endpoint_id: uuid.UUID, since: datetime, after: Any) -> Any:
    """Some calls that were tried, and where to go on: by their ids, since those that fail again are not meant."""
    found = not_arrived(tx, endpoint_id, since).where(Delivery.id > (after or uuid.UUID(int=0)))
    ids = tx.connection.scalars(found.order_by(Delivery.id).limit(AT_ONCE)).all()
    if ids:
        owe_again(tx, Delivery.id.in_(ids))
    return ids[-1] if len(ids) == AT_ONCE else None


def _owe_missed(tx: UnitOfWork, endpoint_id: uuid.UUID, since: datetime, after: Any) -> Any:
    """Some events that no call was ever owed for, and where to go on."""
    found = missed(tx, endpoint_id, since).where(Event.seq > (after or 0))
    events = tx.connection.execute(found.order_by(Event.seq).limit(AT_ONCE)).all()
    for event in events:
        to = {"offer_id": event.offer_id, "endpoint_id": endpoint_id}
        tx.owe("webhook", event.type, about("event", event.seq), event_seq=event.seq, **to)
    return events[-1].seq if len(events) == AT_ONCE else None


def not_arrived(tx: UnitOfWork, endpoint_id: uuid.UUID, since: datetime) -> Select[Any]:
    return select(Delivery.id).where(
        Delivery.agency_id == tx.agency_id,
        Delivery.endpoint_id == endpoint_id,
        Delivery.created_at >= since,
        Delivery.event_seq.is_not(None),
        or_(Delivery.state == "dead", waits_after_failure(tx.at)),
    )


def missed(tx: UnitOfWork, endpoint_id: uuid.UUID, since: datetime) -> Select[int, str, uuid.UUID | None]:
    owed = exists().where(
        Delivery.agency_id == Event.agency_id, Delivery.event_seq == Event.seq, Delivery.endpoint_id == endpoint_id
    )
    events = select(Event.seq, Event.type, Event.offer_id).where(
        Event.agency_id == tx.agency_id, Event.at >= since, ~owed
    )
    wanted = tx.connection.scalar(select(WebhookEndpoint.events).where(WebhookEndpoint.id == endpoint_id))
    return events.where(Event.type.in_(wanted.split())) if wanted else events


def _is_on(tx: UnitOfWork, endpoint_id: uuid.UUID) -> bool:
    on = (WebhookEndpoint.id == endpoint_id, WebhookEndpoint.off_at.is_(None))
    return tx.connection.scalar(select(WebhookEndpoint.id).where(*on)) is not None


def owe_again(tx: UnitOfWork, *which: Any) -> int:
    owed = tx.connection.execute(
        update(Delivery)
        .where(Delivery.agency_id == tx.agency_id, *which)
        .values(state="pending", due_at=tx.at, ended_at=None, tried_before=Delivery.attempts)
    ).rowcount
    tx.owes = tx.owes or owed > 0
    return owed


def end_owed(tx: UnitOfWork, *, endpoint_id: uuid.UUID, ends: tuple[str, ...], state: str) -> bool:
    """Some of what is owed to an endpoint ends; whether there may be more."""
    owed = (Delivery.agency_id == tx.agency_id, Delivery.endpoint_id == endpoint_id, Delivery.state.in_(ends))
    some = Delivery.id.in_(select(Delivery.id).where(*owed).limit(AT_ONCE))
    ended = {"state": state, "ended_at": tx.at, "lease_token": None, "lease_until": None}
    return tx.connection.execute(update(Delivery).where(some).values(**ended)).rowcount == AT_ONCE


def end_all(agency_id: uuid.UUID, endpoint_id: uuid.UUID, ending: Callable[[UnitOfWork], bool]) -> None:
    """The rest, unless the endpoint is on again by then. Nothing is sent to one that is off."""
    more = True
    while more:
        with writing(agency_id) as tx:
            more = not _is_on(tx, endpoint_id) and ending(tx)
