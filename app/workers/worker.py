"""The worker: RQ without forking, which would do a third of the jobs."""

from __future__ import annotations

from typing import Any

import redis
import structlog
from flask import Flask, current_app
from redis.client import Pipeline
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from app.core.faults import report
from app.core.wake import QUEUE, waker
from app.delivery.dispatcher import close_senders, dispatch, stopping
from app.delivery.webhook_dispatcher import close_webhook_dispatcher
from app.workers.signals import on_stop, pause

TTL_SECONDS = 30  # a connection that silently died is noticed after this long
LISTEN_SECONDS = 1
FIRST_WAIT, LONGEST_WAIT = 0.25, 2.0

log = structlog.get_logger(__name__)


class Worker(SimpleWorker):
    """RQ's worker without its remote control, and with a stop that reaches the job under way."""

    max_connection_wait_time = LONGEST_WAIT
    log_result_lifespan = False

    def subscribe(self) -> None:
        """Commands over Valkey would cost a thread and a connection, and nobody sends any."""

    def unsubscribe(self) -> None:
        pass

    @property
    def dequeue_timeout(self) -> int:
        return LISTEN_SECONDS

    def heartbeat(self, timeout: int | None = None, pipeline: Pipeline | None = None) -> None:
        """Called by RQ's loop every second: the one place where it can be stopped.

        RQ itself raises from its signal handler, which now and then lands where an exception is swallowed.
        """
        if stopping.is_set() and pipeline is None and self.get_state() != WorkerStatus.BUSY:
            raise StopRequested
        super().heartbeat(timeout, pipeline)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """RQ writes it down and goes on; what raises here is a fault of ours."""
        if isinstance(error := exc_info[1] if len(exc_info) > 1 else None, BaseException):
            report(error)
        super().handle_exception(job, *exc_info)

    def _install_signal_handlers(self) -> None:
        """They are set already, for all workers of this process."""


def run_worker(app: Flask) -> None:
    """Work until SIGTERM or SIGINT. While Valkey is away, look for it every two seconds at most."""
    wait = FIRST_WAIT
    on_stop()
    log.info("worker_started")
    with app.app_context():
        while not stopping.is_set():
            try:
                waker().connection.ping()
                wait = FIRST_WAIT
                _work()
            except (StopRequested, redis.RedisError) as fault:
                if not stopping.is_set():
                    log.warning("queue_away", error=type(fault).__name__)
            pause(stopping, wait)
            wait = min(wait * 2, LONGEST_WAIT)
        close_senders(app, at_once=True)
        close_webhook_dispatcher(app)
    log.info("worker_stopped")


def _work() -> None:
    """Work until a signal comes or Valkey goes. What fell due in between is taken up first."""
    dispatch()
    connection = redis.Redis.from_url(current_app.extensions["bidflux_settings"].redis_url)
    try:
        worker = Worker(
            [QUEUE],
            connection=connection,
            serializer=JSONSerializer,
            worker_ttl=TTL_SECONDS,
            log_job_description=False,
        )
        worker.work(logging_level="WARNING", with_scheduler=False)
    finally:
        connection.close()
