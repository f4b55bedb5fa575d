"""Objects made of a raw row, which belong to no session: they are read, by any thread, and never changed.

What the row leaves out, and what only a session could load, raises where somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import Any, TypeVar

from sqlalchemy import inspect
from sqlalchemy.orm import make_transient_to_detached

from app.models import Base

Made = TypeVar("Made", bound=Base)
Columns = Mapping[type[Base], Sequence[Any]]


def columns_of(models: Sequence[type[Base]], *, without: Set[str] = frozenset()) -> Columns:
    """The columns of each table, labelled so that those of one name are told apart."""
    found = {}
    for model in models:
        keys = [one.key for one in inspect(model).column_attrs if one.key not in without]
        found[model] = [getattr(model, key).label(f"{model.__tablename__}__{key}") for key in keys]
    return found


def every(columns: Columns) -> list[Any]:
    """To be selected."""
    return [one for those in columns.values() for one in those]


def made_of(row: Any, model: type[Made], columns: Columns) -> Made:
    """The object of one table that a row holds."""
    start = len(model.__tablename__) + len("__")
    found = model(**{one.name[start:]: getattr(row, one.name) for one in columns[model]})
    make_transient_to_detached(found)
    return found
