"""A database copied out while it is written to. SQLite by its own backup, PostgreSQL by pg_dump."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess  # nosec B404  PostgreSQL's own tools, by their full path, without a shell
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, create_engine, text
from sqlalchemy.engine import Engine

from app.backups import BackupFailed
from app.backups.archive import COPY, Manifest, fingerprint
from app.backups.checking import counts_of, erased_of, heads_of, revision_of
from app.backups.places import need_room
from app.core.clock import now, rfc3339
from app.core.database import is_sqlite

TOOLS = ("pg_dump", "pg_restore", "psql")


def copy_out(engine: Engine, folder: Path) -> tuple[Manifest, Path]:
    """A copy as of one moment in `folder`, with what it holds. Writers are not held up."""
    copy = folder / COPY[engine.dialect.name]
    if is_sqlite(engine):
        live_file = Path(str(engine.url.database))
        need_room(folder, 2 * live_file.stat().st_size)
        # All pages in one step: one read transaction, which in WAL mode hinders nobody.
        with closing(sqlite3.connect(str(live_file))) as live, closing(sqlite3.connect(copy)) as made:
            live.backup(made, pages=-1)
        with opened(copy) as connection:
            return _manifest(connection, copy), copy
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        need_tools(connection, "pg_dump")
        snapshot = connection.scalar(text("SELECT pg_export_snapshot()"))
        run_tool("pg_dump", engine.url, f"--snapshot={snapshot}", "--format=custom", f"--file={copy}")
        return _manifest(connection, copy), copy


@contextmanager
def opened(copy: Path) -> Iterator[Connection]:
    """A copied SQLite file."""
    engine = create_engine(URL.create("sqlite", database=str(copy)))
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


def need_tools(connection: Connection, *names: str) -> None:
    """The tools are there and none is older than the server, which would refuse them in the middle."""
    server = int(str(connection.scalar(text("SHOW server_version_num")))) // 10_000
    for name in names:
        told = subprocess.run(  # noqa: S603  # nosec B603  no shell, no argument of anybody's
            [program(name), "--version"], capture_output=True, text=True, check=False
        ).stdout
        found = re.search(r"\(PostgreSQL\) (\d+)", told)
        if not found or int(found[1]) < server:
            version = found[1] if found else "of an unknown version"
            raise BackupFailed(f"{name} on the PATH is {version}, the server is {server}: install that version's tools")


def run_tool(name: str, url: URL, *options: str) -> None:
    """The password goes by the environment: arguments can be read by everybody on the machine."""
    address = url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    environment = {**os.environ, **({"PGPASSWORD": str(url.password)} if url.password else {})}
    done = subprocess.run(  # noqa: S603  # nosec B603  no shell, our own arguments
        [program(name), f"--dbname={address}", *options], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it gave no reason"]
        said = next((line for line in lines if "ERROR:" in line or "error:" in line), lines[-1])
        raise BackupFailed(f"{name}: {said}")


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
