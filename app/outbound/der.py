"""DER before it is parsed: parsers of certificates take seconds over what has very many parts."""

from __future__ import annotations

PARTS = 4_000  # five certificates of a public authority, a signature and its timestamp have some 1,500
DEEP = 24
LONG = 8_192  # bytes in one value, in which more may be wrapped


def is_small(der: bytes) -> bool:
    """Whether bytes are values in definite lengths (X.690, section 8.1), few, short, and not deep in one another."""
    seen, open_ = 0, [(0, len(der), 0)]
    while open_:
        at, end, depth = open_.pop()
        while at < end:
            head = der[at : min(at + 6, end)]
            long = head[1] & 127 if len(head) > 1 and head[1] > 127 else 0
            seen += 1
            if len(head) < 2 + long or head[0] & 31 == 31 or head[1] == 128 or long > 4 or seen > PARTS:
                return False
            size = int.from_bytes(head[2 : 2 + long], "big") if long else head[1]
            at += 2 + long
            if at + size > end or depth > DEEP or (size > LONG and not head[0] & 32):
                return False
            if head[0] & 32:
                open_.append((at, at + size, depth + 1))
            at += size
    return True
