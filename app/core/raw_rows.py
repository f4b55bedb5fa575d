"""Ids and moments as the database's driver gives them: for walking very many rows.

On SQLite that is text; making UUIDs and datetimes of it would cost more than reading. `app.core.ledger` spells either.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    String,
    Uuid,
    any_,
    bindparam,
    func,
    literal,
    select,
    type_coerce,
)
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.types import UserDefinedType

from app.core.database import is_sqlite
from app.extensions import db


class AsDriverGave(UserDefinedType[Any]):
    """The type of a parameter that goes back to the driver as it came from it."""


def raw(column: Any) -> ColumnElement[Any]:
    """An id as 32 hex digits, a moment as `2026-11-23 15:11:20.435912` (UTC), a day as `2026-11-23` on SQLite;
    elsewhere what the column holds."""
    return type_coerce(column, String) if is_sqlite(db.engine) else column.expression


def raw_id(column: InstrumentedAttribute[uuid.UUID]) -> ColumnElement[Any]:
    """An id as the driver gives it."""
    return raw(column)


def hex_of(identity: str | uuid.UUID) -> str:
    """What `raw_id` gave, in hex."""
    return identity if type(identity) is str else identity.hex  # type: ignore[union-attr]  # `type(…) is` narrows nothing for mypy


def id_text(identity: str | uuid.UUID) -> str:
    """What `raw_id` gave, as ids are written (RFC 9562, section 4)."""
    h = hex_of(identity)
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def among_given(column: InstrumentedAttribute[uuid.UUID], name: str) -> ColumnElement[bool]:
    """`among` with the ids given as `name` when the statement is run: by `as_given`."""
    if is_sqlite(db.engine):
        return raw_id(column).in_(select(func.json_each(bindparam(name, type_=String)).table_valued("value").c.value))
    return column == any_(bindparam(name, type_=ARRAY(Uuid)))


def as_given(raws: Sequence[Any]) -> Any:
    """Ids that `raw_id` gave, as one value."""
    return json.dumps(raws) if is_sqlite(db.engine) else raws


def among(column: InstrumentedAttribute[uuid.UUID], given: Any) -> ColumnElement[bool]:
    """Whether a column's id is one of very many, `as_given`: they travel as one value, not as thousands."""
    if is_sqlite(db.engine):
        return raw_id(column).in_(select(func.json_each(given).table_valued("value").c.value))
    return column == any_(literal(given, ARRAY(Uuid)))
