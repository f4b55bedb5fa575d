"""Webhook calls: claimed like mail, sent by threads of their own, so that a slow receiver delays nobody else.

At most two calls of one endpoint are leased at a time, in the whole installation; the claim itself sees to it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import threading
import time
import uuid
from collections import defaultdict
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import structlog
from flask import Flask, current_app
from sqlalchemy import ColumnElement, Connection, Select, and_, exists, func, insert, or_, select, update

from app.clock import now
from app.extensions import db
from app.integrations.door import Answer, Door, Refused, Unreachable
from app.keys import agency_key, unwrap_offer_key
from app.models import Attempt, Delivery, Event, OfferKey, WebhookEndpoint
from app.services import webhooks
from app.vault import Place, seal, unseal
from app.writing import housekeeping

THREADS = 40
PER_ENDPOINT = 2
LEASE = timedelta(seconds=28)  # with the relay's patience and sweep a crashed call is taken up within 45 s
LEAST_LEASE = timedelta(seconds=20)  # a call may take 15 s; with less left another worker could send it too
GATHER = 0.02  # seconds in which outcomes come together into one transaction
GRACE = 16.0  # seconds that calls under way are given when the process is asked to stop: as long as a call may take
# Seconds from each failure to the next try, then no more; each is spread by a fifth.
STEPS = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
LONGEST = timedelta(hours=24)
SPREAD = 0.2
SHOWN_HEADERS = ("content-type", "content-length", "retry-after", "location", "server", "date")

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
    token: uuid.UUID
    until: datetime
    url: str
    secrets: list[bytes]
    body: bytes
    key: bytes
    failing: bool


class Outcome(NamedTuple):
    """What became of a call. `tried` is False when it was not made, and does not count."""

    call: Call
    state: str
    due_at: datetime | None = None
    code: int = 0
    answer_ct: bytes | None = None
    tried: bool = True


def signed(call_id: str, at: int, body: bytes, secrets: list[bytes]) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0: id, time in seconds, and a signature by each secret."""
    text = f"{call_id}.{at}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode() for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "BidFlux-Webhooks/1",
        "webhook-id": call_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def next_try(at: datetime, attempts: int, retry_after: str | None = None) -> datetime | None:
    """When a call that failed for the `attempts`-th time is made again: never sooner than the receiver asked for."""
    if attempts > len(STEPS):
        return None
    wait = timedelta(seconds=STEPS[attempts - 1] * random.uniform(1 - SPREAD, 1 + SPREAD))  # noqa: S311  # nosec B311
    return at + min(max(wait, _asked(retry_after, at)), max(wait, LONGEST))


def _asked(text: str | None, at: datetime) -> timedelta:
    """`Retry-After` (RFC 9110, section 10.2.3), at most a day; nothing for what cannot be read."""
    if not text:
        return timedelta(0)
    if text.strip().isdecimal():
        return timedelta(seconds=min(int(text.strip()[:9]), int(LONGEST.total_seconds())))
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return timedelta(0)
    return min(max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - at, timedelta(0)), LONGEST)


class Hooks:
    """Sends the calls of one process. `ring` has a thread look; `run` looks here and now, until nothing is due."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._door = Door(app.extensions["bidflux_settings"].webhook_allow_networks)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="hooks")
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._under_way: dict[Future[Outcome], Call] = {}

    def ring(self) -> None:
        """Something is due. Costs nothing when the thread is at it already."""
        with self._starting:
            self._news.set()
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._serve, name="hooks", daemon=True)
                self._thread.start()

    def run(self) -> int:
        """Make every call that is due; return how many arrived."""
        arrived = 0
        done: list[Outcome] = []
        while True:
            self._news.clear()
            claimed = self._turn(done)
            arrived += sum(outcome.state == "delivered" for outcome in done)
            if not self._under_way:
                if not claimed:
                    return arrived
                continue
            self._news.wait(0.5)
            time.sleep(GATHER)
            done = self._finished()

    def close(self) -> None:
        """Make no more calls; those under way are waited for, so that none is made twice without need."""
        self._stopping.set()
        self._news.set()
        if self._thread:
            self._thread.join(GRACE + 5)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._door.close()

    def _serve(self) -> None:
        """The thread's life: look when the bell rings."""
        while not self._stopping.is_set():
            self._news.wait()
            try:
                with self._app.app_context():
                    self.run()
            except Exception as fault:  # the database is away: the relay rings again
                log.error("hooks_failed", fault=type(fault).__name__)
                self._stopping.wait(1.0)
        with self._app.app_context():
            self._wind_up()

    def _turn(self, done: list[Outcome]) -> bool:
        """Record what is finished and claim what there is room for, in one transaction, if there is either.

        Returns whether anything was claimed.
        """
        go_on = not self._stopping.is_set()
        due = go_on and db.session.scalar(_with_due(now()).limit(1)) is not None
        if not done and not due:
            return False
        with housekeeping() as connection:
            record(connection, done)
            room = THREADS - len(self._under_way) if go_on else 0
            calls, lost = _load(connection, claim(connection, room) if room else [])
            for row in lost:
                _end(connection, row.id, row.lease_token, "cancelled")
        for outcome in done:
            _note(outcome)
        for call in calls:
            future = self._pool.submit(self._make, call)
            self._under_way[future] = call
            future.add_done_callback(lambda _future: self._news.set())
        return bool(calls or lost)

    def _finished(self) -> list[Outcome]:
        ready = [future for future in self._under_way if future.done()]
        for future in ready:
            del self._under_way[future]
        return [future.result() for future in ready]

    def _wind_up(self) -> None:
        until = time.monotonic() + GRACE
        while self._under_way and time.monotonic() < until:
            done = self._finished()
            if done:
                with housekeeping() as connection:
                    record(connection, done)
            else:
                time.sleep(0.05)

    def _make(self, call: Call) -> Outcome:
        """One call. Whatever happens, it ends in an outcome: a fault of ours is a failed try."""
        if call.until - now() < LEAST_LEASE:
            return Outcome(call, "pending", tried=False)
        at = now()
        headers = signed(str(call.id), int(at.timestamp()), call.body, call.secrets)
        began = time.monotonic()
        try:
            answer = self._door.call("POST", call.url, headers=headers, body=call.body)
        except Refused as why:
            return _outcome(call, at, headers, fault=f"refused: {why}", elapsed=time.monotonic() - began)
        except Unreachable as why:
            return _outcome(call, at, headers, fault=why.code, elapsed=time.monotonic() - began)
        except Exception as fault:
            log.error("hook_fault", delivery=str(call.id), fault=type(fault).__name__)
            return _outcome(call, at, headers, fault="fault", elapsed=time.monotonic() - began)
        return _outcome(call, at, headers, answer=answer, elapsed=answer.elapsed)


def _outcome(
    call: Call,
    at: datetime,
    sent: dict[str, str],
    *,
    answer: Answer | None = None,
    fault: str = "",
    elapsed: float = 0.0,
) -> Outcome:
    """Only 2xx is success. What was said is kept, sealed as the call's person is."""
    code = answer.status if answer else 0
    state, due = "delivered", None
    if not 200 <= code < 300:
        asked = answer.headers.get("retry-after") if answer else None
        due = None if code == 410 else next_try(at, call.tries, asked)
        state = "pending" if due else "dead"
    said: dict[str, Any] = {"ms": round(elapsed * 1000), "fault": fault, "sent": sent}
    if answer:
        said["headers"] = {name: answer.headers[name][:500] for name in SHOWN_HEADERS if name in answer.headers}
        said["body"] = answer.body.decode("utf-8", "replace")
        said["whole"] = answer.whole
    place = Place(call.agency_id, "attempt", "answer", f"{call.id}/{call.attempts}")
    sealed = seal(call.key, place, json.dumps(said, ensure_ascii=False).encode())
    say = log.info if state == "delivered" else log.warning
    say("webhook", delivery=str(call.id), type=call.type, state=state, code=code, attempt=call.attempts, fault=fault)
    return Outcome(call, state, due, code, sealed)


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


def oldest_due(at: datetime) -> datetime | None:
    """Since when the longest waiting of the due calls waits, or None when nothing is due."""
    its = (Delivery.endpoint_id == WebhookEndpoint.id, WebhookEndpoint.off_at.is_(None))
    oldest: datetime | None = db.session.scalar(select(func.min(Delivery.due_at)).where(*its, _due(at)))
    return oldest


def claim(connection: Connection, room: int) -> list[Any]:
    """Lease due calls, the longest waiting first, at most `PER_ENDPOINT` of each endpoint in all."""
    at, token = now(), uuid.uuid4()
    ready = _with_due(at)
    if connection.dialect.name == "postgresql":  # one worker at a time for each endpoint, or both would count alike
        ready = ready.with_for_update(skip_locked=True)
    chosen: list[Any] = []
    for endpoint_id in connection.scalars(ready).all():
        its = Delivery.endpoint_id == endpoint_id
        leased = select(func.count()).where(its, Delivery.state == "leased", Delivery.lease_until >= at)
        free = PER_ENDPOINT - (connection.scalar(leased) or 0)
        if free > 0:
            first = select(Delivery.id, Delivery.due_at).where(its, _due(at)).order_by(Delivery.due_at).limit(free)
            chosen += connection.execute(first).all()
    chosen = sorted(chosen, key=lambda row: row.due_at)[:room]
    if not chosen:
        return []
    changed = (
        update(Delivery)
        .where(Delivery.id.in_([row.id for row in chosen]), _due(at))
        .values(state="leased", lease_token=token, lease_until=at + LEASE, attempts=Delivery.attempts + 1)
        .returning(
            Delivery.id, Delivery.agency_id, Delivery.endpoint_id, Delivery.event_seq, Delivery.template,
            Delivery.offer_id, Delivery.body_ct, Delivery.attempts, Delivery.tried_before, Delivery.lease_token,
            Delivery.lease_until,
        )
    )  # fmt: skip
    return list(connection.execute(changed))


def _load(connection: Connection, rows: list[Any]) -> tuple[list[Call], list[Any]]:
    """The calls with all that they need, and the rows that cannot be sent: endpoint gone, or person forgotten."""
    if not rows:
        return [], []
    wanted = WebhookEndpoint.id.in_({row.endpoint_id for row in rows})
    endpoints = {row.id: row for row in connection.execute(select(WebhookEndpoint.__table__).where(wanted))}
    bodies = _bodies(connection, rows)
    calls, lost, at = [], [], now()
    for row in rows:
        endpoint, found = endpoints.get(row.endpoint_id), bodies.get(row.id)
        if endpoint is None or endpoint.off_at or found is None:
            lost.append(row)
            continue
        calls.append(
            Call(
                row.id, row.agency_id, row.endpoint_id, row.event_seq, row.template, row.attempts,
                row.attempts - row.tried_before, row.lease_token, row.lease_until, webhooks.url_of(endpoint),
                webhooks.secrets_of(endpoint, at), *found,
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


def record(connection: Connection, outcomes: list[Outcome]) -> None:
    """Write outcomes down, each only while its lease still stands, with one attempt for each real try."""
    at = now()
    for outcome in outcomes:
        call = outcome.call
        values: dict[str, Any] = {"attempts": call.attempts if outcome.tried else call.attempts - 1}
        if outcome.due_at:
            values["due_at"] = outcome.due_at
        if not _end(connection, call.id, call.token, outcome.state, **values):
            log.warning("lease_lost", delivery=str(call.id))
        elif outcome.tried:
            said = {"code": outcome.code, "answer_ct": outcome.answer_ct}
            ids = {"delivery_id": call.id, "n": call.attempts, "agency_id": call.agency_id}
            connection.execute(insert(Attempt), {**ids, "at": at, **said})


def _end(connection: Connection, delivery_id: uuid.UUID, token: uuid.UUID, state: str, **values: Any) -> bool:
    values |= {"state": state, "lease_token": None, "lease_until": None}
    values["ended_at"] = None if state == "pending" else now()
    ours = (Delivery.id == delivery_id, Delivery.lease_token == token)
    return bool(connection.execute(update(Delivery).where(*ours).values(**values)).rowcount)


def _note(outcome: Outcome) -> None:
    """What the endpoint as a whole makes of it. Tests that fail say so to whoever pressed the button, nobody else."""
    call = outcome.call
    if not outcome.tried:
        return
    if outcome.state == "delivered":
        if call.failing:
            webhooks.recovered(call.endpoint_id)
    elif call.event_seq:
        gone = outcome.code == 410
        webhooks.failed(call.agency_id, call.endpoint_id, attempts=call.tries, event_seq=call.event_seq, gone=gone)


def hooks() -> Hooks:
    """This process's own, made when first needed."""
    found: Hooks = current_app.extensions.get("bidflux_hooks") or Hooks(current_app._get_current_object())  # type: ignore[attr-defined]
    current_app.extensions["bidflux_hooks"] = found
    return found


def close_hooks(app: Flask) -> None:
    """End the threads, if anything was ever called."""
    if found := app.extensions.pop("bidflux_hooks", None):
        found.close()
