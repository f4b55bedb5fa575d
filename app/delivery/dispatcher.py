"""The drain: claims deliveries that are due, sends them, records what became of them, until nothing is due.

The database is the queue. A delivery is claimed by one conditional UPDATE with a lease token; whoever crashes in
between loses the lease, and the next drain takes the delivery up. So each is sent at least once, with one Message-ID.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, wait

from flask import current_app

from app.accounts import invitations
from app.core.killpoints import AFTER_CALL, AFTER_CLAIM, passing
from app.core.unit_of_work import housekeeping
from app.core.wake import bell, wake
from app.delivery.mail_queue import RECEIPTS, claim, due_receipts, hurry, record
from app.delivery.mailer import Leased, Outcome, Post, close_post, post
from app.delivery.webhook_dispatcher import hooks

BATCH = 20
BUDGET = 60.0  # seconds; below RQ's limit for the job. What is left then rings the bell again
GATHER = 0.1  # seconds in which outcomes come together into one transaction
SEALED_AT_ONCE = 1  # a receipt is a third of a second's work: letters never queue behind several
GRACE = 4.0  # seconds that letters under way are given when the process is asked to stop

stopping = threading.Event()


def drain(budget: float = BUDGET) -> int:
    """Deliver what is due; return how many letters a server accepted. Called by RQ and by the relay, without data.

    Webhooks are left to their own thread: a receiver that dawdles must not hold up the mail.
    """
    bell().answered()
    with current_app.app_context():
        hooks().ring()
        invitations.answer_resets()
        return _Drain(post(), time.monotonic() + budget).run()


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
        for future in done:
            self.held.pop(future)
        if outcomes:
            passing(AFTER_CALL)
        go_on = not stopping.is_set() and not self.post.away and time.monotonic() < self.until
        with housekeeping() as connection:
            record(connection, outcomes)
            if self.post.was_away and any(outcome.state == "delivered" for outcome in outcomes):
                self.post.was_away = False
                hurry(connection)
            room = BATCH - len(self.under_way) if go_on else 0
            in_hand = Counter(self.held[future].owed.agency_id for future in self.under_way)
            leased = claim(connection, room, in_hand=in_hand) if room else []
            seals = min(room - len(leased), SEALED_AT_ONCE - self._sealing())
            receipts = claim(connection, seals, due_receipts) if seals > 0 else []
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
