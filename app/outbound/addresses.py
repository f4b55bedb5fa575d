"""Which addresses of the network are called, and what a URL says that somebody else wrote."""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

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
    """The address is none that we call. The argument says why, in a word: letters, scheme, credentials, host, port,
    address."""


def is_allowed(address: Address, allow: Sequence[Network] = ()) -> bool:
    """Whether an address is on the public internet, or in a network that the operator opened."""
    return _is_opened(address, allow) or _is_public(address)


def _is_opened(address: Address, allow: Sequence[Network]) -> bool:
    return any(address in network for network in allow)


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _PUBLIC_6:
        return False
    return address.is_global and not any(address in network for network in _SPECIAL)


class ParsedUrl(NamedTuple):
    """What an address says, taken apart."""

    secure: bool
    host: str
    port: int
    named: str  # as the Host field has it
    path: str


def check_url(url: str, allow: Sequence[Network] = (), ports: Collection[int] = ()) -> None:
    """Raise `Refused` for what is no `http` or `https` URL of a host, and for what could never be called: an address
    that is not open, a port that nobody named. A name's addresses are known when it is called."""
    to = target_of(url)
    address = _literal(to.host)
    if address is None:
        if not allow:  # else the name may lead into a network that the operator opened, at any port
            _check_port(to.port, ports)
    else:
        check_address(address, to.port, allow, ports)


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


def check_address(address: Address, port: int, allow: Sequence[Network], ports: Collection[int]) -> None:
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
def target_of(url: str) -> ParsedUrl:
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
    if not url.isascii() or not parts.hostname or not _HOST_AND_PORT.fullmatch(parts.netloc):
        raise Refused("host")
    if port == 0:
        raise Refused("port")
    usual = 443 if parts.scheme == "https" else 80
    named = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = quote(parts.path or "/", safe=_IN_PATH) + (f"?{quote(parts.query, safe=_IN_PATH)}" if parts.query else "")
    named += "" if port in {None, usual} else f":{port}"
    return ParsedUrl(parts.scheme == "https", parts.hostname, port or usual, named, path)


_HOST_AND_PORT = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^\[\]:@%\\]+)(:[0-9]*)?")  # a bracket ends the host
_IN_PATH = "%/:@!$&'()*+,;=~-._?[]"  # all that RFC 3986 lets stand there; what is escaped already stays so
