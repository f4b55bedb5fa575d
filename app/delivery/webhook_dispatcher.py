"""Webhook calls: claimed ahead in batches, made by threads of their own, so that a slow receiver delays no other.

One thread reads and writes the database; the pool's threads only call. An endpoint gets two calls at a time at most, in
the whole installation: while one process has calls of it, no other claims any.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections import Counter, deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any

import structlog
from flask import Flask, current_app

from app.core.clock import now
from app.core.faults import report
from app.core.killpoints import AFTER_CALL, AFTER_CLAIM, passing
from app.core.unit_of_work import housekeeping
from app.delivery.queue import Outcome, claim, record
from app.delivery.registry import registry
from app.delivery.scheduling import any_call_due, by_endpoint
from app.delivery.turns import interleaved
from app.delivery.webhook_sender import GONE, Call, WebhookSender, load
from app.extensions import db
from app.outbound.http_client import HttpClient

THREADS = 100
FOR_SLOW = 60  # of them, those that endpoints share whose last call took long
SLOW_EACH = 30  # of those, what one agency's may have at once
PER_ENDPOINT = 2
SLOW, QUICK, INSTANT = 2.0, 0.1, 0.003  # seconds of a call
STUCK = 0.02  # seconds of a call after which the others who answer at once are given another thread
AHEAD, AHEAD_QUICK = 4, 40  # calls of an endpoint held ready, and of one that answers quickly
MOST = 600  # calls held together
KNOWN = 1000  # endpoints of which a process knows how long they take
STINT = 20  # calls that a thread makes for one endpoint before it looks after others
LEAST_LEASE = timedelta(seconds=20)  # a call may take 15 s; with less left another worker could make it too
GATHER = 0.03  # seconds in which outcomes come together into one transaction
GRACE = 16.0  # seconds that calls under way are given when the process is asked to stop: as long as a call may take

log = structlog.get_logger(__name__)


class _Endpoint:
    """What this process knows of one endpoint: calls ready, threads at work, how long the last two took at best."""

    def __init__(self, agency_id: uuid.UUID) -> None:
        self.agency_id = agency_id
        self.ready: deque[Call] = deque()
        self.threads = 0
        self.took = self._last = SLOW / 2
        self.began: dict[int, float] = {}

    def note(self, seconds: float) -> None:
        """How long a call took. One alone may only have waited for this process itself."""
        self.took, self._last = min(seconds, self._last), seconds

    def is_slow(self, at: float) -> bool:
        return self.took > SLOW or any(at - began > SLOW for began in list(self.began.values()))

    @property
    def is_instant(self) -> bool:
        return self.took < INSTANT

    @property
    def ahead(self) -> int:
        return AHEAD_QUICK if self.took < QUICK else AHEAD


class _Lane:
    """The thread that serves all who answer at once, and when its last call began."""

    def __init__(self) -> None:
        self.began = time.monotonic()


class WebhookDispatcher:
    """Sends the calls of one process. `notify` has a thread look; `run` looks here and now, until nothing is due."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._http = HttpClient(*app.extensions["bidflux_settings"].outbound)
        self._sender = WebhookSender(self._http)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="webhooks")
        self._token = uuid.uuid4()
        self._lock = threading.Lock()
        self._endpoints: dict[uuid.UUID | None, _Endpoint] = {}
        self._instant: dict[_Endpoint, None] = {}  # in the order in which they wait for the lane
        self._lane: _Lane | None = None
        self._held: set[uuid.UUID] = set()
        self._done: queue.SimpleQueue[Outcome | None] = queue.SimpleQueue()
        self._notified = threading.Event()
        self._stopping = threading.Event()
        self._running = threading.Lock()
        self._thread: threading.Thread | None = None

    def notify(self) -> None:
        """Something is due. Costs nothing when the thread is at it already."""
        with self._lock:
            self._notified.set()
            self._done.put(None)
            if self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._serve, name="webhooks", daemon=True)
                self._thread.start()

    def run(self) -> int:
        """Make every call that is due; return how many arrived."""
        arrived, more = 0, True
        with self._running:
            while (more or self._held) and not self._stopping.is_set():
                self._notified.clear()
                outcomes = self._gather()
                more = self._step(outcomes) or self._notified.is_set()
                arrived += sum(outcome.state == "delivered" for outcome in outcomes)
        return arrived

    def close(self) -> None:
        """Make no more calls; those under way are waited for, so that none is made twice without need."""
        self._stopping.set()
        self._notified.set()
        self._done.put(None)
        if self._thread:
            self._thread.join(GRACE + 5)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._http.close()

    def _serve(self) -> None:
        """The thread: look whenever notified."""
        while not self._stopping.is_set():
            self._notified.wait()
            try:
                with self._app.app_context():
                    self.run()
            except Exception as fault:  # the database is away
                log.error("webhook_dispatcher_failed", fault=type(fault).__name__)
                report(fault)
                self._notified.set()
                self._stopping.wait(1.0)
        with self._app.app_context():
            self._shut_down()

    def _step(self, outcomes: list[Outcome]) -> bool:
        """Record what is finished and claim what there is room for, in one transaction, if there is either.

        Returns whether anything was claimed.
        """
        room = MOST - len(self._held) if not self._stopping.is_set() else 0
        if not outcomes and (room <= 0 or not any_call_due(now())):
            db.session.rollback()
            self._assign_threads()
            return False
        try:
            calls, claimed = self._record_and_claim(outcomes, room)
        except BaseException:
            for done in outcomes:  # still to be written down
                self._done.put(done)
            raise
        if calls:
            passing(AFTER_CLAIM)
        self._held.difference_update(outcome.claimed.id for outcome in outcomes)
        with self._lock:
            for call in calls:
                if call.id not in self._held:  # else its lease had run out in our own hands
                    self._held.add(call.id)
                    self._endpoint(call).ready.append(call)
        self._assign_threads()
        _report([outcome for outcome in outcomes if outcome.tried])
        return claimed > 0

    def _record_and_claim(self, outcomes: list[Outcome], room: int) -> tuple[list[Call], int]:
        """In one transaction: record outcomes, claim calls. Returns the calls, and how many were claimed in all."""
        if any(outcome.tried for outcome in outcomes):
            passing(AFTER_CALL)
        with housekeeping() as connection:
            record(connection, outcomes)
            if room <= 0:
                return [], 0
            choose = by_endpoint(self._token, self._capacity, room, self._in_hand())
            claimed = claim(connection, "webhook", choose, self._token)
            loaded = load(connection, claimed) if claimed else []
            record(connection, [item for item in loaded if isinstance(item, Outcome)])
        return [item for item in loaded if isinstance(item, Call)], len(claimed)

    def _gather(self) -> list[Outcome]:
        """The outcomes that came in: waited for while calls are in hand, and a little longer for those that follow."""
        outcomes: list[Outcome] = []
        until = time.monotonic() + (0.5 if self._held else 0.0)
        while (left := until - time.monotonic()) > 0:
            try:
                done = self._done.get(timeout=min(left, STUCK))
            except queue.Empty:
                self._assign_threads()  # somebody may be stuck
                continue
            self._stopping.wait(GATHER)  # rather than woken by each
            with suppress(queue.Empty):
                while True:
                    if done:
                        outcomes.append(done)
                    done = self._done.get_nowait()
            break
        return outcomes

    def _capacity(self, endpoint_id: uuid.UUID) -> int:
        """How many more calls of an endpoint are wanted; none until half are gone, so that claims are few."""
        with self._lock:
            found = self._endpoints.get(endpoint_id)
            ahead, ready = (found.ahead, len(found.ready)) if found else (AHEAD, 0)
            left = ahead - ready
            return left if left * 2 >= ahead else 0

    def _endpoint(self, call: Call) -> _Endpoint:
        if call.endpoint_id not in self._endpoints:
            if len(self._endpoints) >= KNOWN:  # most of them were removed long ago
                self._endpoints = {name: one for name, one in self._endpoints.items() if one.ready or one.threads}
            self._endpoints[call.endpoint_id] = _Endpoint(call.agency_id)
        return self._endpoints[call.endpoint_id]

    def _in_hand(self) -> Counter[uuid.UUID]:
        """How many calls each agency has ready or under way."""
        with self._lock:
            counts: Counter[uuid.UUID] = Counter()
            for endpoint in self._endpoints.values():
                counts[endpoint.agency_id] += len(endpoint.ready) + endpoint.threads
            return counts

    def _assign_threads(self) -> None:
        """Give every endpoint with calls ready its threads, as far as there are any.

        Those who answer at once share one: several would only wait for each other, for the interpreter's lock.
        """
        at = time.monotonic()
        with self._lock:
            busy = sum(endpoint.threads for endpoint in self._endpoints.values())
            slow: Counter[uuid.UUID] = Counter()
            for endpoint in self._endpoints.values():
                self._enter_lane(endpoint)
                slow[endpoint.agency_id] += endpoint.threads if endpoint.is_slow(at) else 0
            for endpoint in self._in_turn():
                while not endpoint.is_instant and endpoint.threads < min(PER_ENDPOINT, len(endpoint.ready)):
                    full = slow.total() >= FOR_SLOW or slow[endpoint.agency_id] >= SLOW_EACH
                    if busy >= THREADS or (endpoint.is_slow(at) and full):
                        break
                    slow[endpoint.agency_id] += endpoint.is_slow(at)
                    busy += 1
                    endpoint.threads += 1
                    self._pool.submit(self._work, endpoint)
            stuck = self._lane is None or at - self._lane.began > STUCK
            if self._instant and stuck and busy < THREADS:
                self._lane = _Lane()
                self._pool.submit(self._serve_lane, self._lane)

    def _in_turn(self) -> list[_Endpoint]:
        """Endpoints with calls ready: one of each agency, then another of each; first of those with fewest threads."""
        threads: Counter[uuid.UUID] = Counter()
        for endpoint in self._endpoints.values():
            threads[endpoint.agency_id] += endpoint.threads
        ready = [endpoint for endpoint in self._endpoints.values() if endpoint.ready]
        ready.sort(key=lambda endpoint: threads[endpoint.agency_id])
        return interleaved(ready, lambda endpoint: endpoint.agency_id)

    def _enter_lane(self, endpoint: _Endpoint) -> None:
        """Have an endpoint wait for the shared thread, if it answers at once, has calls ready, and nobody at work."""
        if endpoint.ready and endpoint.is_instant and not endpoint.threads:
            self._instant.setdefault(endpoint)

    def _serve_lane(self, lane: _Lane) -> None:
        """Stint after stint, until nobody waits, or a call took so long that another thread took over."""
        while True:
            with self._lock:
                if lane is not self._lane or not self._instant:
                    self._lane = None if lane is self._lane else self._lane
                    return
                endpoint = next(iter(self._instant))
                del self._instant[endpoint]
                endpoint.threads += 1
            self._work(endpoint, lane)

    def _work(self, endpoint: _Endpoint, lane: _Lane | None = None) -> None:
        """One thread's stint for one endpoint."""
        me = threading.get_ident()
        for left in range(STINT, -1, -1):
            with self._lock:
                # Under the same lock, so that a call that comes now is given a thread.
                if not endpoint.ready or not left or (lane and not endpoint.is_instant):
                    endpoint.threads -= 1
                    self._enter_lane(endpoint)
                    break
                call = endpoint.ready.popleft()
            if self._stopping.is_set() or call.until - now() < LEAST_LEASE:
                self._done.put(Outcome.untried(call))
                continue
            began = endpoint.began[me] = time.monotonic()
            if lane:
                lane.began = began
            try:
                outcome = self._sender.send(call)
            finally:
                endpoint.note(time.monotonic() - began)
                del endpoint.began[me]
            if outcome.code == GONE:
                self._hand_back(endpoint)
            self._done.put(outcome)
        self._done.put(None)

    def _hand_back(self, endpoint: _Endpoint) -> None:
        """The endpoint is gone: its calls that are ready are given back untried."""
        with self._lock:
            while endpoint.ready:
                self._done.put(Outcome.untried(endpoint.ready.popleft()))

    def _shut_down(self) -> None:
        """Wait for calls under way; give back those never begun."""
        until = time.monotonic() + GRACE
        with self._running:
            self._assign_threads()
            while self._held and time.monotonic() < until:
                try:
                    self._step(self._gather())
                except Exception as fault:
                    log.error("webhook_dispatcher_failed", fault=type(fault).__name__)
                    report(fault)
                    time.sleep(1.0)


def _report(outcomes: list[Outcome]) -> None:
    """Log the outcomes, a line for each failure and one for all that arrived; then tell the endpoints."""
    arrived = [outcome.claimed for outcome in outcomes if outcome.state == "delivered"]
    if arrived:
        requests = list(dict.fromkeys(call.request_id for call in arrived if call.request_id))
        named = {"deliveries": [str(call.id) for call in arrived], "request_ids": requests}
        log.info("webhooks_delivered", count=len(arrived), **named)
    for outcome in outcomes:
        if outcome.state != "delivered":
            call, told = outcome.claimed, {"state": outcome.state, "code": outcome.code, "fault": outcome.fault}
            told |= {"request_id": call.request_id, "attempt": call.attempts}
            log.warning("webhook_failed", delivery=str(call.id), type=call.template, **told)
    for outcome in _telling(outcomes):
        try:
            _note(outcome)
        except Exception as fault:  # the endpoint's next call says the same
            log.error("webhook_dispatcher_failed", delivery=str(outcome.claimed.id), fault=type(fault).__name__)
            report(fault)
    db.session.rollback()


def _telling(outcomes: list[Outcome]) -> list[Outcome]:
    """Of each endpoint one that arrived and one that failed, whichever was tried most: hundreds say no more, and each
    that is noted is a write."""
    found: dict[tuple[Any, bool], tuple[Any, Outcome]] = {}
    for outcome in outcomes:
        call, arrived = outcome.claimed, outcome.state == "delivered"
        if isinstance(call, Call) and (arrived or call.event_seq):
            weight = (outcome.code == GONE, arrived and call.failing, call.tries)
            held = found.get((call.endpoint_id, arrived))
            if held is None or held[0] < weight:
                found[call.endpoint_id, arrived] = weight, outcome
    return sorted((outcome for _weight, outcome in found.values()), key=lambda outcome: outcome.at)


def _note(outcome: Outcome) -> None:
    """What the endpoint hears of it. Tests that fail say so to whoever pressed the button, nobody else."""
    call, endpoints = outcome.claimed, registry().endpoints
    if not isinstance(call, Call) or call.endpoint_id is None:
        return
    if outcome.state == "delivered":
        if call.failing:
            endpoints.recovered(call.endpoint_id)
    elif call.event_seq:
        gone = outcome.code == GONE
        endpoints.failed(call.agency_id, call.endpoint_id, attempts=call.tries, event_seq=call.event_seq, gone=gone)


def webhook_dispatcher() -> WebhookDispatcher:
    """This process's own, made when first needed."""
    found: WebhookDispatcher | None = current_app.extensions.get("bidflux_webhook_dispatcher")
    if found is None:
        found = WebhookDispatcher(current_app._get_current_object())  # type: ignore[attr-defined]  # documented proxy method
        current_app.extensions["bidflux_webhook_dispatcher"] = found
    return found


def close_webhook_dispatcher(app: Flask) -> None:
    """End the threads, if anything was ever called."""
    if found := app.extensions.pop("bidflux_webhook_dispatcher", None):
        found.close()
