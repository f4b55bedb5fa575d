"""`webhook sink`: a receiver on the developer's own machine, which prints and verifies what it is sent."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import click
from flask import Flask
from flask.cli import AppGroup

from app.cli.accounts import find_agency
from app.cli.output import as_json, fail, read_secret, refuse_argument, say
from app.core.clock import now, rfc3339
from app.core.numbers import NotANumber, whole
from app.core.strict_json import NotJson, read_json
from app.delivery.webhook_sender import signed
from app.webhooks import editing as service
from app.webhooks.editing import PREFIX

TOLERANCE = 300  # seconds between the call's time and ours, as the libraries have it
LONGEST = 1024 * 1024

webhook = AppGroup("webhook", help="Calls to CRMs.")


def register(app: Flask) -> None:
    app.cli.add_command(webhook)


@webhook.command("list")
@click.option("--agency", "agency_name", default="")
@as_json
def listed(agency_name: str, as_json: bool) -> None:
    """The addresses of an agency, and until when replaced secrets sign too."""
    agency_id, at = find_agency(agency_name).id, now()
    endpoints = service.endpoints_of(agency_id)
    earlier = service.earlier_secrets([endpoint.id for endpoint in endpoints], at)
    rows: list[dict[str, Any]] = [
        {
            "id": str(endpoint.id),
            "url": service.url_of(endpoint),
            "events": endpoint.events.split(),
            "enabled": endpoint.off_at is None,
            "earlier_secrets_until": [rfc3339(secret.until) for secret in earlier.get(endpoint.id, ())],
        }
        for endpoint in endpoints
    ]
    lines = [
        f"{row['id']}  {'on ' if row['enabled'] else 'off'}  {row['url']}"
        + "".join(f"\n  an earlier secret signs too until {until}" for until in row["earlier_secrets_until"])
        for row in rows
    ]
    say({"data": rows}, "\n".join(lines) or "no addresses", as_json=as_json)


@webhook.command("sink")
@click.option("--port", type=click.IntRange(0, 65535), default=9000, show_default=True)
@click.option("--stdin", "signed", is_flag=True, help="Ask for whsec_…, or read a line. Left out: nothing is verified.")
@click.option("--secret", hidden=True, default=None, callback=refuse_argument, expose_value=False)
@click.option("--answer", type=click.IntRange(200, 599), default=200, show_default=True, help="The status to answer.")
@click.option("--slow", type=click.FloatRange(0, 60), default=0.0, help="Seconds to wait before answering.")
@click.option("--body/--no-body", default=True, show_default=True, help="Print what calls carry.")
@click.option("--count", type=click.IntRange(1), default=None, help="Stop after so many calls.")
@as_json
def sink(port: int, signed: bool, answer: int, slow: float, body: bool, count: int | None, as_json: bool) -> None:
    """Receive webhook calls on 127.0.0.1, print each, and say whether its signature is right."""
    key = _read(read_secret("Secret")) if signed else None
    server = _Sink(port, key, answer, slow, body, as_json)
    click.echo(f"listening on http://127.0.0.1:{server.server_port}/", err=True)
    server.left = count
    try:
        server.serve_forever(poll_interval=0.1)
    except KeyboardInterrupt:
        pass
    finally:
        server.server_close()


def _read(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:  # binascii.Error among them
        key = b""
    return key or fail("this is no secret such as whsec_…")


def fault_of(headers: dict[str, str], body: bytes, key: bytes, at: float) -> str:
    """What is wrong with a call that came at Unix time `at`, or ""; `headers` by their names in small letters."""
    stamp, given = headers.get("webhook-timestamp", ""), headers.get("webhook-signature", "")
    try:
        seconds = whole(stamp)
    except NotANumber:
        return "no webhook-timestamp"
    if abs(at - seconds) > TOLERANCE:
        return "webhook-timestamp is too far from now"
    right = signed(headers.get("webhook-id", ""), seconds, body, [key])["webhook-signature"]
    if not any(hmac.compare_digest(right.encode(), signature.encode()) for signature in given.split()):
        return "webhook-signature is not by this secret"
    return ""


class _Sink(ThreadingHTTPServer):
    """Prints each call as one block, however many come at once."""

    daemon_threads = True

    def __init__(self, port: int, key: bytes | None, answer: int, slow: float, body: bool, as_json: bool) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.key, self.answer, self.slow = key, answer, slow
        self.shows_body, self.as_json = body, as_json
        self.left: int | None = None
        self._printing = threading.Lock()

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Print one call; the status to answer."""
        fault = fault_of(headers, body, self.key, time.time()) if self.key else None
        verdict = "not verified" if fault is None else fault or "verified"
        if self.slow:
            time.sleep(self.slow)
        with self._printing:
            self._print(headers, body, verdict)
            if self.left is not None:
                self.left -= 1
                if self.left == 0:
                    threading.Thread(target=self.shutdown).start()
        return 401 if fault else self.answer

    def _print(self, headers: dict[str, str], body: bytes, verdict: str) -> None:
        try:
            shown: Any = read_json(body)
        except NotJson:
            shown = body.decode("utf-8", "replace")
        known = shown if isinstance(shown, dict) else {}
        ident = headers.get("webhook-id", "")
        if self.as_json:
            line = {"at": rfc3339(now()), "webhook-id": ident, "verdict": verdict, "body": shown}
            click.echo(json.dumps(line, ensure_ascii=False))
            return
        what = f"{known.get('type', '?')} {known.get('seq', '')}"
        click.echo(f"{now():%H:%M:%S}  {what}  {ident}  {verdict}")
        if self.shows_body:
            click.echo(json.dumps(shown, ensure_ascii=False, indent=2))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Sink

    def do_POST(self) -> None:
        given = self.headers.get("Content-Length", "")
        try:
            length = whole(given, 0, LONGEST)
        except NotANumber:
            self.send_error(413 if given.isdigit() else 411)
            return
        body = self.rfile.read(length)
        status = self.server.take({name.lower(): value for name, value in self.headers.items()}, body)
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Each call is printed already."""
