"""The floors: bare Flask saying "ok", making JSON of what it holds, and inserting one row with fsync."""

from __future__ import annotations

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


if _database:  # in the main process, before there are threads: a journal that several change at once is locked
    with closing(sqlite3.connect(_database, isolation_level=None)) as once:
        once.execute("PRAGMA journal_mode=WAL")
        once.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, body TEXT)")


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
