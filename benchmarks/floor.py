"""The floors: bare Flask saying "ok", making JSON of what it holds, and inserting one row with fsync."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from pathlib import Path
from typing import Any

from flask import Flask

app = Flask(__name__)
_local = threading.local()
_held: Any = json.loads(Path(os.environ["FLOOR_JSON"]).read_text()) if "FLOOR_JSON" in os.environ else {}


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
        connection = _local.connection = sqlite3.connect(os.environ["FLOOR_DB"], timeout=30, isolation_level=None)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, body TEXT)")
    connection.execute("INSERT INTO t (body) VALUES ('x')")
    return "ok"
