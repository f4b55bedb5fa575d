"""What a delivery is about, as two columns say it: the name of a table and its row's key, or an entry of the ledger."""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, String, cast, func


class Subject(NamedTuple):
    """`type` is a table, `event`, `entry` (one of the ledger) or `entries` (from one to another); `id` its key as text:
    UUIDs and bytes in hex, several parts with `/` between them."""

    type: str
    id: str


def about(kind: str, *key: uuid.UUID | bytes | int) -> Subject:
    """The subject of this kind and key."""
    return Subject(kind, "/".join(_text(part) for part in key))


def key_in_sql(column: Any) -> ColumnElement[str]:
    """A UUID of the database as a subject's key has it."""
    return func.replace(cast(column, String), "-", "")


def _text(part: uuid.UUID | bytes | int) -> str:
    if isinstance(part, bytes):
        return part.hex()
    return part.hex if isinstance(part, uuid.UUID) else str(part)
