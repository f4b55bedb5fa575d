"""What a picture claims to be, read from its headers alone: no decoder sees one that would keep it busy.

Time and memory of a decoder grow with pixels, with the scans of a progressive JPEG, which each go over all pixels, and
with the number of parts in the file; a few hundred bytes can claim any number of each.
"""

from __future__ import annotations

PARTS = 4_000  # chunks of a PNG or WebP, segments of a JPEG's head; ten megabytes written in pieces of 8 KB have 1,300
WEBP_PIXELS = 16_000_000  # its decoder keeps four copies of them
SCANS = 32  # encoders write ten or so
SCANNED = 640_000_000  # pixels times scans
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_SCAN = 0xDA
_ALONE = frozenset({0x00, 0x01, *range(0xD0, 0xDA)})  # marks without a length, which no head of a photo has


class TooMuch(ValueError):
    """The file claims more than any photo needs."""


def check(body: bytes, most_pixels: int) -> None:
    """Raises `TooMuch`. What is no JPEG, PNG or WebP is left to be refused by the decoder."""
    if body.startswith(_PNG):
        _check_png(body, most_pixels)
    elif body.startswith(_JPEG):
        _check_jpeg(body, most_pixels)
    elif body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        _check_webp(body, most_pixels)


def _pixels(width: int, height: int, most: int) -> int:
    if width * height > most:
        raise TooMuch("too many pixels")
    return width * height


def _check_png(body: bytes, most: int) -> None:
    """Chunks of length, name, data and checksum (PNG, section 5); no animations, whose frames add up."""
    _pixels(int.from_bytes(body[16:20], "big"), int.from_bytes(body[20:24], "big"), most)
    at = len(_PNG)
    for _ in range(PARTS):
        name = body[at + 4 : at + 8]
        if name in {b"acTL", b"fdAT", b"fcTL"}:
            raise TooMuch("animated")
        if len(name) < 4 or name == b"IEND":
            return
        at += 12 + int.from_bytes(body[at : at + 4], "big")
    raise TooMuch("too many chunks")


def _check_webp(body: bytes, most: int) -> None:
    """The size as each of the three formats says it (RFC 9649, sections 2.5 to 2.7), and no animations."""
    kind, head = body[12:16], body[20:30]
    if kind == b"VP8X" and len(head) == 10:
        if head[0] & 0x02:
            raise TooMuch("animated")
        width, height = (1 + int.from_bytes(head[at : at + 3], "little") for at in (4, 7))
    elif kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    else:
        width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    _pixels(width, height, min(most, WEBP_PIXELS))
    at = 12
    for _ in range(PARTS):
        name, size = body[at : at + 4], int.from_bytes(body[at + 4 : at + 8], "little")
        if name in {b"ANIM", b"ANMF"}:
            raise TooMuch("animated")
        if len(name) < 4:
            return
        at += 8 + size + size % 2
    raise TooMuch("too many chunks")


def _check_jpeg(body: bytes, most: int) -> None:
    """Segments up to the first scan (ITU-T T.81, annex B); then the marks of scans, which data cannot contain.

    Where no scan is found, the decoder is not asked: it passes over more than we do, and would find what we did not.
    """
    at, pixels = 2, 0
    for _ in range(PARTS):
        while body[at : at + 2] == b"\xff\xff":  # fill bytes
            at += 1
        mark = body[at + 1] if body[at : at + 1] == b"\xff" and at + 1 < len(body) else None
        if mark == _SCAN:
            break
        if mark is None or mark in _ALONE:
            raise TooMuch("no segments up to a scan")
        if 0xC0 <= mark <= 0xCF and mark not in {0xC4, 0xC8, 0xCC}:
            height, width = (int.from_bytes(body[at + n : at + n + 2], "big") for n in (5, 7))
            pixels = max(pixels, _pixels(width, height, most))
        at += 2 + int.from_bytes(body[at + 2 : at + 4], "big")
    else:
        raise TooMuch("too many segments")
    scans = body.count(b"\xff\xda", at)
    if scans > SCANS or scans * pixels > SCANNED:
        raise TooMuch("too many scans")
