"""No call reaches where it must not, and none lasts longer than it may."""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from app.outbound import http_client as http_client
from app.outbound.addresses import Refused, check_url, is_allowed
from app.outbound.http_client import HttpClient, Unreachable
from tests.outbound.servers import Request, receiving, reply

LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)

FORBIDDEN = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.127.255.254", "127.0.0.1", "127.255.255.254",
    "169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "168.63.129.16", "100.100.100.200", "192.31.196.1", "192.52.193.1", "192.175.48.1", "2001:4:112::1",
    "2620:4f:8000::1", "2001:2::1", "2001:30::1", "2001:3::1", "64:ff9b:1:fffe::1", "100:0:0:1::1", "fd20:ce::254",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b:1::1", "100::1", "2001::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::", "3fff::1",
    "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
]  # fmt: skip
OPEN = ["1.1.1.1", "8.8.8.8", "93.184.216.34", "172.15.0.1", "172.32.0.1", "100.63.0.1", "2606:4700::1111", "2a00::1"]

# Spellings that a resolver reads as 127.0.0.1 or 169.254.169.254.
SPELLINGS = [
    "http://127.1/", "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/", "http://0/",
    "http://017700000001/", "http://127.0.0.1./", "http://[::1]/", "http://[::ffff:7f00:1]/", "http://[::]/",
    "http://2852039166/", "http://0xa9fea9fe/", "http://localhost/", "http://[0:0:0:0:0:ffff:127.0.0.1]/",
]  # fmt: skip


@pytest.fixture
def http() -> Iterator[HttpClient]:
    """A client with the loopback open, as the operator may have it."""
    made = HttpClient(LOOPBACK)
    yield made
    made.close()


def get(http: HttpClient, url: str, **more: Any) -> Any:
    return http.call("GET", url, headers={}, **more)


@pytest.mark.parametrize("text", FORBIDDEN)
def test_special_addresses_are_refused(text: str) -> None:
    assert not is_allowed(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", OPEN)
def test_public_addresses_are_called(text: str) -> None:
    assert is_allowed(ipaddress.ip_address(text))


PUBLIC = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 1))


@pytest.mark.parametrize("port", [22, 25, 6379, 8080, 8443])
def test_only_the_webs_ports_are_called_and_those_that_the_operator_names(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.getaddrinfo", lambda *_asked, **_kind: [PUBLIC])
    monkeypatch.setattr("app.outbound.http_client._dial", lambda *_found: (_ for _ in ()).throw(Unreachable("dialled")))
    url = f"http://named.example:{port}/"
    for check in (lambda: check_url(url), lambda: get(HttpClient(), url), lambda: get(HttpClient(LOOPBACK), url)):
        with pytest.raises(Refused, match="port"):
            check()
    check_url(url, ports=(port,))
    with pytest.raises(Unreachable, match="dialled"):
        get(HttpClient(ports=(port,)), url)
    with pytest.raises(Unreachable, match="dialled"):
        get(HttpClient(), "http://named.example:443/")


def test_an_address_that_is_never_called_is_refused_when_it_is_given() -> None:
    for url in ("http://127.0.0.1:9000/", "https://10.0.0.1/", "https://[fd00:ec2::254]/", "http://168.63.129.16/"):
        with pytest.raises(Refused, match="address"):
            check_url(url)
    check_url("http://127.0.0.1:9000/", LOOPBACK)
    check_url("http://developer.example:9000/", LOOPBACK)  # whether it leads there is seen when it is called


def test_the_operator_opens_networks_and_no_others() -> None:
    allow = (ipaddress.ip_network("10.1.0.0/16"), ipaddress.ip_network("fd00::/8"))
    assert is_allowed(ipaddress.ip_address("10.1.2.3"), allow) and is_allowed(ipaddress.ip_address("fd00::1"), allow)
    assert not is_allowed(ipaddress.ip_address("10.2.0.1"), allow)
    assert not is_allowed(ipaddress.ip_address("::ffff:10.1.2.3"), allow)


@pytest.mark.parametrize("url", SPELLINGS)
def test_no_spelling_leads_inside(url: str) -> None:
    with pytest.raises((Refused, Unreachable)) as told:
        get(HttpClient(), url)
    assert getattr(told.value, "code", "name") == "name", "it was looked up, and dialled"


@pytest.mark.parametrize(
    "url",
    ["ftp://example.com/", "file:///etc/passwd", "http://", "http://user:pw@example.com/", "http://example.com:0/",
     "http://example.com:99999/", "http://exa mple.com/", "http://example.com\\@127.0.0.1/", "http://[::1",
     "//example.com/", "gopher://example.com/", "http://example.com/\r\nX: y", "http://%31%32%37.0.0.1/", "http://exämple.com/"],
)  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        check_url(url)


def test_one_forbidden_address_among_several_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_host: str, port: int, **_kind: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port)) for text in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", answer)
    with pytest.raises(Refused):
        get(HttpClient(), "http://two-faced.example/")


def test_a_name_that_resolves_differently_the_second_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each new connection looks once, and goes exactly to what was looked at."""
    asked: list[str] = []

    def answer(host: str, port: int, **_kind: Any) -> list[Any]:
        asked.append(host)
        text = "127.0.0.1" if len(asked) == 1 else "169.254.169.254"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, port))]

    with receiving(lambda _request: reply(Connection="close")) as receiver:
        http = HttpClient(LOOPBACK)
        monkeypatch.setattr(socket, "getaddrinfo", answer)
        url = f"http://rebinding.example:{receiver.port}/"
        assert get(http, url).status == 200
        assert (
            asked == ["rebinding.example"]
            and receiver.requests[0].headers["host"] == f"rebinding.example:{receiver.port}"
        )
        with pytest.raises(Refused):
            get(http, url)
    assert len(asked) == 2 and len(receiver.requests) == 1


def test_an_answer_comes_back_whole_over_one_kept_connection(http: HttpClient) -> None:
    with receiving() as receiver:
        for _ in range(5):
            answer = http.call("POST", f"{receiver.url}/x?y=1", headers={"X-Own": "z"}, body=b"{}")
            assert (answer.status, answer.body, answer.whole) == (200, b"ok", True)
    assert receiver.connections == 1
    assert receiver.requests[0].headers["x-own"] == "z" and receiver.requests[0].body == b"{}"


def test_a_redirect_is_an_answer_and_is_not_followed(http: HttpClient) -> None:
    with receiving(lambda _request: reply(302, Location="/elsewhere")) as receiver:
        assert get(http, receiver.url).status == 302
    assert [request.path for request in receiver.requests] == ["/"]


def test_neither_proxy_nor_cookie_nor_netrc(http: HttpClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with receiving(lambda _request: reply(Set_Cookie="a=b")) as receiver:
        get(http, receiver.url)
        get(http, receiver.url)
    assert "cookie" not in receiver.requests[1].headers and "authorization" not in receiver.requests[1].headers


def test_a_long_answer_is_cut_and_hung_up_on(http: HttpClient) -> None:
    with receiving(lambda _request: reply(body=b"x" * 10_000_000)) as receiver:
        answer = get(http, receiver.url, keep=4096)
        assert (len(answer.body), answer.whole) == (4096, False)
        get(http, receiver.url, keep=4096)
    assert receiver.connections == 2


def drip(first: bytes, piece: bytes) -> Iterator[bytes]:
    yield first
    while True:
        time.sleep(0.05)
        yield piece


@pytest.mark.parametrize(
    ("first", "piece"),
    [(b"", b"H"), (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"y"), (reply(body=b"", Content_Length="9999"), b"z")],
)
def test_a_dripping_server_is_cut_off_in_time(http: HttpClient, first: bytes, piece: bytes) -> None:
    with receiving(lambda _request: drip(first, piece)) as receiver:
        began = time.monotonic()
        with pytest.raises(Unreachable) as told:
            get(http, receiver.url, deadline=0.6)
        assert told.value.code == "timeout" and 0.5 < time.monotonic() - began < 30


BROKEN_BODIES: dict[str, Callable[[bytes], Iterator[bytes]]] = {
    "drips": lambda head: drip(head % b"Content-Length: 9999\r\n", b"z"),
    "drips in chunks": lambda head: drip(head % b"Transfer-Encoding: chunked\r\n", b"1\r\nz\r\n"),
    "never ends": lambda head: drip(head % b"", b"z"),
    "hangs up": lambda head: iter([head % b"Content-Length: 9999\r\n" + b"z"]),
    "no number": lambda head: iter([head % b"Content-Length: many\r\n" + b"z"]),
    "bad chunks": lambda head: iter([head % b"Transfer-Encoding: chunked\r\n" + b"no\r\n"]),
}


@pytest.mark.parametrize("status", [200, 410, 503])
@pytest.mark.parametrize("kind", BROKEN_BODIES)
def test_who_has_answered_has_answered_whatever_becomes_of_the_body(
    http: HttpClient, monkeypatch: pytest.MonkeyPatch, kind: str, status: int
) -> None:
    head = f"HTTP/1.1 {status} Said\r\nRetry-After: 7\r\n%s\r\n".encode()

    def said(_request: Request) -> Iterator[bytes]:
        yield from BROKEN_BODIES[kind](head)
        raise OSError  # hangs up

    monkeypatch.setattr(http_client, "LINGER", 0.3)
    with receiving(said) as receiver:
        answer = http.call("POST", receiver.url, headers={}, body=b"{}", part_will_do=True)
        assert (answer.status, answer.headers["retry-after"], answer.whole) == (status, "7", False)
        assert set(answer.body) <= {ord("z")} and answer.elapsed < 10
        http.call("POST", receiver.url, headers={}, body=b"{}", part_will_do=True)
    assert receiver.connections == 2, "a connection with half an answer in it is not used again"


@pytest.mark.parametrize("first", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: "])
def test_half_a_head_is_no_answer(http: HttpClient, first: bytes) -> None:
    with receiving(lambda _request: drip(first, b"y")) as receiver, pytest.raises(Unreachable):
        http.call("POST", receiver.url, headers={}, body=b"{}", part_will_do=True, deadline=0.6)


def test_a_kept_connection_is_cut_off_too(http: HttpClient) -> None:
    def answer(request: Request) -> Iterator[bytes] | bytes:
        return reply() if request.path == "/quick" else drip(b"", b"H")

    with receiving(answer) as receiver:
        assert get(http, f"{receiver.url}/quick").status == 200
        with pytest.raises(Unreachable) as told:
            get(http, f"{receiver.url}/slow", deadline=0.6)
    assert told.value.code == "timeout" and receiver.connections == 1


def test_what_only_informs_is_read_past(http: HttpClient) -> None:
    """It goes before the answer, which may take its time (RFC 9110, section 15.2)."""

    def answer(request: Request) -> Iterator[bytes]:
        yield b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 3\r\n\r\n"
        time.sleep(0.2)
        yield reply(body=request.path.encode())

    with receiving(answer) as receiver:
        for path in ("/one", "/two"):
            told = get(http, receiver.url + path)
            assert (told.status, told.body, "link" in told.headers) == (200, path.encode(), False)
    assert receiver.connections == 1


@pytest.mark.parametrize("status", [101, 103])
def test_a_connection_is_not_kept_without_a_final_answer(http: HttpClient, status: int) -> None:
    with receiving(lambda _request: reply(status, b"") * 30) as receiver:
        assert get(http, receiver.url).status == status
        assert get(http, receiver.url).status == status
    assert receiver.connections == 2


@pytest.mark.parametrize(
    "said",
    [None, b"", b"nonsense\r\n\r\n", reply(body=b"short", Content_Length="50"),
     b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
)  # fmt: skip
def test_a_broken_answer_is_none(http: HttpClient, said: bytes | None) -> None:
    def answer(request: Request) -> bytes | None:
        return reply() if request.path == "/fine" else said

    with receiving(answer) as receiver:
        with pytest.raises(Unreachable):
            get(http, receiver.url, deadline=1.0)
        assert get(http, f"{receiver.url}/fine").status == 200


def test_nobody_there(http: HttpClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable) as told:
            get(http, f"http://127.0.0.1:{free.getsockname()[1]}/")
    assert told.value.code == "connect"


def test_tls_is_checked(http: HttpClient) -> None:
    with receiving() as receiver, pytest.raises(Unreachable) as told:
        get(http, f"https://127.0.0.1:{receiver.port}/", deadline=2.0)
    assert told.value.code in {"tls", "timeout", "broken"}
