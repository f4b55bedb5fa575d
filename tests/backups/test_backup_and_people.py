"""A backup brings nobody back who was forgotten since, is no use without the keys, and leaves no copy lying about."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import create_engine, select, text
from sqlalchemy.pool import NullPool

from app.backups import archive, engines
from app.core.database import is_sqlite
from app.core.keys import keyring
from app.core.vault import Keyring
from app.extensions import db
from app.models import Agency, OfferKey, OfferState, Property, Tombstone
from app.offers.document import Bidder
from app.privacy import erasure
from app.proof.register import offer_faults, verify_chain
from app.workers import hourly
from tests.backups.test_backup import away, back_up, destroy, kept, refused, run, tools  # noqa: F401
from tests.conftest import ROOT, make_app, migrate, settings_for
from tests.factories import make_draft, make_offer
from tests.privacy.test_canaries import at_rest


def key_of(offer_id: uuid.UUID) -> bytes | None:
    db.session.rollback()
    return db.session.scalar(select(OfferKey.wrapped).where(OfferKey.offer_id == offer_id))


def test_who_was_erased_before_during_and_after_stays_erased(kept: Flask, away: Path) -> None:  # noqa: F811
    """The drill: back up while people send and are forgotten, destroy, restore, verify."""
    prop = db.session.scalars(select(Property)).one()
    prop_id, agency_id = prop.id, prop.agency_id
    bidder = Bidder("Canarina Zborzescu", "canarina.zborzescu@client.example", "+40722918273")
    before, after, stays, *during = (make_offer(prop, make_draft(bidder=bidder)) for _ in range(23))
    wrapped = {one: key_of(one) for one in (before, after, stays, *during)}
    erasure.erase_all(agency_id, [before], "person")
    began, stop = threading.Event(), threading.Event()

    def load() -> None:
        with kept.app_context():
            for one in during:
                erasure.erase_all(agency_id, [one], "person")
                make_offer(db.session.get_one(Property, prop_id))
                began.set()
                if stop.is_set():
                    break
            db.session.remove()

    busy = threading.Thread(target=load)
    busy.start()
    assert began.wait(120)
    told = run(kept, "create", away / "copy.age", "--to", away / "backup.key.pub")
    stop.set()
    busy.join()
    erasure.erase_all(agency_id, [after], "retention")
    forgotten = set(db.session.scalars(select(Tombstone.offer_id)))
    assert {before, after} < forgotten and 1 <= told["erased"] < len(forgotten)
    verified = run(kept, "verify", away / "copy.age", "--key", away / "backup.key")
    assert verified["readable"] and verified["counts"] == told["counts"]
    destroy(kept)
    restored = run(kept, "restore", away / "copy.age", "--key", away / "backup.key")
    assert restored["erased_list"] and restored["offers"] == told["offers"]
    there = set(db.session.scalars(select(OfferState.offer_id)))
    read = set(db.session.scalars(select(OfferKey.offer_id)))
    assert after in there and stays in read and not read & forgotten
    assert read == there - forgotten, "nobody else was forgotten"
    agency = db.session.get_one(Agency, agency_id)
    assert verify_chain(agency)[1] is None and not [*offer_faults(agency)]
    left = at_rest()
    for one in (forgotten & there) - {before}:
        assert (wrapped[one] or b"?") not in left, "not the key either, in file or log"


def test_on_a_machine_with_other_keys_nothing_is_replaced(kept: Flask, away: Path) -> None:  # noqa: F811
    copy = back_up(kept, away)
    ring = keyring()
    kept.extensions["bidflux_keyring"] = Keyring([os.urandom(32)])
    assert run(kept, "verify", copy, "--key", away / "backup.key")["readable"] is False
    answer = refused(kept, "restore", copy, "--key", away / "backup.key", "--force")
    assert "BIDFLUX_KEYS lacks" in answer and ring.active in answer
    assert db.session.scalar(select(Agency.id)), "what was there is there"
    kept.extensions["bidflux_keyring"] = ring
    db.session.rollback()
    run(kept, "restore", copy, "--key", away / "backup.key", "--force")


def test_without_the_list_of_the_erased_it_says_so(app: Flask, away: Path) -> None:  # noqa: F811
    run(app, "key", away / "backup.key")
    copy = back_up(app, away)
    done = app.test_cli_runner().invoke(args=["backup", "restore", str(copy), "--key", str(away / "backup.key")])
    assert done.exit_code == 0 and "no erased.txt here" in done.output


def test_the_database_is_for_its_user_alone_made_or_restored(tmp_path: Path, away: Path) -> None:  # noqa: F811
    made = make_app(settings_for(tmp_path / "new", DATABASE_URL=f"sqlite:///{away / 'new.db'}"))
    with made.app_context():
        migrate(made)
        run(made, "key", away / "backup.key")
        copy = back_up(made, away)
        for _restored in range(2):
            assert {path.stat().st_mode & 0o777 for path in away.glob("new.db*")} == {0o600}
            run(made, "restore", copy, "--key", away / "backup.key", "--force")
        db.engine.dispose()


KILLED = """
import sys, time
from pathlib import Path
from app.backups.archive import workshop
with workshop(Path(sys.argv[1])) as folder:
    (folder / "bidflux.db").write_bytes(b"canarcopie-x7")
    print("there", flush=True)
    time.sleep(600)
"""


def test_what_a_killed_backup_left_is_swept_and_a_running_one_is_not(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = app.extensions["bidflux_settings"].data_dir
    monkeypatch.setattr(archive, "JUST_MADE", -1.0)
    words = [sys.executable, "-c", KILLED, str(data)]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as working:
        assert working.stdout and working.stdout.readline() == "there\n"
        hourly.tidy()
        assert list(data.glob(".backup-*/bidflux.db")), "somebody works in it"
        working.kill()
        working.wait()
        assert list(data.glob(".backup-*"))
    hourly.tidy()
    assert not list(data.glob(".backup-*"))


def test_on_postgresql_too_what_a_killed_restore_left_is_swept(postgres_url: str, tmp_path: Path) -> None:
    """A database of its own, which holds whoever was forgotten since the backup was made."""
    app = make_app(settings_for(tmp_path, DATABASE_URL=postgres_url))
    with app.app_context():
        own = db.session.scalar(text("SELECT oid FROM pg_database WHERE datname = current_database()"))
        begin, other = f"bidflux_check_{own}_", f"bidflux_check_{own}0_{1:x}_aa"
        left, new, open_ = (f"{begin}{made:x}_aa" for made in (1, int(time.time()), 2))
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for name in (left, new, open_, other):
                connection.execute(text(f"CREATE DATABASE {name}"))
            working = create_engine(db.engine.url.set(database=open_), poolclass=NullPool)
            try:
                with working.connect():
                    assert hourly.sweep_backups() == 1
                here = set(connection.scalars(text("SELECT datname FROM pg_database")))
                assert left not in here and {new, open_, other} <= here, "some are in use, some are another's"
            finally:
                for name in (left, new, open_, other):
                    connection.execute(text(f"DROP DATABASE IF EXISTS {name}"))
        db.session.remove()
        db.engine.dispose()


def test_sweeping_minds_neither_a_plain_file_nor_what_is_gone_by_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "JUST_MADE", -1.0)
    gone, file, left = (tmp_path / f".backup-{name}" for name in ("gone", "file", "left"))
    file.touch()
    left.mkdir()
    monkeypatch.setattr(Path, "glob", lambda _folder, _pattern: iter((gone, file, left)))
    assert archive.sweep(tmp_path) == 1 and file.exists() and not left.exists()


def test_nobody_sweeps_a_copy_while_it_is_being_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "JUST_MADE", -1.0)
    remove, meanwhile = archive.shutil.rmtree, []

    def removing(path: str) -> None:
        meanwhile.append(archive.sweep(tmp_path))
        remove(path)

    monkeypatch.setattr(archive.shutil, "rmtree", removing)
    with archive.workshop(tmp_path) as folder:
        (folder / "bidflux.db").write_bytes(b"x")
    assert meanwhile == [0] and list(tmp_path.iterdir()) == []


def test_erasing_while_a_copy_is_made_waits_for_nobody_and_the_log_is_cut_afterwards(
    app: Flask,
    away: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.factories import make_agency, make_property, make_user

    agency = make_agency()
    offer_id = make_offer(make_property(agency, make_user(agency).id))
    wrapped = key_of(offer_id)
    run(app, "key", away / "backup.key")
    whole = engines._manifest
    took = []

    def slowly(connection, copy):  # type: ignore[no-untyped-def]
        with db.engine.connect() as reader:  # as long as the copy is read
            reader.execute(select(OfferKey.offer_id)).all()
            began = time.monotonic()
            erasure.erase_all(agency, [offer_id], "person")
            took.append(time.monotonic() - began)
        return whole(connection, copy)

    monkeypatch.setattr(engines, "_manifest", slowly)
    assert is_sqlite(db.engine)
    run(app, "create", away / "copy.age", "--to", away / "backup.key.pub")
    assert took[0] < 5 and wrapped and wrapped not in at_rest()
