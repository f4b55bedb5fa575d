"""A database copied out while it is written to, and in again. SQLite by its own backup, PostgreSQL by pg_dump."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess  # nosec B404  pg_dump and pg_restore, by their full path, without a shell
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.engine import Engine

from app.backup import BackupFailed
from app.backup.archive import Manifest, fingerprint
from app.backup.checking import counts_of, erased_of, heads_of, revision_of
from app.clock import now, rfc3339
from app.database import is_sqlite

COPY = {"sqlite": "bidflux.db", "postgresql": "bidflux.dump"}


def copy_out(engine: Engine, folder: Path) -> tuple[Manifest, Path]:
    """A copy as of one moment in `folder`, with what it holds. Writers are not held up."""
    copy = folder / COPY[engine.dialect.name]
    if is_sqlite(engine):
        # All pages in one step: one read transaction, which in WAL mode hinders nobody.
        with closing(sqlite3.connect(str(engine.url.database))) as live, closing(sqlite3.connect(copy)) as made:
            live.backup(made, pages=-1)
        with opened(copy) as connection:
            return _manifest(connection, copy), copy
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        _run("pg_dump", engine.url, f"--snapshot={snapshot}", "--format=custom", f"--file={copy}")
        return _manifest(connection, copy), copy


def copy_in(engine: Engine, copy: Path) -> None:
    """Put a copy in the place of the database. Nothing else may have it open."""
    engine.dispose()
    if is_sqlite(engine):
        live = Path(str(engine.url.database))
        _alone(live)
        for name in (f"{live}-wal", f"{live}-shm"):
            Path(name).unlink(missing_ok=True)
        Path(f"{live}.restoring").touch(mode=0o600)
        shutil.copyfile(copy, f"{live}.restoring")
        os.replace(f"{live}.restoring", live)
        return
    program("pg_restore")
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL lock_timeout = '10s'"))
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    _restore(engine.url, copy)


@contextmanager
def looked_into(engine: Engine, copy: Path) -> Iterator[Connection]:
    """A copy, opened to be checked; on PostgreSQL in a database made for it, which is dropped afterwards."""
    if is_sqlite(engine):
        with opened(copy) as connection:
            yield connection
        return
    program("pg_restore")
    name = f"bidflux_check_{os.urandom(6).hex()}"
    aside = create_engine(engine.url.set(database=name))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as admin:
        admin.execute(text(f"CREATE DATABASE {name}"))
        try:
            _restore(aside.url, copy)
            with aside.connect() as connection:
                yield connection
        finally:
            aside.dispose()
            admin.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def opened(copy: Path) -> Iterator[Connection]:
    """A copied SQLite file."""
    engine = create_engine(f"sqlite:///{copy}")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def program(name: str) -> str:
    """Where PostgreSQL's own tool is."""
    found = shutil.which(name)
    if found is None:
        raise BackupFailed(f"{name} is not on the PATH: install PostgreSQL's client tools, not older than the server")
    return found


def _manifest(connection: Connection, copy: Path) -> Manifest:
    return Manifest(
        made_at=rfc3339(now()),
        engine=connection.dialect.name,
        revision=revision_of(connection),
        database=copy.name,
        sha256=fingerprint(copy),
        counts=counts_of(connection),
        agencies=heads_of(connection),
        erased=erased_of(connection),
    )


def _alone(live: Path) -> None:
    """SQLite leaves its log mode only for the last one that has the file open. A damaged file is nobody's."""
    if not live.exists():
        return
    try:
        with closing(sqlite3.connect(live, timeout=2)) as connection:
            connection.execute("PRAGMA journal_mode=DELETE")
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise BackupFailed("the database is open elsewhere: stop web, worker and relay first") from None
    except sqlite3.DatabaseError:
        return


def _restore(url: URL, copy: Path) -> None:
    _run("pg_restore", url, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(copy))


def _run(name: str, url: URL, *options: str) -> None:
    """The password goes by the environment: arguments can be read by everybody on the machine."""
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    done = subprocess.run(  # noqa: S603  # nosec B603  no shell, our own arguments
        [program(name), f"--dbname={address}", *options], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it gave no reason"]
        raise BackupFailed(f"{name}: {lines[-1]}")
