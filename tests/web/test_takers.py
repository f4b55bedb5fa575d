"""Callers that take their answer slowly or not at all: they are cut, and never hold more than half of the threads."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from waitress import wasyncore
from waitress.task import ThreadedTaskDispatcher

from app.web import server

THREADS = 4
TURNS = 1000  # of a tenth of a second at most: a watchdog


def application(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """`/small` is "ok"; anything else ten times what is kept of an answer."""
    start("200 OK", [("Content-Type", "text/plain")])
    small = environ["PATH_INFO"] == "/small"
    return [b"ok"] if small else (b"x" * server.ANSWER for _ in range(10))


class Serving:
    """The web process's loop, turned by the test."""

    def __init__(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)  # else the system takes it all
        self.dispatcher = ThreadedTaskDispatcher()
        self.dispatcher.set_thread_count(THREADS)
        self.within: dict[int, Any] = {}
        self.servers = server.serve(application, [self.socket], self.dispatcher, self.within, THREADS)

    @property
    def channels(self) -> list[Any]:
        return [one for each in self.servers for one in each.active_channels.values()]

    def until(self, done: Callable[[], bool], relieved: bool = True) -> None:
        for _turn in range(TURNS):
            if done():
                return
            wasyncore.loop(timeout=0.1, use_poll=True, map=self.within, count=1)
            if relieved:
                server.relieve(self.channels, THREADS)
        raise AssertionError("it never came to that")

    def caller(self, path: str) -> socket.socket:
        caller = socket.socket()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        caller.connect(self.socket.getsockname())
        caller.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        caller.setblocking(False)
        return caller


@pytest.fixture
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serving]:
    monkeypatch.setattr(server, "ANSWER", 64 * 1024)
    running = Serving()
    yield running
    for one in running.channels:
        one.handle_close()
    wasyncore.close_all(running.within)
    running.dispatcher.shutdown(timeout=30)


def test_a_caller_who_takes_nothing_is_cut_though_it_can_never_be_written_to(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving.caller("/large"):
        serving.until(lambda: any(one.waits for one in serving.channels))
        monkeypatch.setattr(server, "TAKING", 0.0)
        serving.until(lambda: not serving.channels)


def test_no_more_than_half_of_the_threads_wait_for_takers(serving: Serving) -> None:
    def waiting() -> int:
        return sum(one.waits for one in serving.channels)

    with ExitStack() as held:
        callers = [held.enter_context(serving.caller("/large")) for _ in range(THREADS)]
        serving.until(lambda: waiting() == THREADS, relieved=False)
        small = held.enter_context(serving.caller("/small"))
        answer = bytearray()

        def answered() -> bool:
            try:
                answer.extend(small.recv(4096))
            except BlockingIOError:
                pass
            return answer.endswith(b"ok") or b"\r\n\r\n2\r\nok" in answer

        serving.until(answered)
        assert waiting() == THREADS // 2 and len(callers) == THREADS


def test_of_answers_that_fill_the_memory_the_slowest_are_cut(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as held:
        for _ in range(2):
            held.enter_context(serving.caller("/large"))
        serving.until(lambda: sum(one.waits for one in serving.channels) == 2)
        monkeypatch.setattr(server, "ANSWERS", max(one.total_outbufs_len for one in serving.channels))
        serving.until(lambda: len(serving.channels) == 1)


def test_a_request_behind_another_waits_for_its_answer_to_be_taken(serving: Serving) -> None:
    asked: list[str] = []
    both = threading.Event()

    def noted(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        asked.append(environ["PATH_INFO"])
        start("200 OK", [("Content-Length", str(3 * server.ANSWER))])
        if len(asked) == 2:
            both.set()
        return [b"x" * (3 * server.ANSWER)]

    serving.servers[0].application = noted
    with serving.caller("/first") as caller:
        caller.sendall(b"GET /second HTTP/1.1\r\nHost: localhost\r\n\r\n" + b"\r\n\r\nGET /third HTTP/1.1\r\nHo")
        serving.until(lambda: bool(asked) and serving.channels[0].total_outbufs_len > 0)
        for _turn in range(20):
            wasyncore.loop(timeout=0.01, use_poll=True, map=serving.within, count=1)
        assert asked == ["/first"]

        def taken() -> bool:
            try:
                caller.recv(1024 * 1024)
            except BlockingIOError:
                pass
            return both.is_set()

        serving.until(taken)
        assert asked == ["/first", "/second"]
        caller.sendall(b"st: localhost\r\n\r\n")
        both.clear()

        def third() -> bool:
            taken()
            return len(asked) == 3

        serving.until(third)
        assert asked[-1] == "/third"
