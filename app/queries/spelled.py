"""Ids and moments as the database itself gives or spells them: for walking very many rows."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import ColumnElement, String, cast, func, type_coerce
from sqlalchemy.orm import InstrumentedAttribute

from app.database import is_sqlite
from app.extensions import db


def spelled_id(column: Any) -> ColumnElement[str]:
    """`01890c2e-…`, as `str(uuid)` is."""
    if not is_sqlite(db.engine):
        return cast(column, String)
    raw, dash = type_coerce(column, String), "-"
    parts = [func.substr(raw, at, length) for at, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))]
    spelled: ColumnElement[str] = parts[0]
    for part in parts[1:]:
        spelled = spelled.concat(dash).concat(part)
    return spelled


def spelled_moment(column: Any) -> ColumnElement[str]:
    """`2026-11-23T15:11:20.435912Z`, as `rfc3339` is."""
    if is_sqlite(db.engine):
        return func.replace(type_coerce(column, String), " ", "T").concat("Z")
    return func.to_char(func.timezone("UTC", column), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"', type_=String)


def raw_id(column: InstrumentedAttribute[uuid.UUID]) -> ColumnElement[Any]:
    """The id as the driver gives it: hex digits on SQLite, where making UUIDs of them would cost more than reading."""
    return type_coerce(column, String) if is_sqlite(db.engine) else column.expression


def hex_of(raw: str | uuid.UUID) -> str:
    """What `raw_id` gave, in hex."""
    return raw if type(raw) is str else raw.hex  # type: ignore[union-attr]
