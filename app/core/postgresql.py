"""How PostgreSQL's connections are used: a read is one round trip, whatever writes begins a transaction.

At READ COMMITTED each statement sees what is committed when it begins, in a transaction or not, so that BEGIN and
ROLLBACK around reads are two round trips for nothing. psycopg also forgets what it had prepared at each ROLLBACK.
See docs/decisions/0036-reads-without-transactions.md.
"""

from __future__ import annotations

import select
import time
from typing import Any

from psycopg import Connection, ServerCursor
from psycopg.pq import TransactionStatus
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import InvalidatePoolError

IDLE_SECONDS = 10.0  # after which something between may have forgotten the connection and said nothing


def configure(engine: Engine) -> None:
    """`engine` was made with the isolation level AUTOCOMMIT: what begins a transaction stands here, and in
    `app.core.database` for units of work."""
    event.listen(engine, "do_execute", lambda cursor, text, _given, context: _begin_unless_read(cursor, text, context))
    event.listen(engine, "do_executemany", lambda cursor, text, _given, context: _begin(cursor, context))
    event.listen(engine, "do_execute_no_params", _begin_unless_read)
    event.listen(engine, "checkin", _left)
    event.listen(engine, "checkout", _alive)


def _begin_unless_read(cursor: Any, text: str, context: Any) -> None:
    """A cursor on the server lives as long as its transaction."""
    if isinstance(cursor, ServerCursor) or not text.startswith(("SELECT", "BEGIN")) or "FOR UPDATE" in text:
        _begin(cursor, context)


def _begin(cursor: Any, context: Any) -> None:
    """Who asked for an isolation level of their own, as VACUUM has to, has it."""
    connection: Connection[Any] = cursor.connection
    own_level = "isolation_level" in context.root_connection.get_execution_options()
    idle = connection.pgconn.transaction_status == TransactionStatus.IDLE
    if connection.autocommit and idle and not own_level:
        connection.execute("BEGIN", prepare=False)


def _left(connection: Connection[Any] | None, record: Any) -> None:
    if connection is not None:
        record.info["left"] = time.monotonic()


def _alive(connection: Connection[Any], record: Any, _fairy: Any) -> None:
    """A server that ended a connection has said so on it, or closed it: nobody need ask, but after some time."""
    left = record.info.get("left")
    if left is None:
        return  # it was made just now
    try:
        if time.monotonic() - left >= IDLE_SECONDS or _has_something_to_read(connection):
            connection.execute("", prepare=False)
    except connection.Error as error:
        raise InvalidatePoolError from error


def _has_something_to_read(connection: Connection[Any]) -> bool:
    poll = select.poll()
    poll.register(connection.pgconn.socket, select.POLLIN)
    return bool(poll.poll(0))
