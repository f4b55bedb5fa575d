"""The relay: every five seconds it looks for what is due and has it delivered, also while Valkey is away."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import structlog
from flask import Flask

from app.accounts import invitations
from app.backups import schedule
from app.core.clock import now
from app.core.faults import report
from app.core.wake import waker
from app.delivery import dispatcher
from app.delivery.dispatcher import close_senders
from app.delivery.queue import oldest_due
from app.delivery.webhook_dispatcher import close_webhook_dispatcher
from app.ops import figures, reporting
from app.proof import checkpoints
from app.workers.feeds import THREADS, TRIES_EVERY, read_due_feeds, try_due_feeds, watch
from app.workers.hourly import EVERY_SECONDS, searches, tidy
from app.workers.photos import copy_due_photos
from app.workers.signals import on_stop, pause

SWEEP_SECONDS = 5.0
DAILY_EVERY = 60.0  # how often it looks whether what comes once a day is due
FIGURES_SECONDS = 60.0  # how often it counts for /metrics
HEADS_SECONDS = 30.0  # how often it notes beside the seal how far each register has come
ROUND_SECONDS = 300.0  # how often it looks for what belongs to the night
PATIENCE = timedelta(seconds=10)  # after this no worker is expected any more
BUDGET = 10.0

log = structlog.get_logger(__name__)


def run_relay(app: Flask, stop: threading.Event | None = None) -> None:
    """Sweep until SIGTERM, SIGINT or `stop`. A database or Valkey that is away is looked for again, never died of."""
    stop = stop or on_stop()
    log.info("relay_started")
    for _number in range(THREADS):
        watch(app, stop, "feeds", read_due_feeds)
        watch(app, stop, "tries", try_due_feeds, TRIES_EVERY)
        watch(app, stop, "photos", copy_due_photos)
    watch(app, stop, "backups", schedule.run_due, DAILY_EVERY)
    watch(app, stop, "report", reporting.run_due, DAILY_EVERY)
    watch(app, stop, "searches", searches(), EVERY_SECONDS)
    next_round = time.monotonic() + SWEEP_SECONDS
    next_heads = next_figures = time.monotonic()
    next_tidy = time.monotonic() + ROUND_SECONDS  # also where it is started anew more often than once an hour
    while not stop.is_set():
        try:
            with app.app_context():
                sweep()
                if time.monotonic() >= next_heads:
                    next_heads = time.monotonic() + HEADS_SECONDS
                    checkpoints.note_heads()
                if time.monotonic() >= next_figures:
                    next_figures = time.monotonic() + FIGURES_SECONDS
                    figures.count()
                if time.monotonic() >= next_tidy:
                    next_tidy = time.monotonic() + EVERY_SECONDS
                    tidy()
                if time.monotonic() >= next_round:
                    next_round = time.monotonic() + ROUND_SECONDS
                    checkpoints.nightly()
        except Exception as fault:
            log.error("sweep_failed", fault=type(fault).__name__)
            report(fault)
        pause(stop, SWEEP_SECONDS)
    close_senders(app, at_once=True)
    close_webhook_dispatcher(app)
    log.info("relay_stopped")


def sweep() -> None:
    """Wake the worker for what is due; deliver it here when Valkey is away or no worker came."""
    invitations.answer_resets()
    since = oldest_due(now())
    if since is None:
        return
    woken = waker().wake()
    if not woken or now() - since > PATIENCE:
        dispatcher.dispatch(BUDGET)
