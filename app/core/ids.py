"""Identifiers: UUIDv7 (RFC 9562, section 5.7) for rows, short references for people."""

import secrets
import uuid

import uuid6

# No 0/O, 1/I/L, 2/Z, 5/S, 8/B: what is read over the telephone must be written down right.
REFERENCE_ALPHABET = "34679ACDEFGHJKMNPQRTUVWXY"
REFERENCE_LENGTH = 8


def new_id() -> uuid.UUID:
    """A time-ordered random id. A plain `UUID`, so that it compares and pickles as one."""
    return uuid.UUID(int=uuid6.uuid7().int)


def new_reference() -> str:
    """What bidder and agent call an offer: `BF-` and eight unambiguous characters."""
    return "BF-" + "".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(REFERENCE_LENGTH))
