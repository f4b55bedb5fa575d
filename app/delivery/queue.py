"""The queue of deliveries, in the database: what is due is claimed, outcomes are recorded. See decision 0024.

The database is the queue. A delivery is claimed by one conditional UPDATE with a lease token; after a
crash the lease runs out, and the next claim takes the delivery up. So each is sent at least once, with one id.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    union_all,
    update,
)

from app.core.clock import now
from app.delivery.composing import COLUMNS, DeliveryRow
from app.delivery.scheduling import blocked
from app.extensions import db
from app.models import Attempt, Delivery, WebhookEndpoint

# With the relay's patience and sweep, what a crashed process had in hand is taken up within 45 s.
LEASES = {"mail": timedelta(seconds=30), "receipt": timedelta(seconds=30), "webhook": timedelta(seconds=28)}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed(DeliveryRow):
    """A delivery in our hands until `until`. `tries` are the attempts since it was last owed, this one among them;
    `body_ct` is the body of a call without an event."""

    token: uuid.UUID
    until: datetime
    attempts: int
    tries: int
    body_ct: bytes | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a delivery, tried at `at`. `tried` is False when it did not come to a try, which then does not
    count. `code` is the answer's (SMTP or HTTP, 0 for none), `fault` what went wrong without one."""

    claimed: Claimed
    state: str
    at: datetime
    due_at: datetime | None = None
    code: int = 0
    answer_ct: bytes | None = None
    fault: str = ""
    tried: bool = True

    @classmethod
    def untried(cls, claimed: Claimed, state: str = "pending") -> Outcome:
        """Never begun: due as before; or ended without a try."""
        return cls(claimed, state, now(), tried=False)


class Sender(Protocol):
    """Sends one claimed delivery. May take as long as its lease lasts."""

    def send(self, claimed: Any) -> Outcome: ...


Choose = Callable[[Connection, datetime], list[uuid.UUID]]


def claim(connection: Connection, kind: str, choose: Choose, token: uuid.UUID | None = None) -> list[Claimed]:
    """Lease what is chosen of what is due, in the order of the choice."""
    at, token = now(), token or uuid.uuid4()
    until = at + LEASES[kind]
    release_lapsed(connection, kind, at)
    chosen = choose(connection, at)
    if not chosen:
        return []
    rows = connection.execute(_LEASE, {"ids": chosen, "token": token, "until": until}).all()
    place = {delivery_id: number for number, delivery_id in enumerate(chosen)}
    claimed = [_claimed(row, token, until) for row in rows]
    return sorted(claimed, key=lambda delivery: place[delivery.id])


_LEASE = (
    update(Delivery)
    .where(Delivery.id.in_(bindparam("ids", expanding=True)), Delivery.state == "pending")
    .values(
        state="leased",
        lease_token=bindparam("token"),
        lease_until=bindparam("until"),
        attempts=Delivery.attempts + 1,
    )
    .returning(*COLUMNS, Delivery.attempts, Delivery.tried_before, Delivery.body_ct)
)


def _claimed(row: Any, token: uuid.UUID, until: datetime) -> Claimed:
    *own, attempts, tried_before, body_ct = row
    values: list[Any] = [*own, token, until, attempts, attempts - tried_before, body_ct]
    return Claimed(*values)


def release_lapsed(connection: Connection, kind: str, at: datetime) -> None:
    """What a crashed process had in hand is due again, as long as it has waited."""
    lapsed = select(Delivery.id).where(Delivery.kind == kind, Delivery.state == "leased", Delivery.lease_until < at)
    if connection.dialect.name == "postgresql":  # whoever holds one writes down what became of it
        lapsed = lapsed.with_for_update(skip_locked=True)
    free = {"state": "pending", "lease_token": None, "lease_until": None}
    connection.execute(update(Delivery).where(Delivery.id.in_(lapsed)).values(free))


def record(connection: Connection, outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Write outcomes down, each only while its lease still stands, with one attempt for each real try. Returns those
    that stood."""
    at, stood = now(), []
    alike: dict[tuple[uuid.UUID, str, datetime | None, bool], list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        alike[outcome.claimed.token, outcome.state, outcome.due_at, outcome.tried].append(outcome)
    for (token, state, due_at, tried), some in alike.items():
        values: dict[str, Any] = {"state": state, "lease_token": None, "lease_until": None}
        values["ended_at"] = None if state == "pending" else at
        if due_at and state == "pending":
            values["due_at"] = due_at
        if not tried:
            values["attempts"] = Delivery.attempts - 1
        ours = (Delivery.lease_token == token, Delivery.id.in_([outcome.claimed.id for outcome in some]))
        standing = set(connection.scalars(update(Delivery).where(*ours).values(values).returning(Delivery.id)))
        stood += [outcome for outcome in some if outcome.claimed.id in standing]
        for outcome in some:
            if outcome.claimed.id not in standing:
                log.warning("lease_lost", delivery=str(outcome.claimed.id))
    attempts = [
        {
            "delivery_id": outcome.claimed.id,
            "n": outcome.claimed.attempts,
            "agency_id": outcome.claimed.agency_id,
            "at": outcome.at,
            "code": outcome.code,
            "answer_ct": outcome.answer_ct,
        }
        for outcome in stood
        if outcome.tried
    ]
    if attempts:
        connection.execute(insert(Attempt), attempts)
    return stood


def oldest_due(at: datetime) -> datetime | None:
    """Since when the longest waiting of the due deliveries waits, or None when nothing is due."""
    on = exists().where(WebhookEndpoint.id == Delivery.endpoint_id, WebhookEndpoint.off_at.is_(None))
    free: dict[str, ColumnElement[bool]] = {"mail": true(), "receipt": ~blocked(at), "webhook": on}
    waits: list[Select[datetime | None]] = []
    for kind, condition in free.items():
        pending = (Delivery.kind == kind, Delivery.state == "pending", Delivery.due_at <= at)
        lapsed = (Delivery.kind == kind, Delivery.state == "leased", Delivery.lease_until < at)
        waits += [select(func.min(Delivery.due_at).label("since")).where(*pending, condition)]
        waits += [select(func.min(Delivery.lease_until).label("since")).where(*lapsed, condition)]
    waiting = union_all(*waits).subquery()
    found: datetime | None = db.session.scalar(select(func.min(waiting.c.since)))
    return found


def retry_now(connection: Connection) -> None:
    """The mail server is back: what only waited for it is due now."""
    last = exists().where(
        Attempt.delivery_id == Delivery.id, Attempt.n == Delivery.attempts, or_(Attempt.code == 0, Attempt.code >= 500)
    )
    waiting = (Delivery.kind != "webhook", Delivery.state == "pending", Delivery.due_at > now(), Delivery.attempts > 0)
    connection.execute(update(Delivery).where(*waiting, last).values(due_at=now()))
