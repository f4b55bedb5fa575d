"""The database's side of webhook calls: what is due is claimed and loaded, what became of it is written down."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import structlog
from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, func, insert, or_, select, update

from app.clock import now
from app.extensions import db
from app.keys import agency_key, unwrap_offer_key
from app.models import Attempt, Delivery, Event, OfferKey, WebhookEndpoint
from app.services import webhooks
from app.vault import Place, unseal

LEASE = timedelta(seconds=28)  # with the relay's patience and sweep a crashed call is taken up within 45 s

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One call in our hands until `until`: what is sent where, and by which key its answer is sealed."""

    id: uuid.UUID
    agency_id: uuid.UUID
    endpoint_id: uuid.UUID
    event_seq: int
    type: str
    attempts: int
    tries: int  # attempts since it was last owed, this one among them
    until: datetime
    url: str
    secrets: list[bytes]
    body: bytes
    key: bytes
    failing: bool


class Outcome(NamedTuple):
    """What became of a call that was made at `at`."""

    call: Call
    at: datetime
    state: str
    due_at: datetime | None = None
    code: int = 0
    answer_ct: bytes | None = None


def _due(at: datetime) -> ColumnElement[bool]:
    """Calls that wait, or whose lease has lapsed."""
    waiting = and_(Delivery.state == "pending", Delivery.due_at <= at)
    lapsed = and_(Delivery.state == "leased", Delivery.lease_until < at)
    return and_(Delivery.kind == "webhook", or_(waiting, lapsed))


def _with_due(at: datetime) -> Select[uuid.UUID]:
    """The endpoints that something is due for. Asked of each, so that a long queue is never read to its end."""
    its = (Delivery.endpoint_id == WebhookEndpoint.id,)
    waiting = exists().where(*its, Delivery.state == "pending", Delivery.due_at <= at)
    lapsed = exists().where(*its, Delivery.state == "leased", Delivery.lease_until < at)
    return select(WebhookEndpoint.id).where(WebhookEndpoint.off_at.is_(None), or_(waiting, lapsed))


def anything_due(at: datetime) -> bool:
    """Whether there is anything to claim, asked without holding anybody up."""
    return db.session.scalar(_with_due(at).limit(1)) is not None


def oldest_due(at: datetime) -> datetime | None:
    """Since when the longest waiting of the due calls waits, or None when nothing is due."""
    its = (Delivery.endpoint_id == WebhookEndpoint.id, WebhookEndpoint.off_at.is_(None))
    oldest: datetime | None = db.session.scalar(select(func.min(Delivery.due_at)).where(*its, _due(at)))
    return oldest


def claim(
    connection: Connection, token: uuid.UUID, room: Callable[[uuid.UUID], int], most: int
) -> tuple[list[Call], int]:
    """Lease due calls, the longest waiting first: of each endpoint as many as there is `room`, `most` together.

    An endpoint of which another process has calls in hand is left to it, so that whoever has them can see to it that
    no more than two are under way. Returns the calls, and how many were claimed in all: some may have been cancelled.
    """
    at = now()
    ready = _with_due(at)
    if connection.dialect.name == "postgresql":  # one worker at a time for each endpoint
        ready = ready.with_for_update(skip_locked=True)
    ids = connection.scalars(ready).all()
    if not ids:
        return [], 0
    held = select(Delivery.endpoint_id).where(
        Delivery.endpoint_id.in_(ids),
        Delivery.state == "leased",
        Delivery.lease_token != token,
        Delivery.lease_until >= at,
    )
    elsewhere = set(connection.scalars(held.distinct()))
    rows: list[Any] = []
    for endpoint_id in ids:
        count = min(room(endpoint_id), most - len(rows))
        if count > 0 and endpoint_id not in elsewhere:
            given = {"endpoint": endpoint_id, "at": at, "count": count, "token": token, "until": at + LEASE}
            rows += connection.execute(_LEASE, given).all()
    calls, lost = _load(connection, sorted(rows, key=lambda row: row.due_at))
    if lost:
        ended = {"state": "cancelled", "ended_at": at, "lease_token": None, "lease_until": None}
        connection.execute(update(Delivery).where(Delivery.id.in_([row.id for row in lost])).values(ended))
    return calls, len(rows)


_AT = bindparam("at", type_=Delivery.due_at.type)
_NEXT = (
    select(Delivery.id)
    .where(Delivery.endpoint_id == bindparam("endpoint"), Delivery.state == "pending", Delivery.due_at <= _AT)
    .order_by(Delivery.due_at)
    .limit(bindparam("count"))
)
_LEASE = (
    update(Delivery)
    .where(Delivery.id.in_(_NEXT))
    .values(
        state="leased",
        lease_token=bindparam("token"),
        lease_until=bindparam("until"),
        attempts=Delivery.attempts + 1,
    )
    .returning(
        Delivery.id, Delivery.agency_id, Delivery.endpoint_id, Delivery.event_seq, Delivery.template,
        Delivery.offer_id, Delivery.body_ct, Delivery.attempts, Delivery.tried_before, Delivery.due_at,
        Delivery.lease_until,
    )
)  # fmt: skip


def release_lapsed(connection: Connection) -> int:
    """What a crashed process had in hand is due again."""
    free = {"state": "pending", "lease_token": None, "lease_until": None}
    lapsed = (Delivery.kind == "webhook", Delivery.state == "leased", Delivery.lease_until < now())
    return connection.execute(update(Delivery).where(*lapsed).values(free)).rowcount


def give_back(connection: Connection, token: uuid.UUID, calls: Sequence[Call]) -> None:
    """What was never begun is due as before, and counts as no try."""
    free = {"state": "pending", "lease_token": None, "lease_until": None, "attempts": Delivery.attempts - 1}
    ours = (Delivery.id.in_([call.id for call in calls]), Delivery.lease_token == token, Delivery.state == "leased")
    if calls:
        connection.execute(update(Delivery).where(*ours).values(free))


def _load(connection: Connection, rows: list[Any]) -> tuple[list[Call], list[Any]]:
    """The calls with all that they need, and the rows that cannot be sent: endpoint gone, or person forgotten."""
    if not rows:
        return [], []
    wanted = WebhookEndpoint.id.in_({row.endpoint_id for row in rows})
    endpoints = {row.id: row for row in connection.execute(select(WebhookEndpoint.__table__).where(wanted))}
    at = now()
    known = {i: (webhooks.url_of(one), webhooks.secrets_of(one, at)) for i, one in endpoints.items()}
    bodies = _bodies(connection, rows)
    calls, lost = [], []
    for row in rows:
        endpoint, found = endpoints.get(row.endpoint_id), bodies.get(row.id)
        if endpoint is None or endpoint.off_at or found is None:
            lost.append(row)
            continue
        calls.append(
            Call(
                row.id, row.agency_id, row.endpoint_id, row.event_seq, row.template, row.attempts,
                row.attempts - row.tried_before, row.lease_until, *known[row.endpoint_id], *found,
                failing=endpoint.failing_since is not None or endpoint.warned > 0,
            )
        )  # fmt: skip
    return calls, lost


def _bodies(connection: Connection, rows: list[Any]) -> dict[uuid.UUID, tuple[bytes, bytes]]:
    """What each call says, and the key it is sealed by; nothing for a person who has been forgotten."""
    found: dict[uuid.UUID, tuple[bytes, bytes]] = {}
    numbers: dict[uuid.UUID, set[int]] = defaultdict(set)
    for row in rows:
        if row.body_ct:
            key = agency_key(row.agency_id, "secret")
            found[row.id] = unseal(key, Place(row.agency_id, "delivery", "body", row.id), row.body_ct), key
        else:
            numbers[row.agency_id].add(row.event_seq)
    events: dict[tuple[uuid.UUID, int], Any] = {}
    for agency_id, wanted in numbers.items():
        query = select(Event.seq, Event.offer_id, Event.body_ct, OfferKey.kek_id, OfferKey.wrapped)
        query = query.outerjoin(OfferKey, OfferKey.offer_id == Event.offer_id)
        for found_event in connection.execute(query.where(Event.agency_id == agency_id, Event.seq.in_(wanted))):
            events[agency_id, found_event.seq] = found_event
    for row in rows:
        event: Any = events.get((row.agency_id, row.event_seq))
        if row.id in found or event is None or (event.offer_id and event.wrapped is None):
            continue
        key = (
            unwrap_offer_key(row.agency_id, event.offer_id, event.kek_id, event.wrapped)
            if event.offer_id
            else agency_key(row.agency_id, "secret")
        )
        found[row.id] = unseal(key, Place(row.agency_id, "event", "body", str(event.seq)), event.body_ct), key
    return found


_OUTCOME = (
    update(Delivery)
    .where(Delivery.id == bindparam("_id"))
    .values(
        state=bindparam("_state"),
        due_at=func.coalesce(bindparam("_due_at", type_=Delivery.due_at.type), Delivery.due_at),
        ended_at=bindparam("_ended_at"),
        lease_token=None,
        lease_until=None,
    )
)


def record(connection: Connection, token: uuid.UUID, outcomes: Sequence[Outcome]) -> None:
    """Write outcomes down, each only while its lease still stands, with one attempt for each."""
    at = now()
    ours = (Delivery.id.in_([outcome.call.id for outcome in outcomes]), Delivery.lease_token == token)
    standing = set(connection.scalars(select(Delivery.id).where(*ours))) if outcomes else set()
    states, attempts = [], []
    for outcome in outcomes:
        call = outcome.call
        if call.id not in standing:
            log.warning("lease_lost", delivery=str(call.id))
            continue
        ended = None if outcome.state == "pending" else at
        states.append({"_id": call.id, "_state": outcome.state, "_due_at": outcome.due_at, "_ended_at": ended})
        ids = {"delivery_id": call.id, "n": call.attempts, "agency_id": call.agency_id}
        attempts.append({**ids, "at": outcome.at, "code": outcome.code, "answer_ct": outcome.answer_ct})
    if states:
        connection.execute(_OUTCOME, states)
        connection.execute(insert(Attempt), attempts)
