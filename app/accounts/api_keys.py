"""The spelling of API keys: `bfx_live_` or `bfx_test_`, 30 random base62 characters, and six that check them."""

from __future__ import annotations

import hashlib
import secrets
import string
import zlib

LIVE, TEST = "bfx_live_", "bfx_test_"
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
RANDOM, CHECK = 30, 6
SHOWN = 13


def new_key(*, test: bool = False) -> str:
    """A key of 178 random bits, to be shown once."""
    prefix = TEST if test else LIVE
    body = "".join(secrets.choice(BASE62) for _ in range(RANDOM))
    return prefix + body + _check(prefix + body)


def is_key(text: str) -> bool:
    """Whether this is spelled as a key, without asking whether it opens anything: a mistyped one never gets further."""
    if len(text) != len(LIVE) + RANDOM + CHECK or not text.isascii() or not text.startswith((LIVE, TEST)):
        return False
    return secrets.compare_digest(_check(text[:-CHECK]), text[-CHECK:])


def key_hash(text: str) -> bytes:
    """What is kept of a key. Its 178 bits are random, so a plain SHA-256 cannot be guessed."""
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _check(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(CHECK):
        number, digit = divmod(number, len(BASE62))
        digits = BASE62[digit] + digits
    return digits
