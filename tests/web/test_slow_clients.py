"""Callers that send half a request, or take no answer, hold no thread: everybody else is served beside them."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import ROOT
from tests.web.test_killed_web import Web

SLOW = 64
LARGE = max((ROOT / "app").glob("static/**/*.js"), key=lambda path: path.stat().st_size).relative_to(ROOT / "app")
FORM = b"POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
HALF = {
    "nothing": b"",
    "half a line": b"GET /log",
    "half the headers": b"GET /login HTTP/1.1\r\nHost: localhost\r\nX-",
    "no body": FORM + b"Content-Length: 500\r\n\r\n",
    "half a body": FORM + b"Content-Length: 500\r\n\r\nemail=",
    "half a chunk": FORM + b"Transfer-Encoding: chunked\r\n\r\n64\r\nemail=",
    "an answer nobody takes": b"GET /login HTTP/1.1\r\nHost: localhost\r\n\r\n" * 200,
    "large answers nobody takes": b"GET /%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % LARGE.as_posix().encode() * 60,
}


@pytest.fixture
def web(app: Flask, tmp_path: Path) -> Iterator[Web]:
    running = Web(app, tmp_path / "web.log")
    running.start()
    yield running
    running.kill()


def slow(web: Web, said: bytes) -> socket.socket:
    caller = socket.socket()
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    caller.connect(("127.0.0.1", web.port))
    caller.setblocking(False)
    caller.send(said) if said else None
    return caller


def health(web: Web, path: str = "/healthz") -> int:
    """Its answer within a time that no held thread would leave: they are held for as long as the callers are."""
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
    connection.request("GET", path)
    with connection.getresponse() as answer:
        status = answer.status
    connection.close()
    return status


def test_slow_callers_leave_the_product_to_everybody_else(web: Web) -> None:
    for said in HALF.values():
        with ExitStack() as held:
            callers = [held.enter_context(slow(web, said)) for _ in range(SLOW)]
            # Each time those in the queue before it have come a request further, up to what is kept of their answers.
            assert [health(web) for _ in range(20)] == [200] * 20
            assert len(callers) == SLOW


def test_all_kinds_at_once(web: Web) -> None:
    with ExitStack() as held:
        for said in HALF.values():
            for _ in range(SLOW):
                held.enter_context(slow(web, said))
        assert health(web) == 200


def test_a_request_in_pieces_is_answered_once_it_is_whole(web: Web) -> None:
    with socket.create_connection(("127.0.0.1", web.port), timeout=60) as caller, caller.makefile("rb") as answer:
        for piece in (b"GET /hea", b"lthz HTTP/1.1\r\nHo", b"st: localhost\r\nConnection: close\r\n", b"\r\n"):
            caller.sendall(piece)
        assert answer.readline() == b"HTTP/1.1 200 OK\r\n"


PAST_A_RULE = (
    "GET /x/metrics HTTP/1.1\r\nHost: localhost\r\nSCRIPT_NAME: /x\r\n",
    "GET /x/metrics HTTP/1.1\r\nHost: localhost\r\nSCRIPT-NAME: /x\r\n",
    "GET /x HTTP/1.1\r\nHost: localhost\r\nPATH_INFO: /metrics\r\n",
    "GET /x HTTP/1.1\r\nHost: localhost\r\nPATH-INFO: /metrics\r\n",
    "GET /x/metrics HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Prefix: /x\r\n",
    "GET /x/metrics HTTP/1.1\r\nHost: localhost\r\nX-Script-Name: /x\r\n",
    "GET /en/metrics HTTP/1.1\r\nHost: localhost\r\n",
    "GET /ro/metrics HTTP/1.1\r\nHost: localhost\r\n",
    "GET //metrics HTTP/1.1\r\nHost: localhost\r\n",
    "GET /./metrics HTTP/1.1\r\nHost: localhost\r\n",
    "GET /%6detrics HTTP/1.1\r\nHost: localhost\r\n",
    "GET %2fmetrics HTTP/1.1\r\nHost: localhost\r\n",
    "GET /metrics/ HTTP/1.1\r\nHost: localhost\r\n",
    "GET /metrics; HTTP/1.1\r\nHost: localhost\r\n",
    "GET /x/../metrics HTTP/1.1\r\nHost: localhost\r\n",
    "GET http://localhost/metrics HTTP/1.1\r\nHost: localhost\r\n",
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 127.0.0.1\r\n",
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 203.0.113.7, 127.0.0.1, 203.0.113.7\r\n",
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nForwarded: for=203.0.113.7\r\n",
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Real-IP: 203.0.113.7\r\n",
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Proto: https\r\n",
    "GET /metrics HTTP/1.1\r\nHost: localhost\r\nVia: 1.1 proxy\r\n",
    "GET /metrics HTTP/1.1\r\nHost: oferte.example\r\n",
)


def test_no_word_of_a_caller_leads_past_a_proxys_rules_to_the_figures(web: Web) -> None:
    through = []
    for said in PAST_A_RULE:
        with socket.create_connection(("127.0.0.1", web.port), timeout=60) as caller, caller.makefile("rb") as answer:
            caller.sendall(f"{said}Connection: close\r\n\r\n".encode())
            got = answer.read()
        if got.split(b" ")[1] not in {b"301", b"308", b"400", b"404"} or b"bidflux_" in got:
            through.append((said, got))
    assert not through


def test_the_machine_itself_reads_the_figures(web: Web) -> None:
    assert health(web, "/metrics") == 200
