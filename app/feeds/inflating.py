"""Compressed bytes opened in a stream: what would grow beyond a bound is given up before it does."""

from __future__ import annotations

import zlib

PART = 65536
GZIP = b"\x1f\x8b"


class TooLarge(Exception):
    """It would be more than was allowed."""


class NotCompressed(Exception):
    """It is broken, cut off, or something else."""


def gunzip(body: bytes, most: int) -> bytes:
    """A gzip file (RFC 1952) of one member or several; raises `TooLarge` and `NotCompressed`."""
    opened, rest = bytearray(), body
    while rest[:2] == GZIP:
        part, rest = _inflated(rest, zlib.MAX_WBITS | 16, most - len(opened))
        opened += part
    if rest.strip(b"\0") or not body.startswith(GZIP):
        raise NotCompressed
    return bytes(opened)


def inflate(body: bytes, most: int) -> bytes:
    """What HTTP calls `deflate`: zlib's format, or, as some send it, without its head."""
    bits = (
        zlib.MAX_WBITS if body[:1] and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0 else -zlib.MAX_WBITS
    )
    return _inflated(body, bits, most)[0]


def _inflated(body: bytes, bits: int, most: int) -> tuple[bytes, bytes]:
    """What was opened, and what stands behind it."""
    opener, opened, left = zlib.decompressobj(bits), bytearray(), body
    try:
        while not opener.eof:
            part = opener.decompress(left, min(PART, most + 1 - len(opened)))
            left = opener.unconsumed_tail
            opened += part
            if len(opened) > most:
                raise TooLarge
            if not part and not left and not opener.eof:
                raise NotCompressed
    except zlib.error:
        raise NotCompressed from None
    return bytes(opened), opener.unused_data
