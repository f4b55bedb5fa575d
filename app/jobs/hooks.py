"""Webhook calls: claimed ahead in batches, made by threads of their own, so that a slow receiver delays nobody else.

One thread reads and writes the database; the pool's threads only call. Of one endpoint two calls at most are under way
at a time, in the whole installation: what one process has claimed of it, no other touches.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import queue
import random
import threading
import time
import uuid
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import structlog
from flask import Flask, current_app

from app.clock import now
from app.extensions import db
from app.integrations.door import Answer, Door, Refused, Unreachable
from app.jobs.hook_book import Call, Outcome, anything_due, claim, give_back, record, release_lapsed
from app.killpoints import AFTER_CALL, AFTER_CLAIM, passing
from app.services import webhooks
from app.vault import Place, seal
from app.writing import housekeeping

THREADS = 64
FOR_SLOW = 40  # of them, those that endpoints share whose last call took long
PER_ENDPOINT = 2
SLOW, QUICK = 2.0, 0.1  # seconds of a call
AHEAD, AHEAD_QUICK = 4, 40  # calls of an endpoint held ready, and of one that answers quickly
MOST = 600  # calls held together
STINT = 20  # calls that a thread makes for one endpoint before it looks after others
LEAST_LEASE = timedelta(seconds=20)  # a call may take 15 s; with less left another worker could make it too
GATHER = 0.05  # seconds in which outcomes come together into one transaction
GRACE = 16.0  # seconds that calls under way are given when the process is asked to stop: as long as a call may take
# Seconds from each failure to the next try, then no more; each is spread by a fifth.
STEPS = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
LONGEST = timedelta(hours=24)
SPREAD = 0.2
GONE = 410
SHOWN_HEADERS = ("content-type", "content-length", "retry-after", "location", "server", "date")

log = structlog.get_logger(__name__)


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


class _Endpoint:
    """What this process knows of one endpoint: calls ready, threads at work, how long the last call took."""

    def __init__(self) -> None:
        self.ready: deque[Call] = deque()
        self.threads = 0
        self.took = SLOW / 2
        self.began: dict[int, float] = {}

    def is_slow(self, at: float) -> bool:
        return self.took > SLOW or any(at - began > SLOW for began in list(self.began.values()))

    @property
    def ahead(self) -> int:
        return AHEAD_QUICK if self.took < QUICK else AHEAD


class Hooks:
    """Sends the calls of one process. `ring` has a thread look; `run` looks here and now, until nothing is due."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._door = Door(app.extensions["bidflux_settings"].webhook_allow_networks)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="hooks")
        self._token = uuid.uuid4()
        self._lock = threading.Lock()
        self._endpoints: dict[uuid.UUID, _Endpoint] = {}
        self._held: set[uuid.UUID] = set()
        self._done: queue.SimpleQueue[Outcome | Call | None] = queue.SimpleQueue()
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._running = threading.Lock()
        self._thread: threading.Thread | None = None

    def ring(self) -> None:
        """Something is due. Costs nothing when the thread is at it already."""
        with self._lock:
            self._news.set()
            self._done.put(None)
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._serve, name="hooks", daemon=True)
                self._thread.start()

    def run(self) -> int:
        """Make every call that is due; return how many arrived."""
        arrived, more = 0, True
        with self._running:
            while (more or self._held) and not self._stopping.is_set():
                self._news.clear()
                outcomes, unbegun = self._gather()
                more = self._turn(outcomes, unbegun) or self._news.is_set()
                arrived += sum(outcome.state == "delivered" for outcome in outcomes)
        return arrived

    def close(self) -> None:
        """Make no more calls; those under way are waited for, so that none is made twice without need."""
        self._stopping.set()
        self._news.set()
        self._done.put(None)
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

    def _turn(self, outcomes: list[Outcome], unbegun: list[Call]) -> bool:
        """Record what is finished and claim what there is room for, in one transaction, if there is either.

        Returns whether anything was claimed.
        """
        room = MOST - len(self._held) if not self._stopping.is_set() else 0
        calls: list[Call] = []
        claimed = 0
        if not outcomes and not unbegun and (room <= 0 or not anything_due(now())):
            db.session.rollback()
            self._employ()
            return False
        if outcomes:
            passing(AFTER_CALL)
        with housekeeping() as connection:
            record(connection, self._token, outcomes)
            give_back(connection, self._token, unbegun)
            if room > 0:
                release_lapsed(connection)
                calls, claimed = claim(connection, self._token, self._room, room)
        if calls:
            passing(AFTER_CLAIM)
        for outcome in outcomes:
            _note(outcome)
        db.session.rollback()
        self._held.difference_update(call.id for call in unbegun)
        self._held.difference_update(outcome.call.id for outcome in outcomes)
        with self._lock:
            for call in calls:
                if call.id not in self._held:  # else its lease had run out in our own hands
                    self._held.add(call.id)
                    self._endpoints.setdefault(call.endpoint_id, _Endpoint()).ready.append(call)
        self._employ()
        return claimed > 0

    def _gather(self) -> tuple[list[Outcome], list[Call]]:
        """What came back: waited for a while if anything is in hand, and a little longer for what follows."""
        outcomes: list[Outcome] = []
        unbegun: list[Call] = []
        until = time.monotonic() + (0.5 if self._held else 0.0)
        while (left := until - time.monotonic()) > 0:
            try:
                done = self._done.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(done, Outcome):
                outcomes.append(done)
            elif done:
                unbegun.append(done)
            until = min(until, time.monotonic() + GATHER)
        return outcomes, unbegun

    def _room(self, endpoint_id: uuid.UUID) -> int:
        """How many more calls of an endpoint are wanted; none until half are gone, so that claims are few."""
        with self._lock:
            found = self._endpoints.get(endpoint_id) or _Endpoint()
            left = found.ahead - len(found.ready)
            return left if left * 2 >= found.ahead else 0

    def _employ(self) -> None:
        """Give every endpoint with calls ready its threads, as far as there are any."""
        at = time.monotonic()
        with self._lock:
            busy = sum(endpoint.threads for endpoint in self._endpoints.values())
            slow = sum(endpoint.threads for endpoint in self._endpoints.values() if endpoint.is_slow(at))
            for endpoint in self._endpoints.values():
                # Who answers at once is served as fast by one thread as by two.
                most = 1 if endpoint.took < QUICK / 10 else PER_ENDPOINT
                while endpoint.threads < min(most, len(endpoint.ready)) and busy < THREADS:
                    if endpoint.is_slow(at):
                        if slow >= FOR_SLOW:
                            break
                        slow += 1
                    busy += 1
                    endpoint.threads += 1
                    self._pool.submit(self._work, endpoint)

    def _work(self, endpoint: _Endpoint) -> None:
        """One thread's stint for one endpoint."""
        me = threading.get_ident()
        for left in range(STINT, -1, -1):
            with self._lock:
                if not endpoint.ready or not left:  # counted off in the same breath: calls that come now find nobody
                    endpoint.threads -= 1
                    break
                call = endpoint.ready.popleft()
            if self._stopping.is_set() or call.until - now() < LEAST_LEASE:
                self._done.put(call)
                continue
            began = endpoint.began[me] = time.monotonic()
            outcome = self._make(call)
            endpoint.took = time.monotonic() - began
            del endpoint.began[me]
            if outcome.code == GONE:
                self._hand_back(endpoint)
            self._done.put(outcome)
        self._done.put(None)

    def _hand_back(self, endpoint: _Endpoint) -> None:
        """Nobody is there any more: what is ready is not begun."""
        with self._lock:
            while endpoint.ready:
                self._done.put(endpoint.ready.popleft())

    def _wind_up(self) -> None:
        """Calls under way end; those never begun are given back."""
        until = time.monotonic() + GRACE
        with self._running:
            self._employ()
            while self._held and time.monotonic() < until:
                self._turn(*self._gather())

    def _make(self, call: Call) -> Outcome:
        """One call. Whatever happens, it ends in an outcome: a fault of ours is a failed try."""
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
        due = None if code == GONE else next_try(at, call.tries, asked)
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
    return Outcome(call, at, state, due, code, sealed)


def _note(outcome: Outcome) -> None:
    """What the endpoint as a whole makes of it. Tests that fail say so to whoever pressed the button, nobody else."""
    call = outcome.call
    if outcome.state == "delivered":
        if call.failing:
            webhooks.recovered(call.endpoint_id)
    elif call.event_seq:
        gone = outcome.code == GONE
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
