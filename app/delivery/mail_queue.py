"""The database's side of mails and receipts: what is due is claimed, agencies in turn; what became of it written down.

A delivery is claimed by one conditional UPDATE with a lease token; whoever crashes in between loses the lease.
"""

from __future__ import annotations

import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    insert,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.orm import aliased

from app.core.clock import now
from app.delivery import webhook_queue as calls
from app.delivery.letters import Owed
from app.delivery.mailer import Leased, Outcome
from app.delivery.turns import Turns
from app.extensions import db
from app.models import Agency, Attempt, Delivery
from app.offers import undelivered
from app.proof.receipt_reading import CONFIRMS, RECEIPT_KEPT, RECEIPT_MAIL

LEASE = timedelta(seconds=30)  # with the relay's patience and sweep a crashed letter is taken up within 45 s
RECEIPTS = (RECEIPT_MAIL, RECEIPT_KEPT)
LOOKED_AT = 500  # receipts of an agency, of which some wait for their mail

Due = Callable[[datetime], tuple[ColumnElement[bool], ColumnElement[bool]]]
turns = Turns()
log = structlog.get_logger(__name__)

_OPEN_MAIL = and_(Delivery.endpoint_id.is_(None), Delivery.ended_at.is_(None), Delivery.kind == "mail")


def oldest_due(at: datetime) -> datetime | None:
    """Since when the longest waiting of the due deliveries waits, or None when nothing is due."""
    waits: list[Select[datetime | None]] = []
    for (pending, lapsed), free in ((due_letters(at), true()), (due_receipts(at), ~_blocked(at))):
        waits += [select(func.min(Delivery.due_at).label("since")).where(pending, free)]
        waits += [select(func.min(Delivery.lease_until).label("since")).where(lapsed, free)]
    waiting = union_all(*waits).subquery()
    found = [db.session.scalar(select(func.min(waiting.c.since))), calls.oldest_due(at)]
    return min((since for since in found if since), default=None)


def due_letters(at: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Letters that wait, and those whose lease has lapsed."""
    return _due(at, Delivery.template.not_in(RECEIPTS))


def due_receipts(at: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Receipts likewise. Some of them are `_blocked`."""
    return _due(at, Delivery.template.in_(RECEIPTS))


def _due(at: datetime, which: ColumnElement[bool]) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (
        and_(_OPEN_MAIL, Delivery.state == "pending", Delivery.due_at <= at, which),
        and_(_OPEN_MAIL, Delivery.state == "leased", Delivery.lease_until < at, which),
    )


def _blocked(at: datetime) -> ColumnElement[bool]:
    """A receipt waits until the mail that confirms its offer has left, or was given up. One that is only made does not
    wait for a mail that is held back."""
    confirms = aliased(Delivery)
    waits = exists().where(
        confirms.agency_id == Delivery.agency_id,
        confirms.offer_id == Delivery.offer_id,
        confirms.template.in_(CONFIRMS),
        confirms.state.in_(("pending", "leased")),
        or_(Delivery.template != RECEIPT_KEPT, confirms.due_at <= at),
    )
    return and_(Delivery.template.in_(RECEIPTS), waits)


def claim(
    connection: Connection, count: int, due: Due = due_letters, in_hand: Mapping[uuid.UUID, int] | None = None
) -> list[Leased]:
    """Lease up to `count` due deliveries: agencies take turns, those with least `in_hand` first; of each agency the
    longest waiting first."""
    at, token = now(), uuid.uuid4()
    chosen = _chosen(connection, at, count, due, Counter(in_hand or {}))
    if not chosen:
        return []
    columns = (
        Delivery.id,
        Delivery.agency_id,
        Delivery.event_seq,
        Delivery.template,
        Delivery.offer_id,
        Delivery.user_id,
        Delivery.created_at,
    )
    rows = connection.execute(
        update(Delivery)
        .where(Delivery.id.in_(chosen), or_(*due(at)))
        .values(state="leased", lease_token=token, lease_until=at + LEASE, attempts=Delivery.attempts + 1)
        .returning(*columns, Delivery.attempts)
    ).all()
    place = {delivery_id: number for number, delivery_id in enumerate(chosen)}
    leased = [Leased(Owed(*row[:7]), token, at + LEASE, row.attempts) for row in rows]
    return sorted(leased, key=lambda one: place[one.owed.id])


def _chosen(connection: Connection, at: datetime, count: int, due: Due, in_hand: Counter[uuid.UUID]) -> list[uuid.UUID]:
    """What is claimed now, in the order in which it is to be done."""
    pending, lapsed = due(at)
    its = Delivery.agency_id == Agency.id
    with_due = select(Agency.id).where(or_(exists().where(its, pending), exists().where(its, lapsed)))
    agencies = sorted(turns.order(connection.scalars(with_due).all()), key=in_hand.__getitem__)[:count]
    queues = {agency_id: deque(_first(connection, at, agency_id, count, due)) for agency_id in agencies}
    chosen: list[uuid.UUID] = []
    while len(chosen) < count and (waiting := [agency_id for agency_id, queue in queues.items() if queue]):
        agency_id = min(waiting, key=in_hand.__getitem__)
        chosen.append(queues[agency_id].popleft())
        in_hand[agency_id] += 1
        turns.served(agency_id)
    return chosen


def _first(connection: Connection, at: datetime, agency_id: uuid.UUID, count: int, due: Due) -> list[uuid.UUID]:
    """The agency's longest waiting, what a crashed process had in hand before all else."""
    found: list[uuid.UUID] = []
    for which in reversed(due(at)):
        looked_at = select(Delivery.id).where(Delivery.agency_id == agency_id, which).order_by(Delivery.due_at)
        few = looked_at.limit(count - len(found))
        if due is due_receipts:
            several = looked_at.limit(LOOKED_AT).subquery()
            few = select(Delivery.id).where(Delivery.id.in_(select(several.c.id)), ~_blocked(at))
            few = few.order_by(Delivery.due_at).limit(count - len(found))
        if connection.dialect.name == "postgresql":
            few = few.with_for_update(skip_locked=True, of=Delivery)
        found += connection.scalars(few) if count > len(found) else []
    return found


def record(connection: Connection, outcomes: list[Outcome]) -> None:
    """Write outcomes down, each only while its lease still stands, with one attempt for each real try."""
    at = now()
    for outcome in outcomes:
        leased, pending = outcome.leased, outcome.state == "pending"
        values: dict[str, Any] = {
            "state": outcome.state,
            "lease_token": None,
            "lease_until": None,
            "ended_at": None if pending else at,
        }
        if outcome.due_at and pending:
            values["due_at"] = outcome.due_at
        if not outcome.tried:
            values["attempts"] = leased.attempts - 1
        updated = connection.execute(
            update(Delivery).where(Delivery.id == leased.owed.id, Delivery.lease_token == leased.token).values(values)
        )
        if not updated.rowcount:
            log.warning("lease_lost", delivery=str(leased.owed.id))
        elif outcome.tried:
            connection.execute(
                insert(Attempt),
                {
                    "delivery_id": leased.owed.id,
                    "n": leased.attempts,
                    "agency_id": leased.owed.agency_id,
                    "at": at,
                    "code": outcome.code,
                    "answer_ct": outcome.answer_ct,
                },
            )
        if updated.rowcount and outcome.state == "dead":
            undelivered.tell_another(connection, leased.owed.id, at)


def hurry(connection: Connection) -> None:
    """The server is back: what only waited for it is due now."""
    last = exists().where(
        Attempt.delivery_id == Delivery.id, Attempt.n == Delivery.attempts, or_(Attempt.code == 0, Attempt.code >= 500)
    )
    connection.execute(
        update(Delivery)
        .where(
            Delivery.kind == "mail", Delivery.state == "pending", Delivery.due_at > now(), Delivery.attempts > 0, last
        )
        .values(due_at=now())
    )
