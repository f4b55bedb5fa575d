"""A copy made into a database of its own, beside the one in use: looked into, brought up to date, then swapped in.

Until the swap nothing of the database in use is touched; the swap is one step, which a kill leaves done or not done.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from flask import Flask, current_app
from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from app.backups import BackupFailed
from app.backups.archive import sync_folder
from app.backups.engines import TOOLS, need_tools, run_tool
from app.config import Settings
from app.core.database import configure_engine, is_sqlite
from app.core.epochs import Witness
from app.extensions import db, migrate
from app.offers.list.names import NameCache

STOP = "stop web, worker and relay first"
LEFT_ALONE = 3600.0  # seconds for which nobody takes the database of a run for one that was left
# A session that was closed a moment ago is still listed: looked at again for two seconds.
_NOBODY = """DO $$ BEGIN
  FOR attempt IN 1..20 LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()
      AND backend_type = 'client backend' AND pid NOT IN (pg_backend_pid(), $ours));
    IF attempt = 20 THEN RAISE EXCEPTION 'the database is open elsewhere: $stop'; END IF;
    PERFORM pg_sleep(0.1);
  END LOOP;
END $$"""


@contextmanager
def beside(engine: Engine, copy: Path, folder: Path) -> Iterator[Flask]:
    """The application, as far as rules and reads go, on a database made of `copy`; what is left of it is removed."""
    if is_sqlite(engine):
        with _application(URL.create("sqlite", database=str(copy)), folder) as made:
            yield made
        return
    with _created(engine, copy) as url, _application(url, folder) as made:
        yield made


@contextmanager
def _application(url: URL, folder: Path) -> Iterator[Flask]:
    """Keys and certificates are this installation's; files of its own are in `folder`, so that nothing here changes."""
    live: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # documented proxy method
    settings: Settings = live.extensions["bidflux_settings"]
    made = Flask(live.import_name)
    made.config.update(live.config)
    made.config["SQLALCHEMY_DATABASE_URI"] = url
    made.extensions.update({name: held for name, held in live.extensions.items() if name.startswith("bidflux_")})
    address = url.render_as_string(hide_password=False)
    made.extensions["bidflux_settings"] = replace(settings, data_dir=folder, database_url=address)
    made.extensions.update(bidflux_agency_keys={}, bidflux_known_texts=set(), bidflux_names=NameCache())
    made.extensions["bidflux_witness"] = Witness(folder)
    db.init_app(made)
    configure_engine(made)
    migrate.init_app(made, db, compare_type=True)
    try:
        yield made
    finally:
        with made.app_context():
            db.engine.dispose()


@contextmanager
def _created(engine: Engine, copy: Path) -> Iterator[URL]:
    """A database on the same server, named after the one in use, so that what a killed run left is found again."""
    server = _admin(engine)
    with server.connect() as admin:
        need_tools(admin, "pg_restore")
        _drop_left(admin)
        name = f"{_prefix(admin)}{int(time.time()):x}_{os.urandom(4).hex()}"
        admin.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    url = engine.url.set(database=name)
    try:
        run_tool(
            "pg_restore", url, "--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction", str(copy)
        )
        yield url
    finally:
        with server.connect() as admin:
            admin.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def sweep_databases(engine: Engine) -> int:
    """Remove what killed runs left on the server: a copy holds people who may have been forgotten since."""
    with _admin(engine).connect() as admin:
        return _drop_left(admin, older=LEFT_ALONE)


def _admin(engine: Engine) -> Engine:
    return create_engine(engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")  # no session stays behind


def _prefix(admin: Connection) -> str:
    own = admin.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
    return f"bidflux_check_{own}_"


def _drop_left(admin: Connection, older: float = 0.0) -> int:
    """Databases of ours to which nobody is connected, made so many seconds ago as their name says."""
    query = text(
        "SELECT datname FROM pg_database d WHERE starts_with(datname, :prefix)"
        " AND NOT EXISTS (SELECT FROM pg_stat_activity a WHERE a.datname = d.datname)"
    )
    prefix, dropped = _prefix(admin), 0
    for name in admin.scalars(query, {"prefix": prefix}).all():
        made = name.removeprefix(prefix).partition("_")[0]
        if not older or int(made, 16) < time.time() - older:
            admin.execute(text(f"DROP DATABASE IF EXISTS {name}"))
            dropped += 1
    return dropped


@contextmanager
def alone(engine: Engine) -> Iterator[sqlite3.Connection | int | None]:
    """Nobody else has the database open, nor opens it meanwhile; yields what `swap` needs to know of that."""
    db.session.remove()
    engine.dispose()
    if is_sqlite(engine):
        with _locked(Path(str(engine.url.database)).resolve()) as held:
            yield held
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        mine = int(connection.scalar(text("SELECT pg_backend_pid()")) or 0)
        need_tools(connection, *TOOLS)
        try:
            connection.execute(text(_nobody_but(mine)))
        except DBAPIError as error:
            if "open elsewhere" not in str(error.orig):
                raise
            raise BackupFailed(f"the database is open elsewhere: {STOP}") from None
        yield mine


def _nobody_but(session: object) -> str:
    return _NOBODY.replace("$ours", str(session)).replace("$stop", STOP)


@contextmanager
def _locked(live: Path) -> Iterator[sqlite3.Connection | None]:
    """SQLite's exclusive lock on the file; a damaged file cannot be locked, nor used by anybody."""
    with closing(sqlite3.connect(live, timeout=2, isolation_level=None)) as held:
        try:
            held.execute("PRAGMA locking_mode=EXCLUSIVE")
            held.execute("BEGIN EXCLUSIVE")
            held.execute("COMMIT")
        except sqlite3.OperationalError as error:
            locked = "locked" in str(error)
            raise BackupFailed(
                f"the database is open elsewhere: {STOP}" if locked else f"the database says: {error}"
            ) from None
        except sqlite3.DatabaseError:
            yield None
            return
        yield held


def swap(engine: Engine, made: Flask, folder: Path, held: sqlite3.Connection | int | None) -> None:
    """Put the database of `made` in the place of the one in use, which `alone` holds."""
    with made.app_context():
        db.session.remove()
        url = db.engine.url
        db.engine.dispose()
    if is_sqlite(engine):
        _swap_file(Path(str(url.database)), Path(str(engine.url.database)).resolve(), held)
    else:
        _swap_schema(engine.url, url, folder, held)


def _swap_file(made: Path, live: Path, held: sqlite3.Connection | int | None) -> None:
    with closing(sqlite3.connect(made)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")  # all of it is in the one file now
    made.chmod(0o600)
    with open(made, "rb") as file:
        os.fsync(file.fileno())
    if isinstance(held, sqlite3.Connection):
        held.execute("PRAGMA journal_mode=DELETE")  # the log of the one must not be read into the other
    else:
        for name in (f"{live}-wal", f"{live}-shm", f"{live}-journal"):
            Path(name).unlink(missing_ok=True)
    os.replace(made, live)
    sync_folder(live.parent)


def _swap_schema(live: URL, made: URL, folder: Path, mine: object) -> None:
    """One transaction: the old schema goes and the new one comes, or neither."""
    script, first = folder / "restored.sql", folder / "first.sql"
    run_tool("pg_dump", made, "--no-owner", "--no-privileges", "--format=plain", f"--file={script}")
    first.write_text(
        f"SET lock_timeout = '10s';\n{_nobody_but(mine)};\nDROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\n"
    )
    options = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction")
    run_tool("psql", live, *options, f"--file={first}", f"--file={script}")
