"""Compressed bytes opened in a stream: what would grow beyond a bound is given up before it does."""

from __future__ import annotations

import zlib

PART = 65536
STEP = 16384  # bytes given to zlib at once: at each member's end it copies what is left of them
MEMBERS = 10_000  # of one file
GZIP = b"\x1f\x8b"


class TooLarge(Exception):
    """It would be more than was allowed."""


class NotCompressed(Exception):
    """It is broken, cut off, or something else."""


def gunzip(body: bytes, most: int) -> bytes:
    """A gzip file (RFC 1952) of one member or several; raises `TooLarge` and `NotCompressed`."""
    opened, at, members = bytearray(), 0, 0
    while body[at : at + 2] == GZIP:
        members += 1
        if members > MEMBERS:
            raise TooLarge
        part, at = _inflated(body, at, zlib.MAX_WBITS | 16, most - len(opened))
        opened += part
    if not members or body[at:].strip(b"\0"):
        raise NotCompressed
    return bytes(opened)


def inflate(body: bytes, most: int) -> bytes:
    """What HTTP calls `deflate`: zlib's format, or, as some send it, without its head."""
    bits = (
        zlib.MAX_WBITS if body[:1] and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0 else -zlib.MAX_WBITS
    )
    return _inflated(body, 0, bits, most)[0]


def _inflated(body: bytes, at: int, bits: int, most: int) -> tuple[bytes, int]:
    """What was opened from `at` on, and where it ended."""
    opener, opened, left = zlib.decompressobj(bits), bytearray(), b""
    try:
        while not opener.eof:
            if not left:
                left = body[at : at + STEP]
                at += len(left)
            part = opener.decompress(left, min(PART, most + 1 - len(opened)))
            left = opener.unconsumed_tail
            opened += part
            if len(opened) > most:
                raise TooLarge
            if not part and not left and not opener.eof and at >= len(body):
                raise NotCompressed
    except zlib.error:
        raise NotCompressed from None
    return bytes(opened), at - len(opener.unused_data)
