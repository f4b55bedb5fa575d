"""The floors: bare Flask saying "ok", making JSON of what it holds, and inserting one row with fsync."""

from __future__ import annotations

import fcntl
import json
import os
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

from flask import Flask

app = Flask(__name__)
_local = threading.local()
_database = os.environ.get("FLOOR_DB", "")
_held: Any = json.loads(Path(os.environ["FLOOR_JSON"]).read_text()) if "FLOOR_JSON" in os.environ else {}


def _made_ready() -> None:
    """Once, one process after the other: a journal that several change in the same moment is locked to one of them."""
    with open(f"{_database}.lock", "w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        with closing(sqlite3.connect(_database, timeout=30, isolation_level=None)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, body TEXT)")


if _database:
    _made_ready()


@app.get("/ok")
def ok() -> str:
    return "ok"


@app.get("/json")
def same_json() -> Any:
    return _held


@app.post("/insert")
def insert() -> str:
    connection = getattr(_local, "connection", None)
    if connection is None:
        connection = _local.connection = sqlite3.connect(_database, timeout=30, isolation_level=None)
        connection.execute("PRAGMA synchronous=FULL")
    connection.execute("INSERT INTO t (body) VALUES ('x')")
    return "ok"
