"""Mails and receipts: claims those that are due, sends them, records what became of them, until nothing is due.

Webhooks have a loop of their own (`webhook_dispatcher`), over the same queue.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import structlog
from flask import Flask, current_app
from sqlalchemy import Connection

from app.core.clock import now
from app.core.killpoints import AFTER_CALL, AFTER_CLAIM, passing
from app.core.unit_of_work import housekeeping
from app.core.wake import wake, waker
from app.delivery.composing import NoLongerOwed, NotYet
from app.delivery.mailer import Mailer, faulty
from app.delivery.queue import Claimed, Outcome, Sender, claim, record, retry_now
from app.delivery.receipt_sender import ReceiptSender
from app.delivery.registry import registry
from app.delivery.scheduling import by_agency
from app.delivery.webhook_dispatcher import webhook_dispatcher

BATCH = 20
BUDGET = 60.0  # seconds; below RQ's limit for the job. What is left then wakes the worker again
GATHER = 0.1  # seconds in which outcomes come together into one transaction
SEALED_AT_ONCE = 1  # a receipt is a third of a second's work: mails never queue behind several
GRACE = 4.0  # seconds that mails under way are given when the process is asked to stop
THREADS = 4

stopping = threading.Event()
log = structlog.get_logger(__name__)


def dispatch(budget: float = BUDGET) -> int:
    """Deliver what is due; return how many mails a server accepted. Called by RQ and by the relay, without data.

    Webhooks are left to their own thread: a receiver that dawdles must not hold up the mail.
    """
    waker().answered()
    with current_app.app_context():
        webhook_dispatcher().notify()
        for task in registry().first:
            task()
        return _Dispatch(senders(), time.monotonic() + budget).run()


class Senders:
    """The threads of one process that send mails and receipts, each in an application context of its own."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="mail")
        self.mailer = Mailer()
        self._of_kind: dict[str, Sender] = {"mail": self.mailer, "receipt": ReceiptSender(self.mailer)}

    def begin(self, claimed: Claimed) -> Future[Outcome]:
        return self._pool.submit(self.send, claimed)

    def send(self, claimed: Claimed) -> Outcome:
        """Whatever happens, it ends in an outcome."""
        with self._app.app_context():
            try:
                return self._of_kind[claimed.kind].send(claimed)
            except NoLongerOwed as why:
                log.info("mail_cancelled", delivery=str(claimed.id), why=str(why))
                return Outcome.untried(claimed, "cancelled")
            except NotYet as later:
                return Outcome(claimed, "pending", now(), later.until, tried=False)
            except Exception as fault:
                return faulty(claimed, fault)

    def close(self, *, at_once: bool = False) -> None:
        """End the threads and hang up. `at_once` cuts conversations short; their mails are sent again later."""
        if at_once:
            self.mailer.interrupt()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.mailer.hang_up()


class _Dispatch:
    """One run. Outcomes are recorded and new work is claimed in the same short transactions."""

    def __init__(self, senders: Senders, until: float) -> None:
        self.senders = senders
        self.mailer = senders.mailer
        self.until = until
        self.under_way: dict[Future[Outcome], Claimed] = {}
        self.accepted = 0
        self.more = True

    def run(self) -> int:
        self._step([])
        while self.under_way:
            done, _ = wait(self.under_way, timeout=0.5, return_when=FIRST_COMPLETED)
            if stopping.is_set():
                self._stop()
                break
            if done:
                wait(self.under_way, timeout=GATHER)
                self._step([future for future in self.under_way if future.done()])
        if self.more and not self.mailer.away and not stopping.is_set():
            wake()
        return self.accepted

    def _step(self, done: list[Future[Outcome]]) -> None:
        """Record what is finished, claim as much as there is room for, commit, hand it to the threads."""
        outcomes = [future.result() for future in done]
        for future in done:
            self.under_way.pop(future)
        if outcomes:
            passing(AFTER_CALL)
        go_on = not stopping.is_set() and not self.mailer.away and time.monotonic() < self.until
        with housekeeping() as connection:
            _record(connection, outcomes)
            if self.mailer.was_away and any(outcome.state == "delivered" for outcome in outcomes):
                self.mailer.was_away = False
                retry_now(connection)
            claimed = self._claim(connection) if go_on else []
        if claimed:
            passing(AFTER_CLAIM)
        self.accepted += sum(outcome.state == "delivered" for outcome in outcomes)
        for delivery in claimed:
            self.under_way[self.senders.begin(delivery)] = delivery

    def _claim(self, connection: Connection) -> list[Claimed]:
        room = BATCH - len(self.under_way)
        if room <= 0:
            return []
        in_hand = Counter(delivery.agency_id for delivery in self.under_way.values())
        mails = claim(connection, "mail", by_agency("mail", room, in_hand))
        sealing = sum(delivery.kind == "receipt" for delivery in self.under_way.values())
        seals = min(room - len(mails), SEALED_AT_ONCE - sealing)
        receipts = claim(connection, "receipt", by_agency("receipt", seals)) if seals > 0 else []
        # A full claim means there may be more; after a short one everything due is in hand.
        self.more = len(mails) == room or len(receipts) == seals
        return mails + receipts

    def _stop(self) -> None:
        """Give mails under way a few seconds, cut off what hangs, hand back what was never begun."""
        never = [future for future in self.under_way if future.cancel()]
        begun = self.under_way.keys() - never
        wait(begun, timeout=GRACE)
        close_senders(current_app, at_once=True)
        outcomes = [future.result() for future in begun if future.done()]
        outcomes += [Outcome.untried(self.under_way[future]) for future in never]
        with housekeeping() as connection:
            _record(connection, outcomes)
        self.accepted += sum(outcome.state == "delivered" for outcome in outcomes)
        self.under_way.clear()


def _record(connection: Connection, outcomes: list[Outcome]) -> None:
    """Record outcomes, and call the registry's `dead` for each mail that is given up."""
    for outcome in record(connection, outcomes):
        if outcome.state == "dead":
            for notify in registry().dead:
                notify(connection, outcome.claimed.id, now())


def senders() -> Senders:
    """This process's own, made when first needed."""
    found: Senders = current_app.extensions.get("bidflux_senders") or Senders(current_app._get_current_object())  # type: ignore[attr-defined]  # documented proxy method
    current_app.extensions["bidflux_senders"] = found
    return found


def close_senders(app: Flask, *, at_once: bool = False) -> None:
    """Hang up, if anything was ever sent."""
    if found := app.extensions.pop("bidflux_senders", None):
        found.close(at_once=at_once)
