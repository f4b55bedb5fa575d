"""Statements that are run very often: compiled once, run on the driver's cursor within the connection's transaction.

Of what a small statement costs, SQLAlchemy's own part (cache keys, contexts, results) is by far the most. Its compiler
still writes the text, its types still convert every value, its errors are what is raised, and who listens to a
connection's statements hears of these too. See docs/decisions/0029-driver-statements.md.
"""

from __future__ import annotations

import uuid
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Insert, Select, Table, Update, Uuid, insert
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import MultipleResultsFound, NoResultFound
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import TypeEngine

Values = Mapping[str, Any]
_MADE: dict[tuple[Table, tuple[str, ...], str], _Compiled] = {}


class Query:
    """A SELECT whose rows have its columns by name."""

    def __init__(self, query: Select[*tuple[Any, ...]]) -> None:
        self._query = query
        self._made: dict[str, tuple[_Compiled, Any, list[tuple[int, Any]]]] = {}

    def all(self, connection: Connection, **values: Any) -> list[Any]:
        return [self.row(connection, held) for held in self.raw(connection, **values)]

    def raw(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """As the driver gives them: `row` makes the same of the same."""
        held: list[tuple[Any, ...]] = self._for(connection.dialect)[0].run(connection, [values]).fetchall()
        return held

    def row(self, connection: Connection, held: tuple[Any, ...]) -> Any:
        """What `raw` gave, by name and as Python has it."""
        _compiled, named, reads = self._for(connection.dialect)
        values = list(held)
        for place, read in reads:
            values[place] = read(values[place])
        return named._make(values)

    def _for(self, dialect: Dialect) -> tuple[_Compiled, Any, list[tuple[int, Any]]]:
        if (made := self._made.get(dialect.name)) is None:
            columns = self._query.selected_columns
            row: Any = namedtuple("Row", columns.keys())  # type: ignore[misc]  # of this very query
            every = [_reader(one.type, dialect) for one in columns]
            reads = [(place, read) for place, read in enumerate(every) if read]
            made = self._made[dialect.name] = _Compiled(self._query, dialect), row, reads
        return made

    def one_or_none(self, connection: Connection, **values: Any) -> Any:
        """The only row; None where there is none."""
        found = self.all(connection, **values)
        if len(found) > 1:
            raise MultipleResultsFound
        return found[0] if found else None

    def one(self, connection: Connection, **values: Any) -> Any:
        """The only row; raises `NoResultFound`."""
        if (found := self.one_or_none(connection, **values)) is None:
            raise NoResultFound
        return found


def _reader(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    """How a value is made of what the driver gave. Rows name the same ids again and again, which SQLite has as text."""
    if type(kind) is Uuid and kind.as_uuid and dialect.name == "sqlite":
        return _id_of
    return kind.dialect_impl(dialect).result_processor(dialect, None)


@lru_cache(maxsize=8192)
def _id_of(text: str | None) -> uuid.UUID | None:
    return None if text is None else uuid.UUID(text)


class Change:
    """An UPDATE by named values."""

    def __init__(self, change: Update) -> None:
        self._change = change
        self._made: dict[str, _Compiled] = {}

    def run(self, connection: Connection, **values: Any) -> None:
        name = connection.dialect.name
        if (made := self._made.get(name)) is None:
            made = self._made[name] = _Compiled(self._change, connection.dialect)
        made.run(connection, [values])


def write(connection: Connection, gathered: Mapping[Table, Sequence[Values]]) -> None:
    """Insert rows table by table; those of one table name the same columns, and one left out gets its default."""
    with _one_round_trip(connection):
        for table, rows in gathered.items():
            key = table, tuple(rows[0]), connection.dialect.name
            if (made := _MADE.get(key)) is None:
                made = _MADE[key] = _Compiled(insert(table), connection.dialect, key[1])
            made.run(connection, rows)


@contextmanager
def _one_round_trip(connection: Connection) -> Iterator[None]:
    """On PostgreSQL statements without an answer travel together; a fault of one is raised at the end."""
    driver: Any = connection.connection.dbapi_connection
    if connection.dialect.driver != "psycopg" or connection.dispatch.before_cursor_execute:
        yield
        return
    try:
        with driver.pipeline():
            yield
    except connection.dialect.loaded_dbapi.Error as error:
        connection._handle_dbapi_exception(error, "INSERT", None, None, None)


class _Compiled:
    """The text for one engine, and how each value is bound."""

    def __init__(
        self, element: Select[*tuple[Any, ...]] | Insert | Update, dialect: Dialect, keys: tuple[str, ...] | None = None
    ):
        made = element.compile(dialect=dialect, column_keys=list(keys) if keys else None)
        if not isinstance(made, SQLCompiler):
            raise TypeError("a statement is needed")
        self.text = str(made)
        self.by_name = made.positiontup is None
        self.names = made.positiontup or list(made.binds)
        self.binds = [made.binds[name].type.dialect_impl(dialect).bind_processor(dialect) for name in self.names]
        self.fixed = {name: bound.value for name, bound in made.binds.items() if not bound.required}
        for column in made.insert_prefetch:
            default: Any = column.default
            if not default.is_scalar:
                raise TypeError(f"{column}: give its value")
            self.fixed[column.key] = default.arg

    def run(self, connection: Connection, rows: Sequence[Values]) -> Any:
        """The driver's cursor, after one run for each row."""
        return run(connection, self.text, [self.bound(row) for row in rows])

    def bound(self, row: Values) -> Any:
        if self.fixed:
            row = {**self.fixed, **row}
        binds = zip(self.names, self.binds, strict=True)
        values = [row[name] if bind is None else bind(row[name]) for name, bind in binds]
        return dict(zip(self.names, values, strict=True)) if self.by_name else tuple(values)


def run(connection: Connection, text: str, bound: Sequence[Any] = ((),)) -> Any:
    """The driver's cursor, after one run of a text for each of the bound values."""
    if connection.dispatch.before_cursor_execute:
        return connection.exec_driver_sql(text, bound if len(bound) > 1 else bound[0])
    cursor = connection.connection.cursor()
    try:
        if len(bound) > 1:
            cursor.executemany(text, bound)
        else:
            cursor.execute(text, bound[0])
    except connection.dialect.loaded_dbapi.Error as error:
        # As SQLAlchemy tells it, which also lets go of a connection that is lost.
        connection._handle_dbapi_exception(error, text, bound, cursor, None)
    return cursor
