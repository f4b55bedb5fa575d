"""Every error page names a number, and the log has a line with it, however early the request went wrong."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from app.web.guards import Guard, policy
from tests.factories import login, make_agency, make_user
from tests.web.test_killed_web import Web

NUMBER = re.compile(r'class="hash">([0-9a-f]{16})<|<p>([0-9a-f]{16})</p>')
CASES: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "no token": ("POST", "/login", {"data": {"email": "x@y.example", "password": "x"}}, 400),
    "no token, English": ("POST", "/en/login", {"data": {"email": "x@y.example"}}, 400),
    "a token of nobody": ("POST", "/app/settings", {"data": {"csrf_token": "x"}}, 400),
    "no page": ("GET", "/nu/exista", {}, 404),
    "no page for a form": ("POST", "/nu/exista", {"data": {"a": "b"}}, 404),
    "no such way": ("DELETE", "/login", {}, 405),
    "too large": ("POST", "/login", {"data": {"email": "x" * 3_000_000}}, 413),
    "no bidder": ("GET", "/r/offer/BF-AAAAAAAA", {}, 403),
    "a fault": ("GET", "/boom", {}, 500),
    "a fault in words": ("GET", "/bust", {}, 503),
    "refill of nothing": ("POST", "/app/nu", {"data": {"refill": "x", "a": "b"}}, 404),
}


@pytest.fixture
def boom(app: Flask) -> Iterator[None]:
    def fail() -> str:
        raise RuntimeError("canary")

    def bust() -> str:
        abort(503)

    app.config["PROPAGATE_EXCEPTIONS"] = False
    app._got_first_request = False
    for name, view in (("boom", fail), ("bust", bust)):
        app.add_url_rule(f"/{name}", name, policy(Guard.PUBLIC, limit="60/minute")(view))
    yield


@pytest.mark.parametrize("case", CASES)
def test_the_number_on_the_page_is_in_the_log(app: Flask, client: FlaskClient, boom: None, case: str) -> None:
    method, path, given, status = CASES[case]
    if path.startswith("/app"):
        login(client, make_user(make_agency(), "owner"))
    with capture_logs() as lines:
        answer = client.open(path, method=method, **given)
    page = answer.get_data(as_text=True)
    assert answer.status_code == status
    found = NUMBER.search(page)
    assert found, page[-600:]
    number = found[1] or found[2]
    assert number == answer.headers["X-Request-Id"]
    assert number in {line.get("request_id") for line in lines}
    assert "canary" not in page


REFUSED = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "headers too large": b"GET /login HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n",
    "body too large": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n",
    "no length": b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n",
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_never_reaches_the_application_has_a_number_too(app: Flask, tmp_path: Path, case: str) -> None:
    web = Web(app, tmp_path / "web.log")
    web.start()
    try:
        with socket.create_connection(("127.0.0.1", web.port), timeout=120) as caller:
            caller.sendall(REFUSED[case])
            said = b""
            while part := caller.recv(65536):
                said += part
    finally:
        web.kill()
    found = re.search(rb"X-Request-Id: ([0-9a-f]{16})", said)
    assert found, said[:400]
    number = found[1].decode()
    assert said.partition(b"\r\n\r\n")[2].decode().count(number) == 1
    assert number in (tmp_path / "web.log").read_text()
