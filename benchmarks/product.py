"""What every suite needs: the product as real processes, and rows of the table."""

from __future__ import annotations

import base64
import os
import random
import secrets
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.load import SERVERS, Result

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
QUICK = "--quick" in sys.argv
LOG = tempfile.TemporaryFile()  # noqa: SIM115  what the processes say; the table stays readable
ROUNDS, SECONDS = (2, 1.0) if QUICK else (5, 3.0)


class Row(NamedTuple):
    """One line: what was measured, the figure, its ratio to the floor, the target, and whether it was met."""

    what: str
    figure: str
    ratio: str
    target: str
    met: bool


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def processes(*started: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ask them all to stop at the end, and wait."""
    try:
        yield
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
        for process in started:
            process.wait(30)


def serve(target: str, port: int, env: dict[str, str]) -> subprocess.Popen[bytes]:
    """gunicorn as in production: two processes of four threads, each process with a socket of its own."""
    command = [str(BIN / "gunicorn"), "-c", str(ROOT / "gunicorn.conf.py"), "-b", f"127.0.0.1:{port}", target]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env, "PORT": str(port)}, stdout=LOG, stderr=LOG)
    SERVERS[port] = process.pid
    return process


def flask(*words: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [str(BIN / "flask"), "--app", "wsgi", *words]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **env}, stdout=LOG, stderr=LOG)


def python(code: str, env: dict[str, str]) -> str:
    """Run `code` in the product's environment; its last printed line."""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, stdout=subprocess.PIPE, check=True, text=True)
    return done.stdout.splitlines()[-1]


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
        "MAIL_USE_TLS": "0",
        "TRUSTED_PROXIES": "1",
        "FORM_MIN_SECONDS": "0",
    }


def caller() -> tuple[str, str]:
    return "X-Forwarded-For", f"10.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(256)}"


def compared(name: str, pairs: list[tuple[Result, Result]], target: float) -> Row:
    """The median of the ratios of interleaved rounds, and the processor time of one request."""
    value = statistics.median(result.rate / floor.rate for result, floor in pairs)
    rate = statistics.median(result.rate for result, _ in pairs)
    floor = statistics.median(floor.rate for _, floor in pairs)
    cpu = statistics.median(result.cpu_us for result, _ in pairs)
    least = statistics.median(floor.cpu_us for _, floor in pairs)
    used = f", {cpu:.0f} of {least:.0f} µs" if cpu else ""
    return Row(name, f"{rate:.0f}/s of {floor:.0f}/s{used}", f"{value:.2f}", f"≥ {target:.2f}", value >= target)
