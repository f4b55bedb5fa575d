"""The drain: claims deliveries that are due, sends them, records what became of them, until nothing is due.

The database is the queue. A delivery is claimed by one conditional UPDATE with a lease token; whoever crashes in
between loses the lease, and the next drain takes the delivery up. So each is sent at least once, with one Message-ID.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import current_app
from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, insert, or_, select, union_all, update
from sqlalchemy.orm import aliased

from app.clock import now
from app.extensions import db
from app.jobs import hook_book as calls
from app.jobs.hooks import hooks
from app.jobs.post import Leased, Outcome, Post, close_post, post
from app.killpoints import AFTER_CALL, AFTER_CLAIM, passing
from app.models import Attempt, Delivery
from app.queries.receipts import CONFIRMS, RECEIPT_KEPT, RECEIPT_MAIL
from app.services.letters import Owed
from app.wake import bell, wake
from app.writing import housekeeping

BATCH = 20
LEASE = timedelta(seconds=30)  # with the relay's patience and sweep a crashed letter is taken up within 45 s
BUDGET = 60.0  # seconds; below RQ's limit for the job. What is left then rings the bell again
GATHER = 0.1  # seconds in which outcomes come together into one transaction
RECEIPTS = (RECEIPT_MAIL, RECEIPT_KEPT)
SEALED_AT_ONCE = 1  # a receipt is a third of a second's work: letters never queue behind several
GRACE = 4.0  # seconds that letters under way are given when the process is asked to stop

stopping = threading.Event()
log = structlog.get_logger(__name__)


def drain(budget: float = BUDGET) -> int:
    """Deliver what is due; return how many letters a server accepted. Called by RQ and by the relay, without data.

    Webhooks are left to their own thread: a receiver that dawdles must not hold up the mail.
    """
    bell().answered()
    with current_app.app_context():
        hooks().ring()
        return _Drain(post(), time.monotonic() + budget).run()


def oldest_due(at: datetime) -> datetime | None:
    """Since when the longest waiting of the due deliveries waits, or None when nothing is due."""
    waits: list[Select[datetime | None]] = []
    for due in (_due(at), _due_receipts(at)):
        waits += [select(func.min(Delivery.due_at).label("since")).where(due[0])]
        waits += [select(func.min(Delivery.lease_until).label("since")).where(due[1])]
    waiting = union_all(*waits).subquery()
    found = [db.session.scalar(select(func.min(waiting.c.since))), calls.oldest_due(at)]
    return min((since for since in found if since), default=None)


def _due(at: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    mail = and_(Delivery.kind == "mail", Delivery.template.not_in(RECEIPTS))
    return (
        and_(Delivery.state == "pending", Delivery.due_at <= at, mail),
        and_(Delivery.state == "leased", Delivery.lease_until < at, mail),
    )


def _due_receipts(at: datetime) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Receipts wait until the mail that confirms the offer has left, or was given up."""
    confirms = aliased(Delivery)
    waits = exists().where(
        confirms.agency_id == Delivery.agency_id,
        confirms.offer_id == Delivery.offer_id,
        confirms.template.in_(CONFIRMS),
        confirms.state.in_(("pending", "leased")),
    )
    receipt = and_(Delivery.kind == "mail", Delivery.template.in_(RECEIPTS), ~waits)
    return (
        and_(Delivery.state == "pending", Delivery.due_at <= at, receipt),
        and_(Delivery.state == "leased", Delivery.lease_until < at, receipt),
    )


Due = Callable[[datetime], tuple[ColumnElement[bool], ColumnElement[bool]]]


class _Drain:
    """One run. Outcomes are recorded and new work is claimed in the same short transactions."""

    def __init__(self, through: Post, until: float) -> None:
        self.post = through
        self.until = until
        self.under_way: set[Future[Outcome]] = set()
        self.held: dict[Future[Outcome], Leased] = {}
        self.accepted = 0
        self.more = True

    def run(self) -> int:
        self._turn([])
        while self.under_way:
            done, _ = wait(self.under_way, timeout=0.5, return_when=FIRST_COMPLETED)
            if stopping.is_set():
                self._stop()
                break
            if done:
                wait(self.under_way, timeout=GATHER)
                self._turn([future for future in self.under_way if future.done()])
        if self.more and not self.post.away and not stopping.is_set():
            wake()
        return self.accepted

    def _turn(self, done: list[Future[Outcome]]) -> None:
        """Record what is finished, claim as much as there is room for, commit, hand it to the threads."""
        outcomes = [future.result() for future in done]
        self.under_way.difference_update(done)
        if outcomes:
            passing(AFTER_CALL)
        go_on = not stopping.is_set() and not self.post.away and time.monotonic() < self.until
        with housekeeping() as connection:
            record(connection, outcomes)
            if self.post.was_away and any(outcome.state == "delivered" for outcome in outcomes):
                self.post.was_away = False
                hurry(connection)
            room = BATCH - len(self.under_way) if go_on else 0
            leased = claim(connection, room) if room else []
            seals = min(room - len(leased), SEALED_AT_ONCE - self._sealing())
            receipts = claim(connection, seals, _due_receipts) if seals > 0 else []
            # A full claim means there may be more; after a short one everything due is in hand.
            self.more = len(leased) == room or len(receipts) == seals if room else self.more
            leased += receipts
        if leased:
            passing(AFTER_CLAIM)
        self.accepted += sum(outcome.state == "delivered" for outcome in outcomes)
        for delivery in leased:
            future = self.post.send(delivery)
            self.under_way.add(future)
            self.held[future] = delivery

    def _sealing(self) -> int:
        return sum(self.held[future].owed.template in RECEIPTS for future in self.under_way)

    def _stop(self) -> None:
        """Give letters under way a few seconds, cut off what hangs, hand back what was never begun."""
        never = [future for future in self.under_way if future.cancel()]
        begun = self.under_way.difference(never)
        wait(begun, timeout=GRACE)
        close_post(current_app, at_once=True)
        outcomes = [future.result() for future in begun if future.done()]
        outcomes += [Outcome(self.held[future], "pending", tried=False) for future in never]
        with housekeeping() as connection:
            record(connection, outcomes)
        self.accepted += sum(outcome.state == "delivered" for outcome in outcomes)
        self.under_way.clear()


def claim(connection: Connection, count: int, due: Due = _due) -> list[Leased]:
    """Lease up to `count` due deliveries, the longest waiting first."""
    at, token = now(), uuid.uuid4()
    chosen = select(Delivery.id).where(or_(*due(at))).order_by(Delivery.due_at).limit(count)
    if connection.dialect.name == "postgresql":
        chosen = chosen.with_for_update(skip_locked=True)
    found = chosen.cte("due")
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
        .where(Delivery.id.in_(select(found.c.id)))
        .values(state="leased", lease_token=token, lease_until=at + LEASE, attempts=Delivery.attempts + 1)
        .returning(*columns, Delivery.attempts)
    ).all()
    return [Leased(Owed(*row[:7]), token, at + LEASE, row.attempts) for row in rows]


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
