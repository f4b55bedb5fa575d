"""SQLite and PostgreSQL behind one code: how connections are set up, and how writers queue."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flask import Flask, current_app
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from app.core import postgresql
from app.core.statements import run
from app.extensions import db

WRITE = "bidflux_write"
BUSY_MS = 10_000
SCRUB_MS = 500
# What stands on Romanian street signs, Hungarian and the older cedilla letters included.
ACCENTED = "ăâîșțşţáéíóöőúüűàèìòùãõêôëïýłđžčćšñçøåźżńśęąğřůě"
ACCENTED, UNACCENTED = (
    ACCENTED + ACCENTED.upper() + "–—‑",
    "aaiststaeiooouuuaeiouaoeoeiyldzccsncoazznseagrue" * 2 + "---",
)
_PLAIN = str.maketrans(ACCENTED, UNACCENTED)
# The Romanian alphabet, its capitals with marks too: a database may not know how to lower them.
_LETTERS = "aăâbcdefghiîjklmnopqrsștțuvwxyz"
_PLACES = "".join(chr(0x100 + place) for place in range(len(_LETTERS)))
_FOREIGN = {
    "áàäãåÁÀÄÃÅ": "a", "éèëęÉÈËĘ": "e", "íìïÍÌÏ": "i", "óòöõőøÓÒÖÕŐØ": "o", "úùüűÚÙÜŰ": "u", "ýÝ": "y", "şŞȘ": "ș",
    "ţŢȚ": "ț", "Ă": "ă", "Â": "â", "Î": "î", "łŁ": "l", "đĐ": "d", "çčÇČ": "c", "ñÑ": "n", "žżŽŻ": "z",
}  # fmt: skip
_SPELLED = {mark: letter for marks, letter in _FOREIGN.items() for mark in marks}
ALPHABET_WRITTEN = _LETTERS + "".join(_SPELLED)
ALPHABET_PLACES = _PLACES + "".join(_PLACES[_LETTERS.index(letter)] for letter in _SPELLED.values())
_ALPHABET = str.maketrans(ALPHABET_WRITTEN, ALPHABET_PLACES)


def configure_engine(app: Flask) -> None:
    """Give the application's engine its pragmas and transaction control."""
    with app.app_context():
        engine = db.engine
    if engine.dialect.name == "sqlite":
        _private(Path(str(engine.url.database)))
        event.listen(engine, "connect", _sqlite_connect)
        event.listen(engine, "begin", _sqlite_begin)
        app.extensions["bidflux_writer"] = WriterQueue(f"{engine.url.database}.writer")
    else:
        postgresql.configure(engine)
        event.listen(engine, "begin", _postgresql_begin)
        app.extensions["bidflux_writer"] = WriterQueue(None)


def _private(path: Path) -> None:
    """A database that is made here is for this user alone; its log gets the same mode. One that is there keeps its."""
    if path.parent.is_dir():
        path.touch(mode=0o600, exist_ok=True)


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours, see _sqlite_begin
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "recursive_triggers=ON",
        "secure_delete=ON",
        f"busy_timeout={BUSY_MS}",
        "cache_size=-8000",
    ):
        connection.execute(f"PRAGMA {pragma}")
    connection.create_function("plain", 1, plain, deterministic=True)
    connection.create_function("alphabetical", 1, alphabetical, deterministic=True)


def plain(text: str) -> str:
    """Without regard to case and diacritics; on SQLite a function of that name does the same."""
    return text.lower().translate(_PLAIN)


def alphabetical(text: str | None) -> str | None:
    """Compares by code points as Romanians sort; see `app.core.collation`."""
    return None if text is None else text.lower().translate(_ALPHABET)


def _sqlite_begin(connection: Connection) -> None:
    """A read that turns into a write fails at once on SQLite, so writers say so at the start."""
    writes = connection.get_execution_options().get(WRITE)
    run(connection, "BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql_begin(connection: Connection) -> None:
    if connection.get_execution_options().get(WRITE):
        run(connection, "BEGIN")


class WriterQueue:
    """One writer at a time on SQLite, over threads and processes: its own busy handler sleeps, a lock does not.

    On PostgreSQL there is no queue; the lock on the agency's row orders the writers of one agency.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._thread = threading.Lock()
        self._file: int | None = None
        self._pid = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        if self._path is None:
            yield
            return
        with self._thread:
            if self._file is None or self._pid != os.getpid():
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                self._pid = os.getpid()
            fcntl.flock(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)


def is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"


def scrub(engine: Engine) -> bool:
    """See to it that what was deleted is gone from the files too; False while somebody still reads: try again later.

    SQLite overwrites what it deletes (`secure_delete`), but its log holds the pages as they were until it is truncated.
    That waits for readers and keeps writers out, so it is done in a writer's turn, and given up soon.
    PostgreSQL keeps deleted rows until VACUUM; see docs/privacy.md for what its own archives keep.
    """
    queue: WriterQueue = current_app.extensions["bidflux_writer"]
    with queue.turn(), engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if is_sqlite(engine):
            connection.exec_driver_sql(f"PRAGMA busy_timeout={SCRUB_MS}")
            busy, _pages, _moved = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            connection.exec_driver_sql(f"PRAGMA busy_timeout={BUSY_MS}")
            return not busy
        for table in ("offer_key", "offer_tag", "offer_file", "offer_origin", "submission", "note"):
            connection.exec_driver_sql(f"VACUUM {table}")
    return True
