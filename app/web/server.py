"""A web process for gunicorn that reads and writes with waitress: slow callers wait in its loop and hold no thread.

A request reaches a thread once its headers and body are whole, and the one before it on the same connection is
answered and that answer taken; an answer that is taken slowly is kept in memory. So many half-sent requests, and so
many answers that nobody takes, cost connections and nothing else. Only an answer of more than that memory has a thread
wait for its taker, and never more than half of them.
"""

from __future__ import annotations

import logging
import os
import re
import resource
import secrets
import sys
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Any

from gunicorn.workers.base import Worker
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer, create_server
from waitress.task import ErrorTask, ThreadedTaskDispatcher
from waitress.utilities import BadRequest

CONNECTIONS = 1000  # for each process
HEADERS = 32 * 1024  # bytes of a request before its body
BESIDE = 8 * 1024  # bytes of chunks' lengths and trailers, and one more for 32 of the body: each costs the loop time
SLICE = 4096  # bytes of chunks between two looks at that
BODY = 13 * 1024 * 1024  # bytes; the application refuses less, with a page that says so
ANSWER = 16 * 1024 * 1024  # bytes of one answer that wait for its taker before a thread does
PATIENCE, RATE = 20.0, 2000  # a request is whole after so many seconds, and one more for so many bytes
ALONE = 64 * 1024  # bytes of an answer up to which the thread that makes it sends it without the loop's help
TAKING = 60.0  # seconds for an answer, and one more for so many bytes
HASTE = 50_000  # bytes instead of RATE, while a thread waits for the taker
ANSWERS = 256 * 1024 * 1024  # bytes of answers that are not taken yet, in a process
RELIEF = 0.25  # seconds between two looks at who takes too slowly
FILES = 8192  # open at once, where the system lets us: connections, and what they are answered from
LARGE, HELD = 512 * 1024, 128 * 1024 * 1024  # bytes: bodies past LARGE share HELD in a process
# Seconds. The loop wants the interpreter often and briefly; at Python's usual 5 ms a page loses a third of its rate.
SWITCH = 0.0005
STOPPING = 20.0  # seconds for requests under way once a process is to end
COMING = 2.0  # seconds for the request of a connection that was taken just before

_BLANKS = re.compile(rb":(?:(?:\r\n)?[ \t]){16}")  # before a value, over folded lines too

log = logging.getLogger("gunicorn.error")


class _Request(HTTPRequestParser):
    completed: bool

    def __init__(self, adj: Adjustments, channel: _Channel) -> None:
        super().__init__(adj)
        self.channel = channel
        self.began, self.came = time.monotonic(), time.time()

    def received(self, data: bytes) -> int:
        """One request; what was sent behind it waits until its answer has been taken. Without that a connection holds a
        thread as long as it likes: it asks for more than is kept in memory, and takes nothing."""
        taken = int(super().received(data[:SLICE] if self.chunked else data))
        if self.chunked and self.body_rcv is not None and not self.completed:
            body = len(self.body_rcv)
            if self.body_bytes_received - body > BESIDE + body // 32:
                self.error, self.completed = BadRequest("Too much beside the body"), True
        if self.completed and not self.empty and not self.expect_continue:
            self.channel.rest, taken = data[taken:], len(data)
        return taken

    def parse_header(self, header_plus: bytes) -> None:
        """Waitress reads a field by a pattern that looks at each blank before its value as often as there are blanks:
        thirty thousand of them, 30 kB, would keep the loop and every thread waiting for ten seconds."""
        if _BLANKS.search(header_plus):
            raise ParsingError("Too many blanks")
        super().parse_header(header_plus)

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

    error_task_class = _Refusal
    rest = b""  # of what was sent, behind the request that is being answered
    sent = 0
    owing_since: float | None = None
    waits = False  # a thread, for this answer to be taken

    def parser_class(self, adj: Adjustments) -> _Request:
        return _Request(adj, self)

    def readable(self) -> bool:
        if self.request is not None and self.request.late(time.monotonic()):
            self.will_close = True
        if self.rest and super().readable() and not self.requests:
            data, self.rest = self.rest, b""
            self.received(data)
        return bool(super().readable())

    def writable(self) -> bool:
        if not self.total_outbufs_len:
            self.owing_since = None
        elif self.owing_since is None:
            self.owing_since, self.sent = time.monotonic(), 0
        elif time.monotonic() - self.owing_since > TAKING + self.sent / (HASTE if self.waits else RATE):
            self.will_close = True
        if self.requests and self.total_outbufs_len < ALONE and not self.will_close:
            return False  # the loop would only contend with it, for the lock and for the interpreter
        return bool(super().writable())

    def pace(self) -> float:
        """Bytes a second that are taken of what is owed."""
        return self.sent / max(0.001, time.monotonic() - (self.owing_since or 0.0))

    def _flush_outbufs_below_high_watermark(self) -> None:
        self.waits = self.total_outbufs_len > self.adj.outbuf_high_watermark
        try:
            super()._flush_outbufs_below_high_watermark()
        finally:
            self.waits = False

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
        return sum(
            body.body_bytes_received for channel in channels for body in (channel.request, *channel.requests) if body
        )


def relieve(channels: Collection[_Channel], threads: int) -> None:
    """Cut who takes too slowly: at all, or slowest of too many for whom threads wait, or of all whose answers fill the
    memory. Waitress itself closes a connection only once it can be written to, which is never."""
    owing = sorted((channel for channel in channels if channel.total_outbufs_len), key=_Channel.pace, reverse=True)
    waiting, bytes_held = 0, 0
    for channel in owing:
        waiting += channel.waits
        bytes_held += channel.total_outbufs_len
        if channel.will_close or (channel.waits and waiting > threads // 2) or bytes_held > ANSWERS:
            channel.will_close = True
            channel.handle_close()


def serve(wsgi: Any, sockets: list[Any], dispatcher: Any, within: dict[int, Any], threads: int) -> list[BaseWSGIServer]:
    """Answer what comes in on `sockets`, once `within` is looped over; the servers, one for each."""
    adjustments: dict[str, Any] = {
        "threads": threads,
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
    create_server(wsgi, map=within, _dispatcher=dispatcher, sockets=sockets, **adjustments)
    servers = [server for server in within.values() if isinstance(server, BaseWSGIServer)]
    for server in servers:
        server.channel_class = _Channel
    return servers


class BufferingWorker(Worker):
    """`worker_class` for gunicorn; `threads` is how many requests are answered at once."""

    relieved = 0.0

    def run(self) -> None:
        _lend_log(self.log.error_log)
        _open_more_files()
        sys.setswitchinterval(SWITCH)
        dispatcher = ThreadedTaskDispatcher()
        dispatcher.set_thread_count(self.cfg.threads)
        within: dict[int, Any] = {}
        servers = serve(self.wsgi, [listener.sock for listener in self.sockets], dispatcher, within, self.cfg.threads)
        while self.alive and os.getppid() == self.ppid:
            self._turn(within)
            self._relieve(servers)
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
            channel.is_under_way() for server in servers for channel in server.active_channels.values()
        ):
            self._turn(within, 0.1)
            self._relieve(servers)

    def _relieve(self, servers: list[Any]) -> None:
        if time.monotonic() - self.relieved >= RELIEF:
            self.relieved = time.monotonic()
            relieve([channel for server in servers for channel in server.active_channels.values()], self.cfg.threads)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Ctrl-C, and gunicorn's own way to end a worker at once."""
        self.alive = False


def _open_more_files() -> None:
    """A thousand connections that are each answered from a file are more than the usual 1,024."""
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = FILES if most == resource.RLIM_INFINITY else min(FILES, most)
    if few != resource.RLIM_INFINITY and few < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def _lend_log(to: logging.Logger) -> None:
    """What waitress says stands in gunicorn's log, through the same filter; a queue is no fault."""
    for name in ("waitress", "waitress.queue"):
        own = logging.getLogger(name)
        own.handlers, own.filters, own.propagate = list(to.handlers), list(to.filters), False
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
