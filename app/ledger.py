"""The hash chain, as pure functions: what is hashed, and how a chain is checked.

An entry's body is RFC 8785 JSON and says everything its row says. `hash = SHA-256(previous hash ‖ body)`; before the
first entry the previous hash is 32 zero bytes. The agency's row holds the head.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, Protocol

from app.canonical import canonical
from app.clock import rfc3339

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: `user`, `api_key`, `bidder` or `system`, with the id of the user or key."""

    type: str
    id: uuid.UUID | None = None


SYSTEM = Actor("system")
BIDDER = Actor("bidder")


class Row(Protocol):
    """What checking needs of an entry; ids and moment may be spelled already, as `str` and `rfc3339` do."""

    seq: int
    at: datetime | str
    kind: str
    object_id: uuid.UUID | str | None
    actor_type: str
    actor_id: uuid.UUID | str | None
    body: bytes
    hash: bytes


def entry_body(
    agency_id: uuid.UUID,
    seq: int,
    at: datetime,
    kind: str,
    object_id: uuid.UUID | None,
    actor: Actor,
    data: dict[str, Any],
) -> bytes:
    """The exact bytes that are hashed and stored. `data` holds no personal text."""
    return canonical(
        {
            "v": 1,
            "agency": str(agency_id),
            "seq": seq,
            "at": rfc3339(at),
            "kind": kind,
            "object": str(object_id) if object_id else None,
            "actor": {"type": actor.type, "id": str(actor.id) if actor.id else None},
            "data": data,
        }
    )


def chain(previous: bytes, body: bytes) -> bytes:
    return sha256(previous + body).digest()


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry that does not hold, and why."""

    seq: int
    reason: str


def first_fault(agency_id: uuid.UUID, rows: Iterable[Row], head_seq: int, head_hash: bytes) -> Fault | None:
    """Walk a whole chain in order of `seq`; None when it holds and ends at the head."""
    previous, seq, agency = GENESIS, 0, str(agency_id)
    for row in rows:
        if row.seq != seq + 1:
            return Fault(seq + 1, "missing" if row.seq > seq + 1 else "out of order")
        seq, body, own = row.seq, row.body, row.hash
        if not isinstance(body, bytes) or sha256(previous + body).digest() != own:
            return Fault(seq, "does not follow from the entry before it")
        if reason := _disagreement(agency, row):
            return Fault(seq, reason)
        previous = own
    if seq != head_seq:
        return Fault(min(seq, head_seq) + 1, f"the head is at {head_seq}, the last entry at {seq}")
    return None if previous == head_hash else Fault(seq, "is not the head that the agency holds")


def _disagreement(agency: str, row: Row) -> str | None:
    """The plain columns are for reading; each must say what the hashed body says.

    Canonical JSON has one spelling, so all but the data can be told without reading it, in a tenth of the time.
    """
    at, about, by = row.at, row.object_id, row.actor_id
    if not isinstance(at, str):
        at = rfc3339(at)
    told_by, told_about = (f'"{by}"' if by else "null"), (f'"{about}"' if about else "null")
    head = f'{{"actor":{{"id":{told_by},"type":"{row.actor_type}"}},"agency":"{agency}","at":"{at}","data":{{'
    tail = f'}},"kind":"{row.kind}","object":{told_about},"seq":{row.seq},"v":1}}'
    agree = row.body.startswith(head.encode()) and row.body.endswith(tail.encode())
    return None if agree else "its columns do not say what its body says"
