"""A web process for gunicorn that reads and writes with waitress: slow callers wait in its loop and hold no thread.

A request reaches a thread once its headers and body are whole; an answer that is taken slowly is kept in memory. So
many half-sent requests, and so many answers that nobody takes, cost connections and nothing else.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import time
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher

CONNECTIONS = 1000  # for each process
HEADERS = 32 * 1024  # bytes of a request before its body
BODY = 13 * 1024 * 1024  # bytes; the application refuses less, with a page that says so
ANSWER = 16 * 1024 * 1024  # bytes of one answer that wait for its taker before a thread does
PATIENCE, RATE = 20.0, 2000  # a request is whole after so many seconds, and one more for so many bytes
TAKING = 60.0  # seconds for an answer, and one more for so many bytes
LARGE, HELD = 512 * 1024, 128 * 1024 * 1024  # bytes: bodies past LARGE share HELD in a process
# Seconds. The loop wants the interpreter often and briefly; at Python's usual 5 ms a page loses a third of its rate.
SWITCH = 0.0005
STOPPING = 20.0  # seconds for requests under way once a process is to end
COMING = 2.0  # seconds for the request of a connection that was taken just before

log = logging.getLogger("gunicorn.error")


class _Request(HTTPRequestParser):
    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self.began, self.came = time.monotonic(), time.time()

    def late(self, at: float) -> bool:
        """It drips in; who is at the other end does not mean to finish, or cannot."""
        received = self.header_bytes_received + self.body_bytes_received
        return bool(at - self.began > PATIENCE + received / RATE)


class _Refusal(ErrorTask):
    """What never reaches the application, too large or no HTTP: its answer too has a number that the log knows."""

    def execute(self) -> None:
        number, refused = secrets.token_hex(8), self.request.error
        log.warning("Refused before the application: %s %s, request_id %s", refused.code, refused.reason, number)
        refused.body = f"{refused.body}\r\n\r\n{number}"
        self.response_headers.append(("X-Request-Id", number))
        super().execute()


class _Channel(HTTPChannel):
    """One connection, cut when it gives or takes so slowly that it only takes up room."""

    parser_class = _Request
    error_task_class = _Refusal
    sent = 0
    owing_since: float | None = None

    def readable(self) -> bool:
        if self.request is not None and self.request.late(time.monotonic()):
            self.will_close = True
        return bool(super().readable())

    def writable(self) -> bool:
        if not self.total_outbufs_len:
            self.owing_since = None
        elif self.owing_since is None:
            self.owing_since, self.sent = time.monotonic(), 0
        elif time.monotonic() - self.owing_since > TAKING + self.sent / RATE:
            self.will_close = True
        return bool(super().writable())

    def send(self, data: bytes, do_close: bool = True) -> int:
        taken = int(super().send(data, do_close=do_close) or 0)
        self.sent += taken
        return taken

    def received(self, data: bytes) -> bool:
        taken = bool(super().received(data))
        if self.request is not None and self.request.body_bytes_received > LARGE and self._held() > HELD:
            log.warning("Bodies of requests fill %s bytes: the last one is refused", HELD)
            self.will_close = True
        return taken

    def is_under_way(self) -> bool:
        """Whether somebody would be refused were it cut now: a kept connection without a request is their own risk."""
        if self.requests or self.total_outbufs_len:
            return True
        silent = self.last_activity == self.creation_time
        began = self.creation_time if silent else self.request.came if self.request else 0.0
        return bool(time.time() - began < COMING)

    def _held(self) -> int:
        channels = list(self.server.active_channels.values())
        return sum(body.body_bytes_received for one in channels for body in (one.request, *one.requests) if body)


class BufferingWorker(Worker):
    """`worker_class` for gunicorn; `threads` is how many requests are answered at once."""

    def run(self) -> None:
        adjustments: dict[str, Any] = {
            "threads": self.cfg.threads,
            "connection_limit": CONNECTIONS,
            "max_request_header_size": HEADERS,
            "max_request_body_size": BODY,
            "inbuf_overflow": BODY,  # personal data is in no temporary file
            "outbuf_overflow": 4 * ANSWER,
            "outbuf_high_watermark": ANSWER,
            "recv_bytes": 64 * 1024,
            "channel_timeout": 20,
            "cleanup_interval": 5,
            "asyncore_use_poll": True,
            "clear_untrusted_proxy_headers": False,  # the application reads those of proxies it was told of
            "ident": "",
        }
        _lend_log(self.log.error_log)
        sys.setswitchinterval(SWITCH)
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(self.cfg.threads)
        within: dict[int, Any] = {}
        sockets = [one.sock for one in self.sockets]
        create_server(self.wsgi, map=within, _dispatcher=dispatcher, sockets=sockets, **adjustments)
        servers = [one for one in within.values() if isinstance(one, BaseWSGIServer)]
        for server in servers:
            server.channel_class = _Channel
        while self.alive and os.getppid() == self.ppid:
            self._turn(within)
        self._finish(within, servers)
        dispatcher.shutdown(cancel_pending=True, timeout=1)

    def _turn(self, within: dict[int, Any], seconds: float = 1.0) -> None:
        self.notify()
        wasyncore.loop(timeout=seconds, use_poll=True, map=within, count=1)

    def _finish(self, within: dict[int, Any], servers: list[Any]) -> None:
        """Take nothing new; what was begun is answered, within reason."""
        for server in servers:
            server.accepting = False
        until = time.monotonic() + STOPPING
        while time.monotonic() < until and any(
            one.is_under_way() for server in servers for one in server.active_channels.values()
        ):
            self._turn(within, 0.1)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Ctrl-C, and gunicorn's own way to end a worker at once."""
        self.alive = False


def _lend_log(to: logging.Logger) -> None:
    """What waitress says stands in gunicorn's log, through the same filter; a queue is no fault."""
    for name in ("waitress", "waitress.queue"):
        own = logging.getLogger(name)
        own.handlers, own.filters, own.propagate = list(to.handlers), list(to.filters), False
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
