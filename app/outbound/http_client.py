"""HTTP calls to addresses that somebody else named, and to no address that they must not reach.

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
from functools import cached_property
from http.client import OK, SWITCHING_PROTOCOLS, HTTPConnection, HTTPException, HTTPResponse
from io import BufferedIOBase
from typing import Any

from app.outbound.addresses import Network, ParsedUrl, check_address, target_of

DEADLINE = 15.0  # seconds for the whole call, however slowly the other side drips
CONNECT = 5.0  # seconds to be let in
KEEP = 4096  # bytes of an answer
LINGER = 2.0  # seconds for a body of which a part will do
PART = 65536  # bytes read at once
LINES, LINE_BYTES = 50_000, 1024 * 1024  # of heads, chunks' lengths and trailers of one answer
HOSTS, PER_HOST = 64, 2  # connections kept open


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


class HttpClient:
    """Kept connections to many hosts, for the threads of one process. `allow` and `ports`: networks that the operator
    opened, and ports of the public internet beside 80 and 443."""

    def __init__(self, allow: Sequence[Network] = (), ports: Collection[int] = ()) -> None:
        self.allow, self.ports = tuple(allow), frozenset(ports)
        self._deadlines = _Deadlines()
        self._pool = _Pool()

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
        to = target_of(url)
        began = time.monotonic()
        until = began + deadline
        fields = {"Host": to.named, "User-Agent": "BidFlux", "Accept-Encoding": "identity", **headers}
        connection = self._pool.take(to) or self._connect(to, until)
        again = False
        try:
            with ExitStack() as stack:
                with self._deadlines.until(until, connection), _as_unreachable(until):
                    with suppress(BrokenPipeError):  # who hangs up early may have said why
                        connection.http.request(method, to.path, body, fields)
                    response = stack.enter_context(closing(connection.http.getresponse()))
                soon = min(until, time.monotonic() + LINGER) if part_will_do else until
                kept, whole = self._body(connection, response, keep, soon, part_will_do=part_will_do)
            again = whole and not response.will_close and response.status >= OK
        finally:
            if again:
                self._pool.give(to, connection)
            else:
                connection.close()
        answer_headers = {name.lower(): value for name, value in response.getheaders()}
        return HttpAnswer(response.status, answer_headers, kept, whole, time.monotonic() - began)

    def _body(
        self, connection: _Connection, response: HTTPResponse, keep: int, until: float, *, part_will_do: bool
    ) -> tuple[bytes, bool]:
        """Up to `keep` bytes, and whether the answer ended there."""
        kept = bytearray()
        try:
            with self._deadlines.until(until, connection), _as_unreachable(until):
                _read(response, keep, kept)
        except Unreachable:
            if not part_will_do:
                raise
            return bytes(kept[:keep]), False
        return bytes(kept[:keep]), len(kept) <= keep

    def close(self) -> None:
        """Whatever is under way is cut, and nothing begins any more."""
        self._deadlines.stop()
        self._pool.close()

    def _connect(self, to: ParsedUrl, until: float) -> _Connection:
        """A connection to the first address that answers, once all of them were found allowed."""
        try:
            found = _looked_up(to.host, to.port, until)
            for _family, _type, _proto, _name, place in found:
                address = ipaddress.ip_address(str(place[0]).partition("%")[0])
                check_address(address, to.port, self.allow, self.ports)
            connection = _Connection(_dial(found, until))
        except TimeoutError:
            raise Unreachable("timeout") from None
        except OSError:
            raise Unreachable("connect") from None
        try:
            with self._deadlines.until(until, connection):
                if to.secure:
                    connection.http.sock = self._tls.wrap_socket(
                        connection.http.sock, server_hostname=to.host.rstrip(".")
                    )
        except BaseException as fault:
            connection.close()
            if isinstance(fault, OSError | ValueError):
                raise Unreachable("timeout" if time.monotonic() >= until else "tls") from None
            raise
        return connection

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
def _as_unreachable(until: float) -> Iterator[None]:
    """The many faults of a conversation as the few that the caller tells apart."""
    try:
        yield
    except (HTTPException, OSError, ValueError):
        raise Unreachable("timeout" if time.monotonic() >= until else "broken") from None
    if time.monotonic() >= until:  # what was cut in its headers looks like an answer
        raise Unreachable("timeout")


class _Lines:
    """What is received, of which no more is read line by line than answers need: `http.client` reads past any number
    of 100s, trailers and chunks, and would be kept busy to the end of the call."""

    def __init__(self, received: BufferedIOBase) -> None:
        self._received, self._lines, self._bytes = received, LINES, LINE_BYTES

    def readline(self, limit: int = -1) -> bytes:
        line = self._received.readline(limit)
        self._lines, self._bytes = self._lines - 1, self._bytes - len(line)
        if min(self._lines, self._bytes) < 0:
            raise ValueError("too much beside the body")
        return line

    def __getattr__(self, name: str) -> Any:
        return getattr(self._received, name)


class _Response(HTTPResponse):
    """Reads past what only informs (RFC 9110, section 15.2), some twenty times; `http.client` does for 100 alone."""

    def __init__(self, sock: socket.socket, debuglevel: int = 0, method: str | None = None) -> None:
        super().__init__(sock, debuglevel, method)
        self.fp = _Lines(self.fp)  # type: ignore[assignment]  # as far as it is used

    def begin(self) -> None:
        super().begin()
        for _ in range(20):
            if not SWITCHING_PROTOCOLS < self.status < OK:
                break
            self.headers = None  # type: ignore[assignment]  # as if nothing had come
            super().begin()


class _Connection:
    """One connection, which has no timeout of its own: `_Deadlines` cuts it in time.

    `duplicate` is a second handle to the same connection, to cut it by: TLS takes the first one away.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(None)
        self.http = HTTPConnection("")  # speaks over the connection that was made, and makes none of its own
        self.http.auto_open, self.http.sock = 0, sock
        self.http.response_class = _Response
        self.duplicate = sock.dup()

    def is_quiet(self) -> bool:
        """Nobody has hung up or said anything that was not asked for."""
        try:
            self.duplicate.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def cut(self) -> None:
        with suppress(OSError):
            self.duplicate.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.duplicate.close()
        self.http.close()


class _Pool:
    """Connections between calls, by scheme, host and port; of too many hosts the one longest unused goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connections: dict[tuple[bool, str, int], list[_Connection]] = {}

    def take(self, to: ParsedUrl) -> _Connection | None:
        while True:
            with self._lock:
                connections = self._connections.get(to[:3])
                connection = connections.pop() if connections else None
            if connection is None or connection.is_quiet():
                return connection
            connection.close()

    def give(self, to: ParsedUrl, connection: _Connection) -> None:
        with self._lock:
            connections = self._connections.pop(to[:3], [])
            self._connections[to[:3]] = connections  # the last one used
            connections.append(connection)
            too_many = [connections.pop(0)] if len(connections) > PER_HOST else []
            if len(self._connections) > HOSTS:
                too_many += self._connections.pop(next(iter(self._connections)))
        for unused in too_many:
            unused.close()

    def close(self) -> None:
        with self._lock:
            connections = [connection for connections in self._connections.values() for connection in connections]
            self._connections.clear()
        for connection in connections:
            connection.close()


class _Deadlines:
    """Cuts connections whose call has lasted too long: timeouts of sockets begin anew with every byte that drips in."""

    EVERY = 0.1

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[_Connection, float] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    @contextmanager
    def until(self, moment: float, connection: _Connection) -> Iterator[None]:
        """Cut `connection` then, unless it is done by then."""
        with self._lock:
            if self._stopped.is_set():
                raise Unreachable("broken")
            self._calls[connection] = moment
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="http-deadlines", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._calls[connection]

    def stop(self) -> None:
        with self._lock:
            self._stopped.set()
            for connection in self._calls:
                connection.cut()

    def _run(self) -> None:
        while not self._stopped.wait(self.EVERY):
            at = time.monotonic()
            with self._lock:
                for connection, moment in self._calls.items():
                    if at >= moment:
                        connection.cut()
