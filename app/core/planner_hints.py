"""Hints for SQLite's planner, which without statistics takes any index whose first columns are given for a good one.

PostgreSQL keeps statistics by itself and needs no help.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, ColumnElement, Join
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import Grouping
from sqlalchemy.sql.visitors import InternalTraversal


class Aside(ColumnElement[bool]):
    """A condition that is checked row by row and never chooses the index: https://sqlite.org/optoverview.html#uplus"""

    __visit_name__ = "aside"
    inherit_cache = True
    type = Boolean()
    _traverse_internals = [("condition", InternalTraversal.dp_clauseelement)]  # noqa: RUF012  # SQLAlchemy's own form of it

    def __init__(self, condition: ColumnElement[bool]) -> None:
        self.condition = Grouping(condition)


@compiles(Aside)
def _plain(aside: Aside, compiler: SQLCompiler, **kw: Any) -> str:
    return str(compiler.process(aside.condition, **kw))


@compiles(Aside, "sqlite")
def _with_plus(aside: Aside, compiler: SQLCompiler, **kw: Any) -> str:
    return f"+{compiler.process(aside.condition, **kw)}"


class InOrder(Join):
    """A join whose left table is read first: https://sqlite.org/optoverview.html#crossjoin"""

    inherit_cache = True


@compiles(InOrder)
def _as_planned(join: InOrder, compiler: SQLCompiler, **kw: Any) -> str:
    return str(compiler.visit_join(join, **kw))  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped


@compiles(InOrder, "sqlite")
def _as_written(join: InOrder, compiler: SQLCompiler, **kw: Any) -> str:
    left, right = (compiler.process(table, **{**kw, "asfrom": True}) for table in (join.left, join.right))
    on = compiler.process(join.onclause, **{**kw, "asfrom": False})  # type: ignore[arg-type]  # always given
    return f"{left} CROSS JOIN {right} ON {on}"
