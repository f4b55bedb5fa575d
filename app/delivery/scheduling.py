"""Which of the deliveries that are due come next: mails and receipts by agency in turn, calls by endpoint with room."""

from __future__ import annotations

import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, or_, select
from sqlalchemy.orm import aliased

from app.delivery.registry import registry
from app.delivery.turns import Turns, interleaved
from app.extensions import db
from app.models import Agency, Delivery, WebhookEndpoint

LOOKED_AT = 500  # receipts of an agency, of which some wait for their mail

turns = Turns()


def due(kind: str, at: datetime) -> ColumnElement[bool]:
    """Mails or receipts that wait. Some receipts are `blocked`."""
    is_open = and_(Delivery.endpoint_id.is_(None), Delivery.ended_at.is_(None))
    return and_(is_open, Delivery.kind == kind, Delivery.state == "pending", Delivery.due_at <= at)


def blocked(at: datetime) -> ColumnElement[bool]:
    """A receipt waits until the mail that it comes after has left, or was given up. One that is only made does not wait
    for a mail that is held back."""
    receipts, first = registry().receipts, aliased(Delivery)
    return exists().where(
        first.agency_id == Delivery.agency_id,
        first.offer_id == Delivery.offer_id,
        first.template.in_(receipts.after),
        first.state.in_(("pending", "leased")),
        or_(Delivery.template != receipts.only_made, first.due_at <= at),
    )


def by_agency(
    kind: str, count: int, in_hand: Mapping[uuid.UUID, int] | None = None
) -> Callable[[Connection, datetime], list[uuid.UUID]]:
    """Up to `count` mails or receipts: agencies take turns, those with least `in_hand` first; of each agency the
    longest waiting first."""
    counts = Counter(in_hand or {})

    def choose(connection: Connection, at: datetime) -> list[uuid.UUID]:
        with_due = select(Agency.id).where(exists().where(Delivery.agency_id == Agency.id, due(kind, at)))
        agencies = sorted(turns.order(connection.scalars(with_due).all()), key=counts.__getitem__)[:count]
        queues = {agency_id: deque(_first(connection, at, agency_id, kind, count)) for agency_id in agencies}
        chosen: list[uuid.UUID] = []
        while len(chosen) < count and (waiting := [agency_id for agency_id, queue in queues.items() if queue]):
            agency_id = min(waiting, key=counts.__getitem__)
            chosen.append(queues[agency_id].popleft())
            counts[agency_id] += 1
            turns.served(agency_id)
        return chosen

    return choose


def _first(connection: Connection, at: datetime, agency_id: uuid.UUID, kind: str, count: int) -> list[uuid.UUID]:
    """The agency's longest waiting."""
    few = select(Delivery.id).where(Delivery.agency_id == agency_id, due(kind, at)).order_by(Delivery.due_at)
    if kind == "receipt":
        several = few.limit(LOOKED_AT).subquery()
        few = select(Delivery.id).where(Delivery.id.in_(select(several.c.id)), ~blocked(at)).order_by(Delivery.due_at)
    if connection.dialect.name == "postgresql":
        few = few.with_for_update(skip_locked=True, of=Delivery)
    return list(connection.scalars(few.limit(count)))


def by_endpoint(
    token: uuid.UUID,
    room: Callable[[uuid.UUID], int],
    most: int,
    in_hand: Mapping[uuid.UUID, int] | None = None,
) -> Callable[[Connection, datetime], list[uuid.UUID]]:
    """Due calls, the longest waiting first: of each endpoint as many as there is `room`, `most` together.

    Agencies take turns, those with the fewest calls `in_hand` first; while another waits, none has more than its share.
    An endpoint whose calls another process (another `token`) has in hand is left to it: so one process alone keeps them
    to two at a time.
    """
    counts = Counter(in_hand or {})

    def choose(connection: Connection, at: datetime) -> list[uuid.UUID]:
        ready = endpoints_with_due(at)
        if connection.dialect.name == "postgresql":  # one worker at a time for each endpoint
            ready = ready.with_for_update(skip_locked=True)
        agency_of = {row.id: row.agency_id for row in connection.execute(ready)}
        if not agency_of:
            return []
        ids = interleaved(sorted(agency_of, key=lambda endpoint: counts[agency_of[endpoint]]), agency_of.__getitem__)
        share = (most + counts.total()) // len(set(agency_of.values()))
        elsewhere = set(connection.scalars(_LEASED_BY_OTHERS, {"ids": ids, "token": token}))
        chosen: list[uuid.UUID] = []
        for endpoint_id in ids:
            agency_id = agency_of[endpoint_id]
            count = min(room(endpoint_id), most - len(chosen), share - counts[agency_id])
            if count > 0 and endpoint_id not in elsewhere:
                given = {"endpoint": endpoint_id, "at": at, "count": count}
                found = connection.scalars(_CALLS, given).all()
                chosen += found
                counts[agency_id] += len(found)
        return chosen

    return choose


def endpoints_with_due(at: datetime) -> Select[uuid.UUID, uuid.UUID]:
    """The endpoints that something is due for. Asked of each, so that a long queue is never read to its end."""
    of_endpoint = (Delivery.endpoint_id == WebhookEndpoint.id,)
    waiting = exists().where(*of_endpoint, Delivery.state == "pending", Delivery.due_at <= at)
    lapsed = exists().where(*of_endpoint, Delivery.state == "leased", Delivery.lease_until < at)
    return select(WebhookEndpoint.id, WebhookEndpoint.agency_id).where(
        WebhookEndpoint.off_at.is_(None), or_(waiting, lapsed)
    )


def any_call_due(at: datetime) -> bool:
    """Whether there is any call to claim, asked without holding anybody up."""
    return db.session.scalar(endpoints_with_due(at).limit(1)) is not None


_LEASED_BY_OTHERS = (
    select(Delivery.endpoint_id)
    .where(
        Delivery.endpoint_id.in_(bindparam("ids", expanding=True)),
        Delivery.state == "leased",
        Delivery.lease_token != bindparam("token"),
    )
    .distinct()
)
_CALLS = (
    select(Delivery.id)
    .where(
        Delivery.endpoint_id == bindparam("endpoint"),
        Delivery.state == "pending",
        Delivery.due_at <= bindparam("at", type_=Delivery.due_at.type),
    )
    .order_by(Delivery.due_at)
    .limit(bindparam("count"))
)
