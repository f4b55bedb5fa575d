"""Whatever is wrong around a command, it says so in one line, in JSON where that was asked for, and exits 1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
from flask import Flask

from app.extensions import db
from tests.conftest import KEYS, ROOT, SECRET
from tests.factories import make_agency


def one_line(app: Flask, words: list[str]) -> str:
    done = app.test_cli_runner().invoke(args=[*words, "--json"])
    assert done.exit_code == 1 and "Traceback" not in done.output, (words, done.output, done.exception)
    assert done.stderr.startswith("Error: ") and done.stderr.count("\n") == 1, done.stderr
    told = str(json.loads(done.stdout)["error"])
    assert done.stderr == f"Error: {told}\n"
    return told


def spoil(app: Flask, content: bytes | None) -> None:
    db.session.remove()
    db.engine.dispose()
    path = Path(str(db.engine.url.database))
    for name in (f"{path}-wal", f"{path}-shm"):
        Path(name).unlink(missing_ok=True)
    path.unlink()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "flask db upgrade"), (b"no database " * 999, "not a database"), (None, "the database says")],
)
def test_a_database_that_is_empty_or_none(app: Flask, content: bytes | None, said: str) -> None:
    spoil(app, content)
    for words in (["ledger", "verify"], ["keys", "rotate"], ["ledger", "checkpoint"]):
        assert said in one_line(app, words)


def test_a_database_that_is_locked(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    make_agency()
    db.session.remove()
    db.engine.dispose()
    monkeypatch.setattr("app.core.database.BUSY_MS", 50)
    with closing(connect(str(db.engine.url.database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert "locked" in one_line(app, ["keys", "rotate"])


def test_files_that_cannot_be_written_or_are_none(app: Flask, tmp_path: Path) -> None:
    make_agency("Casa Bună")
    (tmp_path / "file").touch()
    for out in (tmp_path / "none" / "x", tmp_path / "file" / "x", "/proc/none", "/dev/full", f"{tmp_path}/{'n' * 300}"):
        assert one_line(app, ["ledger", "export", "--agency", "Casa Bună", "--out", str(out)])
    assert "exists already" in one_line(app, ["backup", "key", str(tmp_path / "file")])


def test_bytes_that_are_no_text_are_one_line(app: Flask) -> None:
    for words in (["ledger", "verify", "--agency", "\udcff"], ["user", "deactivate", "--email", "\udcff@example.ro"]):
        assert "not text in UTF-8" in one_line(app, words)


def test_what_was_asked_for_wrongly_is_said_in_json_too(app: Flask) -> None:
    done = app.test_cli_runner().invoke(args=["privacy", "export", "--json"])
    assert done.exit_code == 2 and "--email" in json.loads(done.stdout)["error"]


# What all of them load is loaded once; each begins after it, in a process and with an environment of its own.
STARTS = """
import json, os, runpy, sys
import app, flask.cli, gunicorn.app.wsgiapp
for number, (words, changes) in enumerate(json.load(sys.stdin)):
    if os.fork():
        print(json.dumps(os.waitstatus_to_exitcode(os.wait()[1])), flush=True)
        continue
    for stream in (1, 2):
        os.dup2(os.open(f"{sys.argv[1]}/{number}.{stream}", os.O_WRONLY | os.O_CREAT), stream)
    os.environ.update(changes)
    sys.argv = words
    runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    sys.exit(0)
"""
WRONG = [
    {"DATABASE_URL": "postgresql://nobody:geheim-x7@127.0.0.1:1/none"},
    {"DATABASE_URL": "sqlite:////proc/none/bidflux.db"},
    {"REDIS_URL": "redis://:geheim-x7@127.0.0.1:abc/0"},
    {"SENTRY_DSN": "https://geheim-x7@:abc/1"},
    {"BIDFLUX_DATA": "/dev/null"},
]


def test_a_process_of_its_own_shows_neither_traceback_nor_secret(tmp_path: Path) -> None:
    environment = {
        **os.environ, "BIDFLUX_ENV": "development", "BIDFLUX_DATA": str(tmp_path), "SECRET_KEY": SECRET,
        "BIDFLUX_KEYS": KEYS, "BASE_URL": "http://localhost", "MAIL_SERVER": "127.0.0.1",
        "REDIS_URL": "redis://127.0.0.1:9/0", "PORT": "1",
    }  # fmt: skip
    commands = (["flask", "--app", "wsgi", "ledger", "verify"], ["gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"])
    tried = [(words, changes) for changes in WRONG for words in commands]
    done = subprocess.run(
        [sys.executable, "-c", STARTS, tmp_path], cwd=ROOT, env=environment, input=json.dumps(tried),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    codes = [int(line) for line in done.stdout.splitlines()]
    assert len(codes) == len(tried) and all(codes), list(zip(codes, tried, strict=False))
    for number, case in enumerate(tried):
        out, err = ((tmp_path / f"{number}.{stream}").read_text(encoding="utf-8") for stream in (1, 2))
        assert "Traceback" not in err and "geheim-x7" not in err + out, (case, err)
        assert err.strip(), case
