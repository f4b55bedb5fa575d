"""What a receiver, a name server or whoever writes an address down may try."""

from __future__ import annotations

import ipaddress
import itertools
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.outbound.addresses import Refused, check_url
from app.outbound.http_client import HttpClient, Unreachable
from tests.outbound.servers import Request, receiving, reply

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
def http() -> Iterator[HttpClient]:
    made = HttpClient(LOOPBACK)
    yield made
    made.close()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Sets what the name server says, answer by answer, the last one for good; gives the names it was asked."""
    asked: list[str] = []

    def say(*answers: list[str]) -> list[str]:
        def look(host: str, port: int, **_kind: Any) -> list[Any]:
            asked.append(host)
            texts = answers[min(len(asked), len(answers)) - 1]
            return [
                (socket.AF_INET6 if ":" in text else socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port))
                for text in texts
            ]

        monkeypatch.setattr(socket, "getaddrinfo", look)
        return asked

    return say


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The places that were connected to; none lets anybody in."""
    places: list[Any] = []

    def connect(_socket: socket.socket, place: Any) -> None:
        places.append(place)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket.socket, "connect", connect)
    return places


@pytest.mark.parametrize(
    "text",
    ["::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::", "2002:a9fe:a9fe::",
     "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "2001:0:7f00:1::", "fe80::1%lo", "fec0::1",
     "fd00:ec2::254", "::", "ff02::1"],
)  # fmt: skip
@pytest.mark.parametrize("company", [[], ["93.184.216.34"]], ids=["alone", "behind a public one"])
def test_a_name_that_wraps_an_inner_address_is_not_dialled(
    http: HttpClient, names: Callable[..., list[str]], dialled: list[Any], text: str, company: list[str]
) -> None:
    names([*company, text])
    with pytest.raises(Refused, match="address"):
        http.call("GET", "http://wrapped.example/", headers={})
    assert dialled == []


def test_what_was_checked_is_what_is_dialled(
    http: HttpClient, names: Callable[..., list[str]], dialled: list[Any]
) -> None:
    """A name whose every further answer leads inside is asked once for a call, also when the first place is closed."""
    asked = names(["93.184.216.34", "1.1.1.1"], ["127.0.0.1"], ["169.254.169.254"])
    with pytest.raises(Unreachable, match="connect"):
        http.call("GET", "http://rebinding.example/", headers={})
    assert dialled == [("93.184.216.34", 80), ("1.1.1.1", 80)] and asked == ["rebinding.example"]


def test_a_kept_connection_is_not_looked_up_again(http: HttpClient, names: Callable[..., list[str]]) -> None:
    asked = names(["127.0.0.1"], ["169.254.169.254"])
    with receiving() as receiver:
        for _ in range(3):
            assert http.call("GET", f"http://kept.example:{receiver.port}/", headers={}).status == 200
    assert asked == ["kept.example"] and receiver.connections == 1


def test_a_kept_connection_serves_no_other_name(http: HttpClient, names: Callable[..., list[str]]) -> None:
    """What is reached by one name is looked up and checked for another."""
    names(["127.0.0.1"], ["169.254.169.254"])
    with receiving() as receiver:
        assert http.call("GET", f"http://one.example:{receiver.port}/", headers={}).status == 200
        with pytest.raises(Refused):
            http.call("GET", f"http://two.example:{receiver.port}/", headers={})
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    "url",
    ["http://user@{0}/", "http://user:word@{0}/", "http://:@{0}/", "http://@{0}/", "http://example.com@{0}/",
     "http://{0}\\@example.com/", "http://{0}%00.example.com/", "http://{0}:80:80/", "http://[::1]{0}/",
     "http://[2606:4700::1111]{0}/", "http://x[::1]/", "http://[{0}]/", "ftp://{0}/", "file://{0}/etc/passwd",
     "gopher://{0}/_x", "dict://{0}/", "javascript:alert(1)", "http:{0}", "///{0}", " http://{0}/", "http://{0}/\x00",
     "http://{0}\t/", "HTTP+unix://{0}/"],
)  # fmt: skip
def test_no_other_scheme_and_nobody_named_before_the_host(
    http: HttpClient, names: Callable[..., list[str]], dialled: list[Any], url: str
) -> None:
    asked = names(["93.184.216.34"])
    url = url.format("public.example")
    with pytest.raises(Refused):
        check_url(url)
    with pytest.raises(Refused):
        http.call("GET", url, headers={"Authorization": "secret"})
    assert asked == [] and dialled == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "http://169.254.169.254/", "//other.example/", "/on"]
)
def test_no_redirect_is_followed_wherever_it_leads(http: HttpClient, status: int, place: str) -> None:
    with receiving(lambda _request: reply(status, b"", Location=place)) as receiver:
        answer = http.call("POST", receiver.url, headers={"Authorization": "secret"}, body=b"{}")
    assert (answer.status, answer.headers["location"]) == (status, place)
    assert [request.path for request in receiver.requests] == ["/"]


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
TOO_LONG: dict[str, Callable[[], Iterator[bytes]]] = {
    "chunks without end": lambda: itertools.repeat(b"10000\r\n" + b"x" * 65536 + b"\r\n"),
    "one chunk of 16 exabytes": lambda: itertools.chain([b"ffffffffffffffff\r\n"], itertools.repeat(b"x" * 65536)),
    "chunks of one byte": lambda: itertools.repeat(b"1\r\nx\r\n" * 1000),
}


@pytest.mark.parametrize("kind", TOO_LONG)
def test_of_a_body_without_end_no_more_is_read_than_is_kept(http: HttpClient, kind: str) -> None:
    sent = 0

    def said(_request: Request) -> Iterator[bytes]:
        nonlocal sent
        for piece in itertools.chain([CHUNKED], TOO_LONG[kind]()):
            sent += len(piece)
            yield piece

    with receiving(said) as receiver:
        answer = http.call("GET", receiver.url, headers={}, keep=5000)
        assert (answer.status, answer.body, answer.whole) == (200, b"x" * 5000, False)
        http.call("GET", receiver.url, headers={}, keep=5000)
    assert receiver.connections == 2 and sent < 50_000_000, "what waits in buffers, and no more"


NO_ANSWER: dict[str, list[bytes]] = {
    "a chunk's length without end": [CHUNKED, b"0" * 200_000],
    "a chunk's note without end": [CHUNKED, b"1;" + b"x" * 200_000],
    "a chunk of less than nothing": [CHUNKED, b"-1\r\nxxxx"],
    "a field without end": [b"HTTP/1.1 200 OK\r\nX: ", b"x" * 200_000],
    "fields without end": [b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 200_000],
    "a status without end": [b"HTTP/1.1 200 ", b"x" * 200_000],
    "a status that is none": [b"HTTP/1.1 20 OK\r\nContent-Length: 0\r\n\r\n"],
    "another protocol": [b"SSH-2.0-OpenSSH_9.9\r\n"],
    "no protocol": [b"\x16\x03\x01\x02\x00" * 20],
}


@pytest.mark.parametrize("kind", NO_ANSWER)
def test_what_is_no_http_is_no_answer(http: HttpClient, kind: str) -> None:
    def said(request: Request) -> Iterator[bytes]:
        yield from NO_ANSWER[kind] if request.path == "/" else [reply()]
        raise OSError  # hangs up

    with receiving(said) as receiver:
        with pytest.raises(Unreachable, match="broken"):
            http.call("GET", receiver.url, headers={}, keep=10_000_000)
        assert http.call("GET", f"{receiver.url}/fine", headers={}).status == 200
    assert receiver.connections == 2


WITHOUT_END: dict[str, tuple[bytes, bytes]] = {
    "100s": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "100s with fields": (b"", b"HTTP/1.1 100 Continue\r\n" + b"X: y\r\n" * 50 + b"\r\n"),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n"),
    "chunks of one byte": (CHUNKED, b"1\r\nx\r\n"),
    "notes of chunks": (CHUNKED, b"1;" + b"n" * 60_000 + b"\r\nx\r\n"),
}


@pytest.mark.parametrize("kind", WITHOUT_END)
def test_nobody_is_kept_busy_by_what_stands_beside_a_body(http: HttpClient, kind: str) -> None:
    """Given up for what came, long before the end of the call: by then other receivers would have waited."""
    first, piece = WITHOUT_END[kind]
    sent, some = 0, piece * (65536 // len(piece) + 1)

    def said(_request: Request) -> Iterator[bytes]:
        nonlocal sent
        yield first
        while True:
            sent += len(some)
            yield some

    with receiving(said) as receiver, pytest.raises(Unreachable, match="broken"):
        http.call("GET", receiver.url, headers={}, keep=100_000_000, deadline=600)
    assert sent < 50_000_000, "what waits in buffers, and no more"
