"""One run of the rig: offers come in, faults happen, everything settles, the books are checked."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import update

from app.core.clock import now
from app.core.killpoints import AFTER_CALL, AFTER_CLAIM, AFTER_COMMIT, AFTER_DATA, BEFORE_COMMIT
from app.core.unit_of_work import housekeeping
from app.core.wake import wake
from app.models import Delivery
from tests.faults.checker import Figures, check, unsettled
from tests.faults.rig import Rig, set_stage, wait_for
from tests.faults.senders import Senders

RANDOM = ("web", "worker", "relay")
POINTS = (BEFORE_COMMIT, AFTER_COMMIT, AFTER_CLAIM, AFTER_CALL, AFTER_DATA)


def faults(rig: Rig, kills: int, choice: random.Random) -> list[Callable[[], None]]:
    """`kills` kills in a random order, half of them at the named points, with Valkey flushed and stopped between."""
    chosen: list[Callable[[], None]] = []
    for n in range(kills):
        point, name = POINTS[n // 2 % len(POINTS)], RANDOM[n // 2 % len(RANDOM)]
        chosen.append((lambda point=point: rig.kill_at(point)) if n % 2 == 0 else (lambda name=name: rig.kill(name)))
    chosen += [rig.flush_valkey, lambda: rig.stop_valkey(1.0)] * max(1, kills // 10)
    choice.shuffle(chosen)
    return chosen


def run(folder: Path, database_url: str, *, offers: int, kills: int, seed: int, patient: bool) -> Figures:
    """Raises `AssertionError` when anything is lost. An impatient run lets leases and waits run out by hand, and does
    not wait for the receipts, which take a third of a second each."""
    choice = random.Random(seed)
    rig = Rig(folder, database_url)
    app = rig.app()
    with app.app_context():
        stage = set_stage(rig)
        with rig:
            senders = Senders(app, rig, stage, offers, seed)
            senders.start()
            planned = faults(rig, kills, choice)
            for n, fault in enumerate(planned, 1):
                assert not senders.errors, senders.errors
                wait_for(lambda n=n: _reached(rig, senders, n / (len(planned) + 2)), 120, "the next offers")
                time.sleep(choice.uniform(0.0, 0.2))
                fault()
            senders.join()
            settle(rig, patient=patient)
            return check(rig, stage, senders)


def _reached(rig: Rig, senders: Senders, share: float) -> bool:
    rig.tend()
    return bool(senders.errors) or senders.done >= senders.count * share


def settle(rig: Rig, *, patient: bool) -> None:
    """Until nothing is owed any more."""
    until = time.monotonic() + (900 if patient else 60)
    last, since = -1, time.monotonic()
    if not patient:
        postpone_receipts()
        hasten()
    while left := unsettled(with_receipts=patient):
        rig.tend()
        assert time.monotonic() < until, f"{left} deliveries never settled"
        if left != last:
            last, since = left, time.monotonic()
        elif not patient and time.monotonic() - since > 1.5:
            hasten()
            since = time.monotonic()
        time.sleep(0.25)


def hasten() -> None:
    """What waits is due, and leases of the dead have run out: as an hour later."""
    others = Delivery.kind != "receipt"
    with housekeeping() as connection:
        connection.execute(update(Delivery).where(Delivery.state == "pending", others).values(due_at=now()))
        lapsed = now() - timedelta(seconds=1)
        connection.execute(update(Delivery).where(Delivery.state == "leased", others).values(lease_until=lapsed))
    wake()


def postpone_receipts() -> None:
    later = now() + timedelta(hours=1)
    with housekeeping() as connection:
        waiting = (Delivery.state == "pending", Delivery.kind == "receipt")
        connection.execute(update(Delivery).where(*waiting).values(due_at=later))
