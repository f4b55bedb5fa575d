"""`flask webhook sink`: what is sent to a developer's machine is printed and verified."""

from __future__ import annotations

import json
import socket
import threading
import time
import urllib.error
import urllib.request

import pytest
from click.testing import Result
from flask import Flask

from app.delivery.webhook_sender import signed
from app.webhooks.editing import shown
from tests.conftest import free_port

SECRET = bytes(range(32))
BODY = json.dumps({"type": "offer.created", "seq": 7, "data": {"id": "x"}}).encode()


def post(port: int, headers: dict[str, str], body: bytes = BODY) -> int:
    until = time.monotonic() + 120
    while True:
        try:
            request = urllib.request.Request(f"http://127.0.0.1:{port}/", body, headers)
            with urllib.request.urlopen(request, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > until:
                raise
            time.sleep(0.02)


def sink(
    app: Flask, calls: list[tuple[dict[str, str], bytes]], *options: str, secret: str = ""
) -> tuple[list[int], Result]:
    """The statuses answered to some calls, and what was printed."""
    port, statuses = free_port(), []

    def send() -> None:
        for headers, body in calls:
            statuses.append(post(port, headers, body))

    thread = threading.Thread(target=send)
    thread.start()
    words = ["webhook", "sink", "--port", str(port), "--count", str(len(calls)), *options]
    done = app.test_cli_runner().invoke(args=words, input=secret + "\n")
    thread.join(120)
    return statuses, done


def call(at: float | None = None, secrets: list[bytes] | None = None) -> dict[str, str]:
    return signed("msg-1", int(time.time() if at is None else at), BODY, secrets or [SECRET])


def test_right_and_wrong_signatures_are_told_apart(app: Flask) -> None:
    calls = [
        (call(), BODY),
        (call(secrets=[bytes(32), SECRET]), BODY),
        (call(), BODY.replace(b"7", b"8")),
        (call(at=time.time() - 600), BODY),
        ({}, b"hello"),
    ]
    statuses, done = sink(app, calls, "--stdin", "--json", secret=shown(SECRET))
    assert statuses == [200, 200, 401, 401, 401]
    lines = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
    assert [line["verdict"] for line in lines] == [
        "verified",
        "verified",
        "webhook-signature is not by this secret",
        "webhook-timestamp is too far from now",
        "no webhook-timestamp",
    ]
    assert lines[0]["body"]["seq"] == 7 and lines[0]["webhook-id"] == "msg-1" and lines[-1]["body"] == "hello"


def test_it_fails_as_it_is_told(app: Flask) -> None:
    statuses, done = sink(app, [(call(), BODY)], "--answer", "503", "--slow", "0.1")
    assert statuses == [503]
    assert "offer.created 7  msg-1  not verified" in done.output and '"seq": 7' in done.output


@pytest.mark.parametrize("secret", ["whsec_*", "nope!", "whsec_"])
def test_a_wrong_secret_is_said_at_once(app: Flask, secret: str) -> None:
    done = app.test_cli_runner().invoke(args=["webhook", "sink", "--stdin"], input=f"{secret}\n")
    assert done.exit_code == 1 and "whsec_" in done.output


def test_it_listens_on_the_loopback_only(app: Flask) -> None:
    from app.cli.webhooks import _Sink

    server = _Sink(0, None, 200, 0, True, False)
    assert server.socket.getsockname()[0] == "127.0.0.1" and server.socket.family == socket.AF_INET
    server.server_close()
