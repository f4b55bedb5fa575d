"""Each web process listens at a socket of its own; whoever comes while processes change is answered."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from gunicorn import sock
from gunicorn.config import Config

from app.web import sockets
from tests.web.test_killed_web import Web

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere all processes share one socket")


@pytest.fixture
def web(app: Flask, tmp_path: Path) -> Iterator[Web]:
    running = Web(app, tmp_path / "web.log")
    running.environment["WEB_CONCURRENCY"] = "2"
    running.start()
    yield running
    running.kill()


def workers(web: Web) -> set[int]:
    assert web.process
    pid = web.process.pid
    return {int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()}


def listening(pid: int, port: int) -> set[str]:
    """The sockets that a process listens at, by inode."""
    there = {line.split()[9] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if is_open(line, port)}
    held = set()
    for one in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held.add(os.readlink(one).removeprefix("socket:[").rstrip("]"))
        except FileNotFoundError:
            continue
    return held & there


def is_open(line: str, port: int) -> bool:
    parts = line.split()
    return parts[3] == "0A" and int(parts[1].rpartition(":")[2], 16) == port


def answers(web: Web, count: int = 40) -> set[int]:
    """Of so many new connections: each socket gets some of them."""
    return {web.ask("GET", "/healthz")[0] for _ in range(count)}


def until(web: Web, wanted: Any) -> None:
    """Callers come all the while, and all are answered."""
    end = time.monotonic() + 120
    while not wanted():
        assert time.monotonic() < end, web.log.read_text()
        assert answers(web, 1) == {200}


def test_processes_come_and_go_and_everybody_is_answered(web: Web) -> None:
    assert web.process
    until(web, lambda: len(workers(web)) == 2)
    first = workers(web)
    until(web, lambda: [len(listening(pid, web.port)) for pid in first] == [1, 1])
    own = [listening(pid, web.port) for pid in first]
    assert own[0] != own[1]

    web.process.send_signal(signal.SIGHUP)  # a reload: two come, then the two that were there go
    until(web, lambda: len(workers(web)) == 2 and not workers(web) & first)
    assert set.union(*(listening(pid, web.port) for pid in workers(web))) == set.union(*own)

    killed = next(iter(workers(web)))
    os.kill(killed, signal.SIGSTOP)
    stopped = [Path(f"/proc/{killed}/task/{one}/stat") for one in os.listdir(f"/proc/{killed}/task")]
    while not all(one.read_text().rpartition(")")[2].split()[0] == "T" for one in stopped):
        continue
    with ExitStack() as held:
        waiting = [held.enter_context(socket.create_connection(("127.0.0.1", web.port), timeout=60)) for _ in range(16)]
        for one in waiting:  # some at its socket, which it has not looked at since
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        os.kill(killed, signal.SIGKILL)
        for one in waiting:
            assert held.enter_context(one.makefile("rb")).readline() == b"HTTP/1.1 200 OK\r\n"
    assert answers(web) == {200}


def test_fewer_processes_leave_no_socket_at_which_nobody_listens(web: Web) -> None:
    assert web.process
    web.process.send_signal(signal.SIGTTOU)
    end = time.monotonic() + 120
    while len(workers(web)) != 1 or len(listening(web.process.pid, web.port)) != 1:
        assert time.monotonic() < end, web.log.read_text()
        try:
            web.ask("GET", "/healthz")
        except (OSError, http.client.HTTPException):
            continue  # who stood at the socket that was given up
    assert answers(web) == {200}
    web.process.send_signal(signal.SIGTTIN)
    until(web, lambda: len(workers(web)) == 2)
    assert answers(web) == {200}


def arbiter(*binds: str, workers: int = 3) -> Any:
    config = Config()
    config.set("bind", list(binds))
    log = SimpleNamespace(error=lambda *_: None, debug=lambda *_: None, info=lambda *_: None)
    return SimpleNamespace(cfg=config, log=log, LISTENERS=[], WORKERS={}, master_pid=0, num_workers=workers)


def test_each_address_has_a_socket_for_each_process() -> None:
    made = arbiter("127.0.0.1:0", "[::1]:0") if socket.has_ipv6 else arbiter("127.0.0.1:0")
    sockets.open_for_each(made)
    assert len(made.LISTENERS) == 3 * len(made.cfg.address)
    chosen = []
    for number in range(6):
        worker = SimpleNamespace()
        sockets.choose(made, worker)
        made.WORKERS[number] = worker
        chosen.append({one.getsockname() for one in worker.sockets})
        assert len(worker.sockets) == len(made.cfg.address)
    held = [id(one) for worker in made.WORKERS.values() for one in worker.sockets]
    assert sorted(held.count(id(one)) for one in made.LISTENERS) == [2] * len(made.LISTENERS)
    made.WORKERS.clear()
    made.num_workers = 0
    sockets.close_spare(made)
    assert len(made.LISTENERS) == len(made.cfg.address)
    sock.close_sockets(made.LISTENERS)


def test_what_was_handed_over_or_has_a_name_is_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    by_name, alone, followed = (
        arbiter(f"unix:{tmp_path}/web"),
        arbiter("127.0.0.1:0", workers=1),
        arbiter("127.0.0.1:0"),
    )
    followed.master_pid = 1
    for one in (by_name, alone, followed):
        sockets.open_for_each(one)
        assert one.LISTENERS == []
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    monkeypatch.setenv("LISTEN_FDS", "1")
    handed = arbiter("127.0.0.1:0")
    sockets.open_for_each(handed)
    assert handed.LISTENERS == [] and os.environ["LISTEN_FDS"] == "1"


def test_where_the_kernel_refuses_gunicorn_opens_one_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Any] = []

    def refuses(kind: Any, address: Any, arbiter: Any) -> Any:
        if opened:
            raise OSError("no such option")
        opened.append(kind(("127.0.0.1", 0), arbiter.cfg, arbiter.log))
        return opened[0]

    monkeypatch.setattr(sockets, "_opened", refuses)
    refused = arbiter("127.0.0.1:0")
    sockets.open_for_each(refused)
    assert refused.LISTENERS == [] and opened[0].sock is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # gunicorn leaves its tries unclosed
def test_a_port_at_which_somebody_listens_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sock.time, "sleep", lambda _seconds: None)
    first = arbiter("127.0.0.1:0")
    sockets.open_for_each(first)
    second = arbiter(f"127.0.0.1:{first.LISTENERS[0].getsockname()[1]}")
    with pytest.raises(SystemExit):
        sockets.open_for_each(second)
    sock.close_sockets(first.LISTENERS)
