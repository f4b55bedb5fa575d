"""A restore that fails, is refused or killed leaves what was there; a backup goes where it is meant to, every night."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tarfile
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pyrage
import pytest
from flask import Flask
from sqlalchemy import func, select, text

from app.backups import archive, ending, places
from app.core.database import is_sqlite
from app.core.killpoints import AFTER_SWAP, BEFORE_NOTE_GONE, BEFORE_SWAP
from app.extensions import db
from app.models import Agency, Offer, OfferKey, Property
from app.ops import health
from app.privacy import erasure
from app.proof import checkpoints
from tests.backups.test_backup import away, back_up, destroy, kept, refused, run, tools  # noqa: F401
from tests.conftest import KEYS, ROOT, SECRET
from tests.factories import make_agency, make_offer


def state(app: Flask) -> dict[str, str]:
    """Every file of the data folder by its digest; on PostgreSQL also every row, and which databases there are."""
    db.session.remove()
    data = app.extensions["bidflux_settings"].data_dir
    on_file = is_sqlite(db.engine)
    db.engine.dispose()
    files = [f for f in data.rglob("*") if f.is_file() and "away" not in f.parts]
    if on_file:
        return {str(f): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}
    with db.engine.connect() as connection:
        names = connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).all()
        rows = {name: str(sorted(map(str, connection.execute(text(f"SELECT * FROM {name}")).all()))) for name in names}
        rows["databases"] = str(sorted(connection.scalars(text("SELECT datname FROM pg_database"))))
    db.engine.dispose()
    return rows | {str(f): "" for f in files}


def resealed(copy: Path, away: Path, **changes: object) -> Path:  # noqa: F811
    """The same backup with another manifest, sealed as whoever has the public half can."""
    identity = archive.read_identity(away / "backup.key")
    folder = away / "opened"
    folder.mkdir(exist_ok=True)
    (folder / "plain.tar").write_bytes(pyrage.decrypt(copy.read_bytes(), [identity]))
    with tarfile.open(folder / "plain.tar") as bundle:
        bundle.extractall(folder, filter="data")
        names = bundle.getnames()
    told = json.loads((folder / "manifest.json").read_text()) | changes
    (folder / "manifest.json").write_text(json.dumps(told))
    with tarfile.open(folder / "plain.tar", "w") as bundle:
        for name in names:
            bundle.add(folder / name, name)
    bent = away / "resealed.age"
    bent.write_bytes(pyrage.encrypt((folder / "plain.tar").read_bytes(), [identity.to_public()]))
    return bent


def run_any(app: Flask, *words: str) -> Any:
    return json.loads(app.test_cli_runner().invoke(args=[*words, "--json"]).output)


def newer(app: Flask) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))


def test_a_backup_of_a_newer_version_changes_nothing(kept: Flask, away: Path) -> None:  # noqa: F811
    then = db.session.scalar(text("SELECT version_num FROM alembic_version"))
    db.session.rollback()
    newer(kept)
    copy = back_up(kept, away)
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :then"), {"then": then})
    before = state(kept)
    for word in (("restore", "--force"), ("verify",)):
        line = refused(kept, word[0], copy, "--key", away / "backup.key", *word[1:])
        assert "newer version" in line and "9999" in line
        assert state(kept) == before
    bent = resealed(copy, away, revision=then)
    assert "its manifest says" in refused(kept, "restore", bent, "--key", away / "backup.key", "--force", "--unproven")
    assert state(kept) == before


def test_no_bent_manifest_changes_anything_or_says_more_than_a_line(app: Flask, away: Path) -> None:  # noqa: F811
    make_agency()
    run(app, "key", away / "backup.key")
    copy = back_up(app, away)
    before = state(app)
    cases: list[dict[str, object]] = [
        {"database": "../../bidflux.db"}, {"database": "/etc/passwd"}, {"database": "manifest.json"}, {"engine": "x"},
        {"engine": []}, {"format": 2}, {"format": "x"}, {"format": None}, {"counts": {}}, {"counts": 3},
        {"agencies": []},
        {"sha256": "0" * 64}, {"more": 1}, {"revision": None}, {"revision": ["0001"]},
    ]  # fmt: skip
    for changes in cases:
        bent = resealed(copy, away, **changes)
        refused(app, "restore", bent, "--key", away / "backup.key", "--force", "--unproven")
        refused(app, "verify", bent, "--key", away / "backup.key", "--unproven")
        assert state(app) == before, changes


def test_what_fails_at_the_very_end_leaves_what_was_there(
    kept: Flask,  # noqa: F811
    away: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copy = back_up(kept, away)
    make_offer(db.session.scalars(select(Property)).one())
    before = state(kept)

    def full() -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "replay", full)
        assert "No space left" in refused(kept, "restore", copy, "--key", away / "backup.key", "--force")
    assert state(kept) == before
    with monkeypatch.context() as patch:
        patch.setattr(places.shutil, "disk_usage", lambda _folder: shutil._ntuple_diskusage(9, 9, 0))
        assert "are needed" in refused(kept, "restore", copy, "--key", away / "backup.key", "--force")
        assert "are needed" in refused(kept, "create", away / "more.age", "--to", away / "backup.key.pub")
    assert state(kept) == before and not list(away.glob("*part*"))
    run(kept, "restore", copy, "--key", away / "backup.key", "--force")
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 1


def test_nothing_is_restored_over_a_database_that_somebody_has_open(kept: Flask, away: Path) -> None:  # noqa: F811
    copy = back_up(kept, away)
    url = db.engine.url
    before = state(kept)
    other = (
        sqlite3.connect(str(url.database))
        if is_sqlite(db.engine)
        else psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True)
    )
    try:
        other.execute("SELECT count(*) FROM agency").fetchall()
        assert "stop web" in refused(kept, "restore", copy, "--key", away / "backup.key", "--force")
    finally:
        other.close()
    assert state(kept) == before
    run(kept, "restore", copy, "--key", away / "backup.key", "--force")


@pytest.mark.parametrize("point", [BEFORE_SWAP, AFTER_SWAP, BEFORE_NOTE_GONE])
def test_killed_in_the_middle_it_is_old_or_new(kept: Flask, away: Path, point: str) -> None:  # noqa: F811
    copy = back_up(kept, away)
    make_offer(db.session.scalars(select(Property)).one())
    checkpoints.note_heads()
    db.session.remove()
    url = db.engine.url.render_as_string(hide_password=False)
    db.engine.dispose()
    data = kept.extensions["bidflux_settings"].data_dir
    (away / "order").write_text(point)
    environment = {
        **os.environ, "BIDFLUX_ENV": "development", "BIDFLUX_DATA": str(data), "SECRET_KEY": SECRET,
        "BIDFLUX_KEYS": KEYS,
        "BASE_URL": "http://localhost", "MAIL_SERVER": "127.0.0.1", "REDIS_URL": "redis://127.0.0.1:9/0",
        "DATABASE_URL": url, "BIDFLUX_KILL_FILE": str(away / "order"),
    }  # fmt: skip
    words = ["backup", "restore", str(copy), "--key", str(away / "backup.key"), "--force"]
    done = subprocess.run(
        [sys.executable, "-m", "flask", "--app", "wsgi", *words], cwd=ROOT, env=environment, capture_output=True
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert db.session.scalar(select(func.count()).select_from(Offer)) == (2 if point == BEFORE_SWAP else 1)
    assert db.session.scalar(select(func.count()).select_from(Agency)) == 1
    db.session.remove()
    assert (data / ending.NOTE).exists()
    heads = sorted(path.name for path in (data / "seal" / "heads").glob("*.before"))
    assert len(heads) == (1 if point == BEFORE_NOTE_GONE else 0)
    make_agency("Nouă")  # by an operator who starts nothing before
    db.session.remove()
    for _start in range(2):  # as the next start does, and the one after it
        ending.complete()
        assert not (data / ending.NOTE).exists() and health.registers() == health.OK
        db.session.remove()
    assert len([*(data / "seal" / "heads").glob("*.before")]) == (0 if point == BEFORE_SWAP else 1)
    assert run_any(kept, "ledger", "verify", "--offers")["valid"]
    run(kept, "restore", copy, "--key", away / "backup.key", "--force")
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 1
    if not is_sqlite(db.engine):
        left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'bidflux_check_' ||"
        own = " (SELECT oid FROM pg_database WHERE datname = current_database()) || '%'"
        assert db.session.scalar(text(left + own)) == 0, "what the killed run left is gone"


@pytest.mark.parametrize("said", [b"", b"{", b"[]", b'{"epochs": {}}', b"\xff"])
def test_a_note_that_a_broken_disk_left_is_named_in_one_line(app: Flask, said: bytes) -> None:
    note = app.extensions["bidflux_settings"].data_dir / ending.NOTE
    note.write_bytes(said)
    assert str(note) in refused(app, "restored")
    assert note.exists()


def test_a_log_that_a_killed_product_left_is_not_read_into_the_new_file(app: Flask, away: Path) -> None:  # noqa: F811
    make_agency("Prima")
    run(app, "key", away / "backup.key")
    copy = back_up(app, away)
    live = Path(str(db.engine.url.database))
    make_agency("A doua")
    with closing(sqlite3.connect(live)) as reader:  # keeps the log where it is, as a killed process does
        reader.execute("BEGIN").execute("SELECT count(*) FROM agency").fetchall()
        db.session.remove()
        db.engine.dispose()
        log, main = Path(f"{live}-wal").read_bytes(), live.read_bytes()
    assert log
    live.write_bytes(main)
    Path(f"{live}-wal").write_bytes(log)
    run(app, "restore", copy, "--key", away / "backup.key", "--force")
    assert list(db.session.scalars(select(Agency.name))) == ["Prima"]
    assert db.session.scalar(text("PRAGMA integrity_check")) == "ok"


def test_a_damaged_database_and_one_behind_a_link_are_replaced(app: Flask, away: Path) -> None:  # noqa: F811
    make_agency("Prima")
    run(app, "key", away / "backup.key")
    copy = back_up(app, away)
    destroy(app)
    live = Path(str(db.engine.url.database))
    elsewhere = away / "elsewhere.db"
    elsewhere.write_bytes(b"no database at all" * 999)
    live.symlink_to(elsewhere)
    run(app, "restore", copy, "--key", away / "backup.key", "--force")
    assert live.is_symlink() and list(db.session.scalars(select(Agency.name))) == ["Prima"]
    assert elsewhere.read_bytes().startswith(b"SQLite format 3")
    assert not list(away.glob(".backup-*"))


def test_a_key_that_is_here_and_does_not_open_is_found_before(app: Flask, away: Path) -> None:  # noqa: F811
    make_agency()
    run(app, "key", away / "backup.key")
    for name in ("update", "delete"):
        db.session.execute(text(f"DROP TRIGGER IF EXISTS tr_agency_key_{name}"))
    db.session.execute(text("UPDATE agency_key SET wrapped = zeroblob(61)"))
    db.session.commit()
    copy = back_up(app, away)
    assert "does not open" in refused(app, "restore", copy, "--key", away / "backup.key", "--force")


def test_the_list_of_the_erased_is_as_it_was_after_a_failure(kept: Flask, away: Path) -> None:  # noqa: F811
    prop = db.session.scalars(select(Property)).one()
    offer, agency = make_offer(prop), prop.agency_id
    copy = back_up(kept, away)
    erasure.erase_all(agency, [offer], "person")
    run(kept, "restore", copy, "--key", away / "backup.key", "--force")
    assert db.session.scalar(select(OfferKey.offer_id).where(OfferKey.offer_id == offer)) is None


@pytest.mark.parametrize("named", ["backups/", "backups", "a/b/c/", "cu spații/și ?#%20/"])
def test_a_folder_that_is_missing_is_made_and_means_a_folder_every_night(
    app: Flask,
    away: Path,  # noqa: F811
    named: str,
) -> None:
    run(app, "key", away / "backup.key")
    made = [run(app, "create", f"{away}/{named}", "--to", away / "backup.key.pub")["file"] for _night in range(3)]
    assert len({*made}) == 3 and all(Path(one).parent == away / named and Path(one).suffix == ".age" for one in made)
    assert (away / named).stat().st_mode & 0o077 == 0 and len(list((away / named).iterdir())) == 3


def test_where_it_cannot_go_it_says_so_before_it_copies(
    app: Flask,
    away: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(app, "key", away / "backup.key")
    to = ("--to", away / "backup.key.pub")
    (away / "file").touch()
    for named, said in {
        f"{away}/none/copy.age": "no folder",
        f"{away}/file": "exists already",
        f"{away}/file/": "not a folder",
        f"{away}/file/copy.age": "no folder",
        f"{away}/file/nights/": "Not a directory",
        "": "name a file",
        f"{away}/{'n' * 300}.age": "File name too long",
        "/proc/none/": "No such file",
    }.items():
        assert said in refused(app, "create", named, *to), named
    monkeypatch.setattr(places.os, "access", lambda *_asked: False)
    assert "cannot be written" in refused(app, "create", away / "copy.age", *to)
    assert [*away.glob("*.age*"), *away.glob(".*")] == []


def test_a_seal_that_fails_leaves_no_part_and_a_killed_ones_goes(
    app: Flask,
    away: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run(app, "key", away / "backup.key")
    killed = away / ".old.age.1.age.part"
    killed.write_bytes(b"half")
    os.utime(killed, (1, 1))

    def full(*_given: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(archive.pyrage, "encrypt_io", full)
        assert "No space left" in refused(app, "create", away / "copy.age", "--to", away / "backup.key.pub")
    assert sorted(one.name for one in away.iterdir()) == ["backup.key", "backup.key.pub"]


def test_keys_that_are_no_keys(app: Flask, away: Path) -> None:  # noqa: F811
    run(app, "key", away / "backup.key")
    copy = back_up(app, away)
    for bad in (b"\xff\xfe\x00" * 99, b"", b"AGE-SECRET-KEY-1", b"\n\n# only words\n", b"x" * 99_999):
        (away / "bad").write_bytes(bad)
        assert "holds no key" in refused(app, "verify", copy, "--key", away / "bad")
        assert "age1" in refused(app, "create", away / "more.age", "--to", away / "bad")
    (away / "second.pub").touch()
    assert "second.pub exists" in refused(app, "key", away / "second") and not (away / "second").exists()
    assert "No such file" in refused(app, "key", away / "none" / "backup.key")
