"""Addresses of callers, as limits count them."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

_HOME = 64  # bits; what a provider gives to one line at the least (RFC 6177), so that a device picks among 2**64
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # RFC 4291, section 2.5.5.1


@lru_cache(maxsize=1024)
def limited_by(address: str) -> str:
    """What stands for a caller in the keys of limits: an IPv4 address, or the /64 of an IPv6 address.

    An IPv4 address carried in an IPv6 one (mapped, compatible, translated, 6to4, Teredo) is that address.
    What is no address (a socket's path, a proxy's mistake) stands for itself.
    """
    try:
        found = ipaddress.ip_address(address.strip().partition("%")[0])
    except ValueError:
        return address.strip().lower()
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if (carried := _carried(found)) is not None:
        return str(carried)
    return str(ipaddress.IPv6Network((found, _HOME), strict=False))


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped or address.sixtofour:
        return address.ipv4_mapped or address.sixtofour
    if address.teredo:
        return address.teredo[1]
    last = int(address) & 0xFFFFFFFF
    if address in _TRANSLATED or (address in _COMPATIBLE and last > 0xFFFF):
        return ipaddress.IPv4Address(last)
    return None
