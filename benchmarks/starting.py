"""Starting the whole product, and filling it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.product import BIN, LOG, QUICK, ROOT, Row, free_port


def rows(folder: Path) -> list[Row]:
    return [second_start(folder / "run"), seeding(folder / "run")]


def second_start(data: Path) -> Row:
    """From the command to the line that says it is ready, when everything is already set up."""
    env = {**os.environ, "BIDFLUX_DATA": str(data), "PORT": str(free_port())}
    took = 0.0
    for _ in range(2):
        began = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "tools/run.py"], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=LOG, text=True
        ) as process:
            if not any("is ready" in line for line in process.stdout or ()):
                raise SystemExit("make run did not become ready")
            took = time.perf_counter() - began
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=60)
    return Row("second start, ready", f"{took:.1f} s", "", "< 5 s", took < 5)


def seeding(data: Path) -> Row:
    """`flask demo seed` of many offers; the target is for 100,000."""
    count = 2_000 if QUICK else 100_000
    lines = (data / "secrets.env").read_text().splitlines()
    secrets = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    env = {**os.environ, **secrets, "BIDFLUX_ENV": "development", "BIDFLUX_DATA": str(data)}
    env |= {"BASE_URL": "http://127.0.0.1", "REDIS_URL": "redis://127.0.0.1:1/0", "MAIL_SERVER": "127.0.0.1"}
    command = [str(BIN / "flask"), "--app", "wsgi", "demo", "seed", "--properties", "100", "--offers", str(count)]
    done = subprocess.run([*command, "--json"], cwd=ROOT, env=env, stdout=subprocess.PIPE, check=True, text=True)
    seconds = float(json.loads(done.stdout)["seconds"])
    most = 120 * count / 100_000
    return Row(f"seed {count:,} offers", f"{seconds:.0f} s", "", f"< {most:.0f} s", seconds < most)
