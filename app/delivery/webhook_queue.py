"""The database's side of webhook calls: what is due is claimed and loaded, what became of it is written down."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

import structlog
from sqlalchemy import ColumnElement, Connection, Select, and_, bindparam, exists, func, insert, or_, select, update

from app.core.clock import now
from app.core.keys import agency_key, unwrap_offer_key
from app.core.vault import Place, unseal
from app.delivery.turns import interleaved
from app.extensions import db
from app.models import Attempt, Delivery, Event, OfferKey, WebhookEndpoint
from app.webhooks import editing as webhooks

LEASE = timedelta(seconds=28)  # with the relay's patience and sweep a crashed call is taken up within 45 s

log = structlog.get_logger(__name__)


class Call(NamedTuple):
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
    fault: str = ""


def _due(at: datetime) -> ColumnElement[bool]:
    """Calls that wait, or whose lease has lapsed."""
    waiting = and_(Delivery.state == "pending", Delivery.due_at <= at)
    lapsed = and_(Delivery.state == "leased", Delivery.lease_until < at)
    return and_(Delivery.kind == "webhook", or_(waiting, lapsed))


def _with_due(at: datetime) -> Select[uuid.UUID, uuid.UUID]:
    """The endpoints that something is due for. Asked of each, so that a long queue is never read to its end."""
    its = (Delivery.endpoint_id == WebhookEndpoint.id,)
    waiting = exists().where(*its, Delivery.state == "pending", Delivery.due_at <= at)
    lapsed = exists().where(*its, Delivery.state == "leased", Delivery.lease_until < at)
    return select(WebhookEndpoint.id, WebhookEndpoint.agency_id).where(
        WebhookEndpoint.off_at.is_(None), or_(waiting, lapsed)
    )


def anything_due(at: datetime) -> bool:
    """Whether there is anything to claim, asked without holding anybody up."""
    return db.session.scalar(_with_due(at).limit(1)) is not None


def oldest_due(at: datetime) -> datetime | None:
    """Since when the longest waiting of the due calls waits, or None when nothing is due."""
    its = (Delivery.endpoint_id == WebhookEndpoint.id, WebhookEndpoint.off_at.is_(None))
    oldest: datetime | None = db.session.scalar(select(func.min(Delivery.due_at)).where(*its, _due(at)))
    return oldest


def claim(
    connection: Connection,
    token: uuid.UUID,
    room: Callable[[uuid.UUID], int],
    most: int,
    in_hand: Mapping[uuid.UUID, int] | None = None,
) -> tuple[list[Call], int]:
    """Lease due calls, the longest waiting first: of each endpoint as many as there is `room`, `most` together.

    Agencies take turns, those with the fewest calls `in_hand` first; while another waits, none has more than its share.

    An endpoint of which another process has calls in hand is left to it, so that whoever has them can see to it that
    no more than two are under way. Returns the calls, and how many were claimed in all: some may have been cancelled.
    """
    at = now()
    ready = _with_due(at)
    if connection.dialect.name == "postgresql":  # one worker at a time for each endpoint
        ready = ready.with_for_update(skip_locked=True)
    held_by = Counter(in_hand or {})
    agency_of = {row.id: row.agency_id for row in connection.execute(ready)}
    if not agency_of:
        return [], 0
    ids = interleaved(sorted(agency_of, key=lambda one: held_by[agency_of[one]]), agency_of.__getitem__)
    share = (most + held_by.total()) // len(set(agency_of.values()))
    held = select(Delivery.endpoint_id).where(
        Delivery.endpoint_id.in_(ids),
        Delivery.state == "leased",
        Delivery.lease_token != token,
        Delivery.lease_until >= at,
    )
    elsewhere = set(connection.scalars(held.distinct()))
    until, claimed = at + LEASE, 0
    leased: dict[uuid.UUID, Sequence[Any]] = {}
    for endpoint_id in ids:
        agency_id = agency_of[endpoint_id]
        count = min(room(endpoint_id), most - claimed, share - held_by[agency_id])
        if count > 0 and endpoint_id not in elsewhere:
            given = {"endpoint": endpoint_id, "at": at, "count": count, "token": token, "until": until}
            leased[endpoint_id] = connection.execute(_LEASE, given).all()
            claimed += len(leased[endpoint_id])
            held_by[agency_id] += len(leased[endpoint_id])
    calls, lost = _load(connection, leased, until) if claimed else ([], [])
    if lost:
        ended = {"state": "cancelled", "ended_at": at, "lease_token": None, "lease_until": None}
        connection.execute(update(Delivery).where(Delivery.id.in_(lost)).values(ended))
    return calls, claimed


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
        Delivery.id, Delivery.event_seq, Delivery.template, Delivery.body_ct, Delivery.attempts, Delivery.tried_before
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


def _load(
    connection: Connection, leased: dict[uuid.UUID, Sequence[Any]], until: datetime
) -> tuple[list[Call], list[uuid.UUID]]:
    """The calls with all that they need, each endpoint's in the order of events; and the ids of those that cannot be
    sent: endpoint off, or person forgotten."""
    endpoints = connection.execute(select(WebhookEndpoint.__table__).where(WebhookEndpoint.id.in_(leased))).all()
    at = now()
    numbers: dict[uuid.UUID, set[int]] = defaultdict(set)
    for one in endpoints:
        numbers[one.agency_id].update(row.event_seq for row in leased[one.id] if not row.body_ct)
    bodies = {agency_id: _bodies(connection, agency_id, wanted) for agency_id, wanted in numbers.items()}
    earlier = webhooks.earlier_secrets(leased, at)
    calls: list[Call] = []
    lost: list[uuid.UUID] = []
    for one in endpoints:
        url, secrets = webhooks.url_of(one), webhooks.secrets_of(one, earlier.get(one.id, ()))
        failing = one.failing_since is not None or one.warned > 0
        of_events, own_key = bodies[one.agency_id], agency_key(one.agency_id, "secret")
        for row in sorted(leased[one.id], key=attrgetter("event_seq")):
            found = of_events.get(row.event_seq)
            if row.body_ct:
                found = unseal(own_key, Place(one.agency_id, "delivery", "body", row.id), row.body_ct), own_key
            if one.off_at or found is None:
                lost.append(row.id)
                continue
            calls.append(
                Call(
                    row.id, one.agency_id, one.id, row.event_seq, row.template, row.attempts,
                    row.attempts - row.tried_before, until, url, secrets, *found, failing,
                )
            )  # fmt: skip
    return calls, lost


def _bodies(connection: Connection, agency_id: uuid.UUID, numbers: set[int]) -> dict[int, tuple[bytes, bytes]]:
    """What events say, and the key each is sealed by; nothing for a person who has been forgotten."""
    query = select(Event.seq, Event.offer_id, Event.body_ct, OfferKey.kek_id, OfferKey.wrapped)
    query = query.outerjoin(OfferKey, OfferKey.offer_id == Event.offer_id)
    found: dict[int, tuple[bytes, bytes]] = {}
    for event in connection.execute(query.where(Event.agency_id == agency_id, Event.seq.in_(numbers))):
        if event.offer_id and event.wrapped is None:
            continue
        key = (
            unwrap_offer_key(agency_id, event.offer_id, event.kek_id, event.wrapped)
            if event.offer_id
            else agency_key(agency_id, "secret")
        )
        found[event.seq] = unseal(key, Place(agency_id, "event", "body", str(event.seq)), event.body_ct), key
    return found


def record(connection: Connection, token: uuid.UUID, outcomes: Sequence[Outcome]) -> None:
    """Write outcomes down, each only while its lease still stands, with one attempt for each."""
    at = now()
    free = {"lease_token": None, "lease_until": None}
    ours = update(Delivery).where(Delivery.lease_token == token).returning(Delivery.id)
    arrived = [outcome.call.id for outcome in outcomes if outcome.state == "delivered"]
    ended = ours.values(state="delivered", ended_at=at, **free)
    standing = set(connection.scalars(ended.where(Delivery.id.in_(arrived)))) if arrived else set()
    for outcome in outcomes:
        if outcome.state != "delivered":
            values = {"state": outcome.state, "ended_at": None if outcome.due_at else at, **free}
            values |= {"due_at": outcome.due_at} if outcome.due_at else {}
            standing.update(connection.scalars(ours.where(Delivery.id == outcome.call.id).values(values)))
    attempts = []
    for call, when, _state, _due_at, code, answer_ct, _fault in outcomes:
        if call.id in standing:
            ids = {"delivery_id": call.id, "n": call.attempts, "agency_id": call.agency_id}
            attempts.append({**ids, "at": when, "code": code, "answer_ct": answer_ct})
        else:
            log.warning("lease_lost", delivery=str(call.id))
    if attempts:
        connection.execute(insert(Attempt), attempts)
