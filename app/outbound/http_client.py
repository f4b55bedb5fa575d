"""The one way out: HTTP calls to addresses that somebody else named, and to no address that they must not reach.

A connection is made to an address that was checked, never to a name that could be resolved again in between. Names are
looked up here, once for each new connection, and every address of the answer must be allowed. Redirects are not
followed; proxies, cookies and `.netrc` are not known here.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property, lru_cache
from http.client import OK, SWITCHING_PROTOCOLS, HTTPConnection, HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

DEADLINE = 15.0  # seconds for the whole call, however slowly the other side drips
CONNECT = 5.0  # seconds to be let in
KEEP = 4096  # bytes of an answer
LINGER = 2.0  # seconds for a body of which a part will do
PART = 65536  # bytes read at once
HOSTS, PER_HOST = 64, 2  # connections kept open
MAX_URL = 2000
PORTS = frozenset({80, 443})  # others belong to what speaks no HTTP; the operator names more

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's registries of special-purpose addresses. Of IPv6 only 2000::/3 is handed out at all, so that the rest
# (loopback, IPv4-mapped, NAT64, unique local, link-local, site-local, multicast) needs no line of its own.
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "168.63.129.16/32",  # in no registry: Azure's own agent, which hands a machine its certificates and settings
        "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20",
    )
)  # fmt: skip


class Refused(Exception):
    """The address is none that we call. The argument says why, in a word: scheme, port, credentials, host, address."""


class Unreachable(Exception):
    """No whole answer came. `code`: name, connect, tls, timeout or broken."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back. `body` holds at most what was asked to be kept; `whole` says whether that is all of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool
    elapsed: float


def is_allowed(address: Address, allow: Sequence[Network] = ()) -> bool:
    """Whether an address is on the public internet, or in a network that the operator opened."""
    return _is_opened(address, allow) or _is_public(address)


def _is_opened(address: Address, allow: Sequence[Network]) -> bool:
    return any(address in network for network in allow)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_6:
        return False
    return address.is_global and not any(address in network for network in _SPECIAL)


class _Target(NamedTuple):
    """What an address says, taken apart."""

    secure: bool
    host: str
    port: int
    named: str  # as the Host field has it
    path: str


def check_url(url: str, allow: Sequence[Network] = (), ports: Collection[int] = ()) -> None:
    """Raise `Refused` for what is no `http` or `https` URL of a host, and for what could never be called: an address
    that is not open, a port that nobody named. A name's addresses are known when it is called."""
    to = _target(url)
    address = _literal(to.host)
    if address is None:
        if not allow:  # else the name may lead into a network that the operator opened, at any port
            _check_port(to.port, ports)
    else:
        _check_address(address, to.port, allow, ports)


def _literal(host: str) -> Address | None:
    """The address that a host is in itself, in any spelling that a resolver reads (`127.1`, `0x7f000001`), or by RFC
    6761 (`localhost`); None for a name that somebody has to look up."""
    host = host.rstrip(".").lower()
    if host == "localhost" or host.endswith(".localhost"):
        return ipaddress.IPv4Address("127.0.0.1")
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        pass
    try:
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


def _check_address(address: Address, port: int, allow: Sequence[Network], ports: Collection[int]) -> None:
    """What the operator opened is open at every port; of the public internet only what speaks HTTP."""
    if _is_opened(address, allow):
        return
    if not _is_public(address):
        raise Refused("address")
    _check_port(port, ports)


def _check_port(port: int, ports: Collection[int]) -> None:
    if port not in PORTS and port not in ports:
        raise Refused("port")


@lru_cache(1024)
def _target(url: str) -> _Target:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("host") from None
    if len(url) > MAX_URL or any(ord(c) < 33 for c in url):
        raise Refused("letters")
    if parts.scheme not in {"http", "https"}:
        raise Refused("scheme")
    if parts.username is not None or parts.password is not None:
        raise Refused("credentials")
    if not url.isascii() or not parts.hostname or "\\" in parts.netloc or "%" in parts.netloc:
        raise Refused("host")
    if port == 0:
        raise Refused("port")
    usual = 443 if parts.scheme == "https" else 80
    named = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = quote(parts.path or "/", safe=_IN_PATH) + (f"?{quote(parts.query, safe=_IN_PATH)}" if parts.query else "")
    named += "" if port in {None, usual} else f":{port}"
    return _Target(parts.scheme == "https", parts.hostname, port or usual, named, path)


_IN_PATH = "%/:@!$&'()*+,;=~-._?[]"  # all that RFC 3986 lets stand there; what is escaped already stays so


class HttpClient:
    """Kept connections to many hosts, for the threads of one process. `allow` and `ports`: networks that the operator
    opened, and ports of the public internet beside 80 and 443."""

    def __init__(self, allow: Sequence[Network] = (), ports: Collection[int] = ()) -> None:
        self.allow, self.ports = tuple(allow), frozenset(ports)
        self._watch = _Watch()
        self._kept = _Kept()

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        deadline: float = DEADLINE,
        keep: int = KEEP,
        part_will_do: bool = False,
    ) -> HttpAnswer:
        """Make one call. Raises `Refused` and `Unreachable`; a redirect or an error is an answer like any other.

        With `part_will_do` it has answered once its head is here: of the body comes what comes soon and unbroken.
        """
        to = _target(url)
        began = time.monotonic()
        until = began + deadline
        fields = {"Host": to.named, "User-Agent": "BidFlux", "Accept-Encoding": "identity", **headers}
        line = self._kept.take(to) or self._connect(to, until)
        again = False
        try:
            with ExitStack() as held:
                with self._watch.until(until, line), _told_plainly(until):
                    with suppress(BrokenPipeError):  # who hangs up early may have said why
                        line.http.request(method, to.path, body, fields)
                    response = held.enter_context(closing(line.http.getresponse()))
                soon = min(until, time.monotonic() + LINGER) if part_will_do else until
                kept, whole = self._body(line, response, keep, soon, part_will_do=part_will_do)
            again = whole and not response.will_close and response.status >= OK
        finally:
            if again:
                self._kept.give(to, line)
            else:
                line.close()
        said = {name.lower(): value for name, value in response.getheaders()}
        return HttpAnswer(response.status, said, kept, whole, time.monotonic() - began)

    def _body(
        self, line: _Line, response: HTTPResponse, keep: int, until: float, *, part_will_do: bool
    ) -> tuple[bytes, bool]:
        """Up to `keep` bytes, and whether the answer ended there."""
        kept = bytearray()
        try:
            with self._watch.until(until, line), _told_plainly(until):
                _read(response, keep, kept)
        except Unreachable:
            if not part_will_do:
                raise
            return bytes(kept[:keep]), False
        return bytes(kept[:keep]), len(kept) <= keep

    def close(self) -> None:
        """Whatever is under way is cut, and nothing begins any more."""
        self._watch.stop()
        self._kept.close()

    def _connect(self, to: _Target, until: float) -> _Line:
        """A connection to the first address that answers, once all of them were found allowed."""
        try:
            found = _looked_up(to.host, to.port, until)
            for _family, _type, _proto, _name, place in found:
                address = ipaddress.ip_address(str(place[0]).partition("%")[0])
                _check_address(address, to.port, self.allow, self.ports)
            line = _Line(_dial(found, until))
        except TimeoutError:
            raise Unreachable("timeout") from None
        except OSError:
            raise Unreachable("connect") from None
        try:
            with self._watch.until(until, line):
                if to.secure:
                    line.http.sock = self._tls.wrap_socket(line.http.sock, server_hostname=to.host.rstrip("."))
        except BaseException as fault:
            line.close()
            if isinstance(fault, OSError | ValueError):
                raise Unreachable("timeout" if time.monotonic() >= until else "tls") from None
            raise
        return line

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        return context


def _looked_up(host: str, port: int, until: float) -> list[Any]:
    """All addresses of a host. A name server that dawdles cannot be cut off: a thread of its own is left behind."""
    answer: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()

    def look() -> None:
        try:
            answer.put(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            answer.put(None)

    threading.Thread(target=look, name="http-lookup", daemon=True).start()
    try:
        found = answer.get(timeout=max(0.0, until - time.monotonic()))
    except queue.Empty:
        raise TimeoutError from None
    if not found:
        raise Unreachable("name")
    return found


def _dial(found: Sequence[Any], until: float) -> socket.socket:
    fault: OSError = OSError("no address")
    for family, kind, proto, _name, place in found:
        seconds = min(CONNECT, until - time.monotonic())
        if seconds <= 0:
            raise TimeoutError
        try:
            sock = socket.socket(family, kind, proto)
        except OSError as error:  # this machine does not speak it
            fault = error
            continue
        try:
            sock.settimeout(seconds)
            sock.connect(place)
        except OSError as error:
            sock.close()
            fault = error
        else:
            return sock
    raise fault


def _read(response: HTTPResponse, keep: int, kept: bytearray) -> None:
    """Into `kept`, up to one byte more than `keep`. Raises `ValueError` for what lies about its length."""
    promised = response.length
    if promised is None and not response.chunked and response.getheader("Content-Length"):
        raise ValueError("no length")
    most = keep + 1 if promised is None else min(keep + 1, promised)
    while len(kept) < most and (part := response.read1(min(most - len(kept), PART))):
        kept += part
    if promised is not None and len(kept) < most:
        raise ValueError("cut short")


@contextmanager
def _told_plainly(until: float) -> Iterator[None]:
    """The many faults of a conversation as the few that the caller tells apart."""
    try:
        yield
    except (HTTPException, OSError, ValueError):
        raise Unreachable("timeout" if time.monotonic() >= until else "broken") from None
    if time.monotonic() >= until:  # what was cut in its headers looks like an answer
        raise Unreachable("timeout")


class _Response(HTTPResponse):
    """Reads past what only informs (RFC 9110, section 15.2), some twenty times; `http.client` does for 100 alone."""

    def begin(self) -> None:
        super().begin()
        for _ in range(20):
            if not SWITCHING_PROTOCOLS < self.status < OK:
                break
            self.headers = None  # type: ignore[assignment]  # as if nothing had come
            super().begin()


class _Line:
    """One connection, which waits as long as it is let: the watch cuts it in time.

    `leash` is a handle of its own to the same connection, to cut it by: TLS takes the other one away.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(None)
        self.http = HTTPConnection("")  # speaks over the connection that was made, and makes none of its own
        self.http.auto_open, self.http.sock = 0, sock
        self.http.response_class = _Response
        self.leash = sock.dup()

    def is_quiet(self) -> bool:
        """Nobody has hung up or said anything that was not asked for."""
        try:
            self.leash.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def cut(self) -> None:
        with suppress(OSError):
            self.leash.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.leash.close()
        self.http.close()


class _Kept:
    """Connections between calls, by scheme, host and port; of too many hosts the one longest unused goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[tuple[bool, str, int], list[_Line]] = {}

    def take(self, to: _Target) -> _Line | None:
        while True:
            with self._lock:
                lines = self._lines.get(to[:3])
                line = lines.pop() if lines else None
            if line is None or line.is_quiet():
                return line
            line.close()

    def give(self, to: _Target, line: _Line) -> None:
        with self._lock:
            lines = self._lines.pop(to[:3], [])
            self._lines[to[:3]] = lines  # the last one used
            lines.append(line)
            over = [lines.pop(0)] if len(lines) > PER_HOST else []
            if len(self._lines) > HOSTS:
                over += self._lines.pop(next(iter(self._lines)))
        for one in over:
            one.close()

    def close(self) -> None:
        with self._lock:
            lines = [line for lines in self._lines.values() for line in lines]
            self._lines.clear()
        for line in lines:
            line.close()


class _Watch:
    """Cuts connections whose call has lasted too long: timeouts of sockets begin anew with every byte that drips in."""

    EVERY = 0.1

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[_Line, float] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    @contextmanager
    def until(self, moment: float, line: _Line) -> Iterator[None]:
        """Cut `line` then, unless it is done by then."""
        with self._lock:
            if self._stopped.is_set():
                raise Unreachable("broken")
            self._calls[line] = moment
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="http-deadlines", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._calls[line]

    def stop(self) -> None:
        with self._lock:
            self._stopped.set()
            for line in self._calls:
                line.cut()

    def _run(self) -> None:
        while not self._stopped.wait(self.EVERY):
            at = time.monotonic()
            with self._lock:
                for line, moment in self._calls.items():
                    if at >= moment:
                        line.cut()
