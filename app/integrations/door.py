"""The one way out: HTTP calls to addresses that somebody else named, and to no address that they must not reach.

A connection is made to an address that was checked, never to a name that could be resolved again in between. Names are
looked up here, once for each new connection, and every address of the answer must be allowed. Redirects are not
followed; proxies, cookies and `.netrc` are not known here.
"""

from __future__ import annotations

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

DEADLINE = 15.0  # seconds for the whole call, however slowly the other side drips
CONNECT = 5.0  # seconds to be let in
KEEP = 4096  # bytes of an answer
HOSTS, PER_HOST = 64, 2  # connections kept open
MAX_URL = 2000

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's registries of special-purpose addresses. Of IPv6 only 2000::/3 is handed out at all, so that the rest
# (loopback, IPv4-mapped, NAT64, unique local, link-local, site-local, multicast) needs no line of its own.
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
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
class Answer:
    """What came back. `body` holds at most what was asked to be kept; `whole` says whether that is all of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    whole: bool
    elapsed: float


def is_allowed(address: Address, allow: Sequence[Network] = ()) -> bool:
    """Whether an address is on the public internet, or in a network that the operator opened."""
    if any(address in network for network in allow):
        return True
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_6:
        return False
    return address.is_global and not any(address in network for network in _SPECIAL)


def check_url(url: str) -> None:
    """Raise `Refused` for what is no `http` or `https` URL of a host. Addresses are checked when they are called."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise Refused("host") from None
    if len(url) > MAX_URL or not url.isascii() or any(ord(c) < 33 for c in url):
        raise Refused("host")
    if parts.scheme not in {"http", "https"}:
        raise Refused("scheme")
    if parts.username is not None or parts.password is not None:
        raise Refused("credentials")
    if not parts.hostname or "\\" in parts.netloc or "%" in parts.netloc:
        raise Refused("host")
    if port == 0:
        raise Refused("port")


class Door:
    """Kept connections to many hosts, for the threads of one process. `allow`: networks opened by the operator."""

    def __init__(self, allow: Sequence[Network] = ()) -> None:
        self.allow = tuple(allow)
        self.watch = _Watch()
        self._pools = urllib3.PoolManager(HOSTS, retries=False, maxsize=PER_HOST, block=False, door=self)
        self._pools.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
        self._pools.key_fn_by_scheme = {scheme: _pool_key for scheme in ("http", "https")}  # type: ignore[misc]

    def call(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        deadline: float = DEADLINE,
        keep: int = KEEP,
    ) -> Answer:
        """Make one call. Raises `Refused` and `Unreachable`; a redirect or an error is an answer like any other."""
        check_url(url)
        began = time.monotonic()
        sent = {"User-Agent": "BidFlux", "Accept-Encoding": "identity", **headers}
        with self.watch.until(began + deadline), _told_plainly(began + deadline):
            response = self._pools.urlopen(
                method,
                url,
                body=body,
                headers=sent,
                redirect=False,
                preload_content=False,
                decode_content=False,
                timeout=urllib3.Timeout(connect=min(CONNECT, deadline), read=deadline),
            )
            try:
                kept, whole = _read(response, keep)
            except BaseException:
                response.close()
                raise
            if whole:
                response.release_conn()
            else:
                response.close()
        lowered = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status, lowered, kept, whole, time.monotonic() - began)

    def close(self) -> None:
        self._pools.clear()
        self.watch.stop()

    def connect(self, host: str, port: int, timeout: float) -> socket.socket:
        """A connection to the first address that answers, once all of them were found allowed."""
        sock = _dial(self._addresses(host, port), timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def _addresses(self, host: str, port: int) -> list[Any]:
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise _NoName from None
        for _family, _type, _proto, _name, place in found:
            if not is_allowed(ipaddress.ip_address(str(place[0]).partition("%")[0]), self.allow):
                raise Refused("address")
        if not found:
            raise _NoName
        return found


class _NoName(Exception):
    """The host's name leads nowhere."""


def _dial(found: Sequence[Any], timeout: float) -> socket.socket:
    fault: OSError = OSError("no address")
    for family, kind, proto, _name, place in found:
        sock = socket.socket(family, kind, proto)
        try:
            sock.settimeout(timeout)
            sock.connect(place)
        except OSError as error:
            sock.close()
            fault = error
        else:
            return sock
    raise fault


def _read(response: urllib3.BaseHTTPResponse, keep: int) -> tuple[bytes, bool]:
    """Up to `keep` bytes, and whether the answer ended there. What lies about its length ends in `ProtocolError`."""
    kept = b""
    while len(kept) <= keep and (part := response.read(keep + 1 - len(kept))):
        kept += part
    return kept[:keep], len(kept) <= keep


@contextmanager
def _told_plainly(until: float) -> Iterator[None]:
    """The many faults of a call as the few that the caller tells apart."""
    try:
        yield
        if time.monotonic() >= until:  # what was cut in its headers looks like an answer
            raise Unreachable("timeout")
    except (Refused, Unreachable):
        raise
    except _NoName:
        raise Unreachable("name") from None
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as fault:
        if isinstance(fault, urllib3.exceptions.NewConnectionError):
            raise Unreachable("connect") from None
        if time.monotonic() >= until or isinstance(fault, urllib3.exceptions.TimeoutError | TimeoutError):
            raise Unreachable("timeout") from None
        if isinstance(fault, urllib3.exceptions.SSLError):
            raise Unreachable("tls") from None
        raise Unreachable("broken") from None


class _Guarded(HTTPConnection):
    """A connection that goes through the door it was given.

    `leash` is a handle of its own to the same connection, to cut it by: TLS takes the other one away.
    """

    def __init__(self, *args: Any, door: Door, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._door = door
        self._leash: socket.socket | None = None

    def _new_conn(self) -> socket.socket:
        seconds = self.timeout if isinstance(self.timeout, int | float) else CONNECT
        try:
            sock = self._door.connect(self._dns_host, self.port or self.default_port, seconds)
        except TimeoutError as error:
            raise urllib3.exceptions.ConnectTimeoutError(self, str(error)) from error
        except OSError as error:
            raise urllib3.exceptions.NewConnectionError(self, str(error)) from error
        self._leash = sock.dup()
        self._door.watch.hold(self._leash)
        return sock

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self._leash:
            self._door.watch.hold(self._leash)  # a kept connection serves another call
        super().request(*args, **kwargs)

    def close(self) -> None:
        if self._leash:
            self._leash.close()
            self._leash = None
        super().close()


class _SecureGuarded(_Guarded, HTTPSConnection):
    pass


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Guarded


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureGuarded


def _pool_key(context: dict[str, Any]) -> Any:
    """One pool for each scheme, host and port; all else is the same for all of a door's calls."""
    return context["scheme"], context["host"].lower(), context["port"]


class _Watch:
    """Cuts connections whose call has lasted too long: timeouts of sockets begin anew with every byte that drips in."""

    EVERY = 0.1

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: dict[int, float] = {}
        self._leashes: dict[int, socket.socket] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    @contextmanager
    def until(self, moment: float) -> Iterator[None]:
        """Watch the call that this thread makes meanwhile."""
        me = threading.get_ident()
        with self._lock:
            self._calls[me] = moment
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="door", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                del self._calls[me]
                self._leashes.pop(me, None)

    def hold(self, leash: socket.socket) -> None:
        """What this thread's call is cut by."""
        with self._lock:
            self._leashes[threading.get_ident()] = leash

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self.EVERY):
            at = time.monotonic()
            with self._lock:
                for caller, moment in self._calls.items():
                    if at >= moment and caller in self._leashes:
                        with suppress(OSError):
                            self._leashes[caller].shutdown(socket.SHUT_RDWR)
