"""Ids and moments spelled by the database itself, as documents and ledger spell them: for walking very many rows."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, String, cast, func, type_coerce

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
