"""The example files of the proxies, run by the real programs on the loopback before the real application."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import KEYS, ROOT, SECRET, free_port
from tests.faults.rig import wait_for

NAMES = ("oferte.example.ro", "oferte.alta.example")
ESTABLISHED = "01"  # in /proc/net/tcp
CALLER = "127.0.0.7"  # another address of the loopback than the proxy's own
MAIN = """
daemon off; pid {folder}/pid; error_log {folder}/main.log; worker_processes 1; events {{ worker_connections 256; }}
http {{
    include /etc/nginx/mime.types; gzip on; {temporary}
    include {folder}/site.conf;
}}
"""


@dataclass
class Behind:
    """The product behind the proxy, under gunicorn, and what reached it."""

    port: int
    file: Path

    @property
    def seen(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.file.read_text().splitlines()]

    def connections(self) -> int:
        """How many callers are connected to it, by the machine's own table."""
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(row[2].endswith(f":{self.port:04X}") and row[3] == ESTABLISHED for row in rows)


@contextmanager
def product(database: Path, folder: Path, valkey: str) -> Iterator[Behind]:
    shutil.copy(database, folder / "bidflux.db")
    behind = Behind(free_port(), folder / "seen")
    behind.file.touch()
    environment = {
        "PATH": os.environ["PATH"],
        "BIDFLUX_ENV": "production",
        "BIDFLUX_DATA": str(folder),
        "BIDFLUX_SEEN": str(behind.file),
        "SECRET_KEY": SECRET,
        "BIDFLUX_KEYS": KEYS,
        "BASE_URL": f"https://{NAMES[0]}",
        "MAIL_SERVER": "127.0.0.1",
        "REDIS_URL": valkey,
        "PORT": str(behind.port),
        "WEB_CONCURRENCY": "1",
        "TRUSTED_PROXIES": "1",
    }
    words = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "tests.deploy.watched:app"]
    with process(words, environment, ROOT, folder / "web.log") as web:
        wait_for(lambda: listens(behind.port) or web.poll() is not None, 60, "the product listens")
        assert web.poll() is None, (folder / "web.log").read_text()
        yield behind


@contextmanager
def process(
    words: list[str], environment: dict[str, str], folder: Path, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as out:
        started = subprocess.Popen(words, env=environment, stdout=out, stderr=out, cwd=folder)
    try:
        yield started
    finally:
        started.terminate()
        started.wait(40)


@dataclass
class Front:
    """A proxy that runs; its ports, its certificate, and all that it wrote."""

    program: str
    folder: Path
    behind: Behind
    pem: Path
    tls: int = field(default_factory=free_port)
    plain: int = field(default_factory=free_port)

    def connect(self, name: str) -> ssl.SSLSocket:
        context = ssl.create_default_context(cafile=str(self.pem))
        line = socket.create_connection(("127.0.0.1", self.tls), 30, source_address=(CALLER, 0))
        return context.wrap_socket(line, server_hostname=name)

    def ask(self, method: str, path: str, name: str = NAMES[0], body: bytes | None = None, **headers: str) -> Answer:
        caller = http.client.HTTPConnection(name, timeout=30)
        caller.sock = self.connect(name)
        given = {key.replace("_", "-"): value for key, value in headers.items()}
        caller.request(method, path, body, given)
        answer = caller.getresponse()
        kept = Answer(answer.status, answer.headers, answer.read())
        caller.close()
        return kept

    def log(self) -> str:
        return "".join(path.read_text() for path in self.folder.glob("*.log"))


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes


def replaced(text: str, *pairs: tuple[str, str]) -> str:
    """The example with the test's own ports and paths: each must stand in it."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def nginx_command(front: Front) -> list[str]:
    site = (ROOT / "deploy" / "nginx" / "bidflux.conf").read_text()
    own = replaced(
        "\n".join(line for line in site.splitlines() if "[::]" not in line),
        ("127.0.0.1:8000", f"127.0.0.1:{front.behind.port}"),
        ("listen 80", f"listen 127.0.0.1:{front.plain}"),
        ("listen 443", f"listen 127.0.0.1:{front.tls}"),
        ("/etc/letsencrypt/live/oferte.example.ro/fullchain.pem", str(front.pem)),
        ("/etc/letsencrypt/live/oferte.example.ro/privkey.pem", str(front.pem)),
        ("/var/log/nginx/", f"{front.folder}/"),
        ("/var/lib/nginx/", f"{front.folder}/"),
    )
    (front.folder / "site.conf").write_text(own)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {front.folder}/{kind};" for kind in kinds)
    (front.folder / "main.conf").write_text(MAIN.format(folder=front.folder, temporary=temporary))
    return ["nginx", "-e", f"{front.folder}/start.log", "-p", str(front.folder), "-c", f"{front.folder}/main.conf"]


def caddy_command(front: Front) -> list[str]:
    own = replaced(
        (ROOT / "deploy" / "caddy" / "Caddyfile").read_text(),
        ("127.0.0.1:8000", f"127.0.0.1:{front.behind.port}"),
        ("\tservers {", f"\tadmin off\n\thttp_port {front.plain}\n\thttps_port {front.tls}\n\tservers {{"),
        ("\trequest_body {", f"\ttls {front.pem} {front.pem}\n\trequest_body {{"),
        (f"{NAMES[0]}, {NAMES[1]} {{", f"{NAMES[0]}, {NAMES[1]} {{\n\tbind 127.0.0.1"),
    )
    said = subprocess.run(["caddy", "version"], capture_output=True, text=True, check=True).stdout
    if not said.removeprefix("v").startswith("2.6."):  # as the file itself says
        own = replaced(own, ("\t\tbuffer_requests\n\t\tmax_buffer_size 2MiB", "\t\trequest_buffers 2MiB"))
    (front.folder / "Caddyfile").write_text(own)
    return ["caddy", "run", "--config", str(front.folder / "Caddyfile"), "--adapter", "caddyfile"]


@contextmanager
def running(front: Front) -> Iterator[Front]:
    command = {"nginx": nginx_command, "caddy": caddy_command}[front.program](front)
    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(front.folder)}
    with process(command, environment, front.folder, front.folder / "out.log") as proxy:
        wait_for(lambda: (listens(front.tls) and listens(front.plain)) or proxy.poll() is not None, 30, front.program)
        assert proxy.poll() is None, front.log()
        yield front


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
