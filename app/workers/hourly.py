"""What the relay does once an hour: it deletes what has expired."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import structlog
from flask import current_app

from app.backups.archive import sweep
from app.backups.beside import sweep_databases
from app.core.clock import now
from app.core.database import is_sqlite, scrub
from app.core.faults import report
from app.extensions import db
from app.offers import recipient_limits, saved_views
from app.privacy import data_requests, retention
from app.webhooks import editing as webhooks

EVERY_SECONDS = 3600.0
AFTER_START = timedelta(days=1)  # how old an erasure may be that was not looked at before the relay stopped
OVERLAP = timedelta(minutes=5)  # a moment is recorded before its transaction is committed
BUDGET = 10.0  # seconds for each chore; what is left is done an hour later

log = structlog.get_logger(__name__)


def tidy() -> None:
    """Do every chore, batch by batch. One that fails does not keep the others from being done."""
    for name, chore in CHORES.items():
        until, dropped = time.monotonic() + BUDGET, 0
        try:
            while time.monotonic() < until and (some := chore()):
                dropped += some
        except Exception as fault:
            log.error("chore_failed", chore=name, fault=type(fault).__name__)
            report(fault)
        if dropped:
            log.info("tidied", chore=name, dropped=dropped)


def wipe() -> int:
    """Take out of the database's files what somebody still read when it was deleted. There is nothing to count."""
    scrub(db.engine)
    return 0


def sweep_backups() -> int:
    """Remove the copies that killed backups and restores left beside the keys and beside the database."""
    folders = {current_app.extensions["bidflux_settings"].data_dir.resolve()}
    if is_sqlite(db.engine):
        folders.add(Path(str(db.engine.url.database)).resolve().parent)
    swept = sum(sweep(folder) for folder in folders)
    return swept if is_sqlite(db.engine) else swept + sweep_databases(db.engine)


def searches() -> Callable[[threading.Event], int]:
    """Drops saved views that search for somebody who was erased; in a thread of its own, since it opens all names of an
    agency. Each erasure is looked at once."""
    since = now() - AFTER_START

    def forget(_stop: threading.Event) -> int:
        nonlocal since
        at = now()
        dropped = saved_views.forget_searches(since)
        since = at - OVERLAP
        if dropped:
            log.info("tidied", chore="saved searches", dropped=dropped)
        return dropped

    return forget


# Each drops one batch and says how many rows that was.
CHORES: dict[str, Callable[[], int]] = {
    "retention": lambda: retention.purge().rows,
    "privacy reminders": data_requests.remind,
    "privacy requests": data_requests.forget,
    "webhook log": lambda: webhooks.forget_log(now() - webhooks.LOG_KEPT),
    "recipients": recipient_limits.forget,
    "killed backups": sweep_backups,
    "deleted pages": wipe,
}
