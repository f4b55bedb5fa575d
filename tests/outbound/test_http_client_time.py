"""No call lasts longer than it may, whoever dawdles: the name server, an address nobody answers at, the other side."""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from app.outbound.http_client import HttpClient, Unreachable
from tests.outbound.servers import Request, receiving, reply

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
def http() -> Iterator[HttpClient]:
    made = HttpClient(LOOPBACK)
    yield made
    made.close()


def get(http: HttpClient, url: str, **more: Any) -> Any:
    return http.call("GET", url, headers={}, **more)


def names(monkeypatch: pytest.MonkeyPatch, *places: tuple[str, int]) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_place, **_kind: found)


def full(stack: ExitStack) -> tuple[str, int]:
    """An address that lets nobody in and turns nobody away: a listener whose queue is full."""
    server = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
    place = server.getsockname()
    for _ in range(3):
        waiting = stack.enter_context(socket.socket())
        waiting.setblocking(False)
        waiting.connect_ex(place)
    return str(place[0]), int(place[1])


def test_many_addresses_that_nobody_answers_at_share_one_deadline(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack:
        names(monkeypatch, *[full(stack) for _ in range(60)])
        began = time.monotonic()
        with pytest.raises(Unreachable) as told:
            get(http, "http://many.example/", deadline=0.5)
    assert told.value.code == "timeout" and time.monotonic() - began < 15, "half a second each would be thirty"


def test_the_next_address_is_tried_when_one_is_closed(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving() as receiver, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        names(monkeypatch, closed.getsockname(), ("127.0.0.1", receiver.port))
        assert get(http, "http://two.example/").status == 200


def test_the_next_address_is_tried_when_one_cannot_be_spoken(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where IPv6 is switched off: such a socket cannot even be made."""
    with receiving() as receiver:
        place = ("127.0.0.1", receiver.port)
        found = [(family, socket.SOCK_STREAM, 6, "", place) for family in (250, socket.AF_INET)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_place, **_kind: found)
        assert get(http, "http://two.example/").status == 200


def test_a_name_server_that_dawdles_is_left_behind(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    enough = threading.Event()

    def dawdle(*_place: Any, **_kind: Any) -> list[Any]:
        enough.wait(60)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", dawdle)
    began = time.monotonic()
    with pytest.raises(Unreachable) as told:
        get(http, "http://slow-name.example/", deadline=0.3)
    enough.set()
    assert told.value.code == "timeout" and time.monotonic() - began < 30


def test_a_closed_client_ends_what_is_under_way_and_lets_nothing_begin() -> None:
    came, over, http = threading.Event(), threading.Event(), HttpClient(LOOPBACK)

    def silent(_request: Request) -> Iterator[bytes]:
        came.set()
        over.wait(60)
        yield reply()

    told: list[str] = []

    def call() -> None:
        try:
            get(http, receiver.url)
        except Unreachable as why:
            told.append(why.code)

    with receiving(silent) as receiver:
        caller = threading.Thread(target=call)
        caller.start()
        assert came.wait(60)
        http.close()
        caller.join(30)
        before = list(told)
        over.set()
        call()
    assert before == ["broken"] and told == ["broken", "broken"]


def test_who_hangs_up_between_calls_costs_no_call(http: HttpClient) -> None:
    """A kept connection that was closed meanwhile is noticed before anything is sent over it."""

    def once(_request: Request) -> Iterator[bytes]:
        yield reply()
        raise OSError

    with receiving(once) as receiver:
        for calls in range(3):
            assert get(http, receiver.url).status == 200
            receiver.wait_closed(calls + 1)
    assert receiver.connections == 3


def test_what_was_said_unasked_is_nobodys_answer(http: HttpClient) -> None:
    said = [reply(body=b"one") + reply(body=b"smuggled"), reply(body=b"two")]
    with receiving(lambda _request: said.pop(0)) as receiver:
        assert get(http, receiver.url).body == b"one"
        assert get(http, receiver.url).body == b"two"


def test_an_early_no_is_heard_though_nobody_reads_on(http: HttpClient) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def refuse() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(reply(413, b"too long", Connection="close"))
                peer.shutdown(socket.SHUT_WR)
                while peer.recv(65536):
                    pass

        threading.Thread(target=refuse, daemon=True).start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        assert http.call("POST", url, headers={}, body=b"x" * 5_000_000).status == 413


@pytest.mark.parametrize("value", ["a\r\nX-Other: b", "a\nb", "a\rb", "ș"])
def test_a_value_cannot_begin_a_field_of_its_own(http: HttpClient, value: str) -> None:
    with receiving() as receiver, pytest.raises(Unreachable):
        http.call("GET", receiver.url, headers={"Authorization": value})
    assert receiver.requests == []
