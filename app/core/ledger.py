"""The hash chain, as pure functions: what is hashed, and how a chain is checked.

An entry's body is RFC 8785 JSON and says everything its row says. `hash = SHA-256(previous hash ‖ body)`; before the
first entry the previous hash is 32 zero bytes. The agency's row holds the head.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from app.core.canonical_json import canonical
from app.core.clock import rfc3339

GENESIS = bytes(32)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: `user`, `api_key`, `bidder` or `system`, with the id of the user or key."""

    type: str
    id: uuid.UUID | None = None


SYSTEM = Actor("system")
BIDDER = Actor("bidder")


class EntryRow(NamedTuple):
    """What checking needs of an entry, in the order in which it is read.

    Ids may be 32 hex digits and the moment `2026-11-23 15:11:20.435912`: what SQLite holds costs least to read.
    """

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
class EntryFault:
    """An entry that does not hold, and why."""

    seq: int
    reason: str


def first_fault(
    agency_id: uuid.UUID, rows: Iterable[Sequence[Any]], head_seq: int, head_hash: bytes
) -> EntryFault | None:
    """The first of `faults`; None when the chain holds and ends at the head."""
    return next(faults(agency_id, rows, head_seq, head_hash), None)


def faults(
    agency_id: uuid.UUID, rows: Iterable[Sequence[Any]], head_seq: int, head_hash: bytes
) -> Iterator[EntryFault]:
    """Walk a whole chain, each entry as `EntryRow`, in order of `seq`, to its end: what does not hold, each thing once.

    What follows a fault is held against what stands there now, so that one bent entry does not blame all after it.
    """
    previous, last, linked = GENESIS, 0, True
    meant: bytes | None = None  # the hash that the entry before should have, where it has another
    begins: dict[tuple[Any, Any], str] = {}  # by who acted, which are few
    for seq, at, kind, about, actor, by, body, own in rows:
        if seq != last + 1:
            if type(seq) is not int or seq <= last:
                yield EntryFault(last + 1, "out of order")
                continue
            yield EntryFault(last + 1, "missing" if seq == last + 2 else f"missing, as are all up to {seq - 1}")
            linked = False  # to what is gone
        last = seq
        whole = isinstance(body, bytes)
        digest = sha256(previous + body).digest() if whole else None
        follows = whole and digest == own
        if linked and not follows and not (whole and meant and sha256(meant + body).digest() == own):
            yield EntryFault(seq, "does not follow from the entry before it")
        meant = digest if linked and not follows else None
        linked = isinstance(own, bytes)
        previous = own if linked else GENESIS
        if (begin := begins.get((actor, by))) is None:
            begin = begins[actor, by] = (
                f'{{"actor":{{"id":{_quoted(by)},"type":"{actor}"}},"agency":"{agency_id}","at":"'
            )
        if whole and not _says(body, begin, at, f'}},"kind":"{kind}","object":{_quoted(about)},"seq":{seq},"v":1}}'):
            yield EntryFault(seq, "its columns do not say what its body says")
    if type(head_seq) is not int:
        yield EntryFault(last + 1, "the head that the agency holds has no number")
    elif last != head_seq:
        yield EntryFault(min(last, head_seq) + 1, f"the head is at {head_seq}, the last entry at {last}")
    elif previous != head_hash:
        yield EntryFault(last, "is not the head that the agency holds")


def _says(body: bytes, begin: str, at: Any, end: str) -> bool:
    """The plain columns are for reading; each must say what the hashed body says.

    Canonical JSON has one spelling, so all but the data can be told without reading it, in a tenth of the time.
    """
    if not isinstance(at, str | datetime):
        return False
    return body.startswith(f'{begin}{moment_text(at)}","data":{{'.encode()) and body.endswith(end.encode())


def _quoted(identity: uuid.UUID | str | None) -> str:
    return f'"{id_text(identity)}"' if identity else "null"


def id_text(identity: uuid.UUID | str) -> str:
    """`01890c2e-…` of an id or of its 32 hex digits."""
    if type(identity) is str:
        return f"{identity[:8]}-{identity[8:12]}-{identity[12:16]}-{identity[16:20]}-{identity[20:]}"
    return str(identity)


def moment_text(at: datetime | str) -> str:
    """`2026-11-23T15:11:20.435912Z` of a moment, or of one as SQLite keeps it."""
    return at.replace(" ", "T") + "Z" if isinstance(at, str) else rfc3339(at)
