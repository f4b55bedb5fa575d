"""Whoever writes the database can cut a register's end off, and its checkpoints: the head beside the seal tells."""

from __future__ import annotations

import json
import shutil
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, text

from app.core.clock import now
from app.core.database import is_sqlite
from app.core.ledger import SYSTEM, entry_body
from app.core.ledger import chain as chained
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import Agency, Checkpoint, LedgerEntry, Property
from app.ops import health
from app.proof import checkpoints
from app.proof.heads import Heads, UnreadableHead
from tests.backups.test_backup import away, back_up, run, tools  # noqa: F401
from tests.factories import make_agency, make_offer, make_property, make_user

SHORTER = "shorter than the last checkpoint"


@pytest.fixture
def signed(either_app: Flask) -> Flask:
    """A register whose head was signed, and then one entry more."""
    agency = make_agency()
    prop = make_property(agency, make_user(agency, "owner").id)
    make_offer(prop)
    checkpoints.take(agency)
    make_offer(prop)
    assert verified(either_app) == [] and health.registers() == "ok"
    return either_app


def agency_id() -> uuid.UUID:
    db.session.rollback()
    return db.session.scalars(select(Agency.id)).one()


def verified(app: Flask) -> list[str]:
    """Everything that `ledger verify` finds."""
    db.session.rollback()
    done = app.test_cli_runner().invoke(args=["ledger", "verify", "--json"])
    assert done.stdout, done.exception
    told: dict[str, Any] = json.loads(done.stdout)
    found = [fault for answer in told["agencies"] for fault in answer["faults"]]
    assert (done.exit_code == 0) is told["valid"] is (not found)
    return found


def untriggered() -> None:
    """What protects the tables goes first, as whoever owns the database can have it."""
    for table in ("ledger", "checkpoint", "timestamping"):
        if is_sqlite(db.engine):
            for kind in ("update", "delete"):
                db.session.execute(text(f"DROP TRIGGER IF EXISTS tr_{table}_{kind}"))
        else:
            db.session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    db.session.commit()


def cut(to: int, *, checkpoints_too: bool = True) -> None:
    """The end is gone, and the head fits."""
    untriggered()
    last = db.session.scalars(select(LedgerEntry).where(LedgerEntry.seq == to)).one()
    if checkpoints_too:
        db.session.execute(text("DELETE FROM checkpoint WHERE seq > :to"), {"to": to})
    db.session.execute(text("DELETE FROM ledger WHERE seq > :to"), {"to": to})
    db.session.execute(text("UPDATE agency SET head_seq = :to, head_hash = :hash"), {"to": to, "hash": last.hash})
    db.session.commit()


def signed_seq() -> int:
    held = checkpoints.heads().held(agency_id())
    assert held
    return held.seq


def test_a_register_that_was_cut_is_shorter_than_what_was_signed(signed: Flask) -> None:
    cut(signed_seq() - 1)
    (fault,) = verified(signed)
    assert SHORTER in fault and f"entry {signed_seq()} was signed" in fault
    assert SHORTER in health.registers()
    assert f"it ends at {signed_seq() - 1}" in fault


def test_what_came_after_the_last_note_can_be_cut_and_nobody_sees(signed: Flask) -> None:
    """The limit of it, as docs/proof.md says; the relay notes the head every half minute."""
    cut(signed_seq())
    assert verified(signed) == []


def test_half_a_minute_later_it_shows(signed: Flask) -> None:
    before = signed_seq()
    assert checkpoints.note_heads() == 1 and checkpoints.note_heads() == 0
    assert signed_seq() > before
    cut(before)
    (fault,) = verified(signed)
    assert SHORTER in fault


def test_one_that_grew_again_after_the_cut_was_written_anew(signed: Flask) -> None:
    seq = signed_seq()
    cut(seq - 2)
    for _ in range(5):
        with writing(agency_id()) as tx:
            tx.record("test", None, SYSTEM)
    (fault,) = verified(signed)
    assert f"entry {seq} is not the one that was signed" in fault
    checkpoints.note_heads()
    assert signed_seq() == seq and len(verified(signed)) == 1, "the witness is not talked round"
    with pytest.raises(checkpoints.BrokenRegister, match="not the one that was signed"):
        checkpoints.take(agency_id())


def test_one_that_was_cut_is_not_signed_again(signed: Flask) -> None:
    cut(signed_seq() - 1)
    with pytest.raises(checkpoints.BrokenRegister, match=SHORTER):
        checkpoints.take(agency_id())
    with time_machine.travel(now() + timedelta(days=2)):
        assert checkpoints.nightly() == 0
    checkpoints.note_heads()
    assert SHORTER in verified(signed)[0] and db.session.scalars(select(Checkpoint)).all() == []


def test_a_chain_that_was_made_anew_from_its_beginning_shows(signed: Flask) -> None:
    untriggered()
    rows = db.session.scalars(select(LedgerEntry).order_by(LedgerEntry.seq)).all()
    agency, previous = rows[0].agency_id, bytes(32)
    for row in rows:
        actor = type("Actor", (), {"type": row.actor_type, "id": row.actor_id})()
        data = {**json.loads(row.body)["data"], **({"told": "anew"} if row.seq == 1 else {})}
        body = entry_body(agency, row.seq, row.at, row.kind, row.object_id, actor, data)
        previous = chained(previous, body)
        db.session.execute(
            text("UPDATE ledger SET body = :body, hash = :hash WHERE seq = :seq"),
            {"body": body, "hash": previous, "seq": row.seq},
        )
    db.session.execute(text("UPDATE agency SET head_hash = :hash"), {"hash": previous})
    db.session.execute(text("DELETE FROM checkpoint"))
    db.session.commit()
    db.session.expire_all()
    (fault,) = verified(signed)
    assert "was written anew" in fault


def test_an_agency_that_is_gone_altogether_shows(app: Flask) -> None:
    agency = make_agency()
    checkpoints.take(agency)
    raw = db.engine.raw_connection()
    raw.cursor().execute("PRAGMA foreign_keys=OFF")
    tables = ("ledger", "checkpoint", "agency_key", "event", "agency")
    for trigger in raw.cursor().execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        raw.cursor().execute(f"DROP TRIGGER {trigger[0]}")
    for table in tables:
        raw.cursor().execute(f"DELETE FROM {table}")
    raw.commit()
    raw.close()
    db.engine.dispose()
    (fault,) = verified(app)
    assert "the database has no such agency" in fault


SPOILT = [
    "",
    "{}",
    "[]",
    '{"signed": "{}"}',
    "\x00",
    '{"signed": 1, "signature": 2}',
    '{"signed": "{\\"seq\\": 1e999}"}',
    pytest.param('{"signed": "' + "[" * 100_000 + '"}', id="deep"),
]


@pytest.mark.parametrize("text_", SPOILT)
def test_a_witness_that_cannot_be_read_is_a_fault_and_is_not_written_over(app: Flask, text_: str) -> None:
    agency = make_agency()
    checkpoints.take(agency)
    (path,) = heads_folder(app).glob("*.json")
    path.write_text(text_)
    assert verified(app) == [checkpoints.UNREADABLE]
    with pytest.raises(checkpoints.BrokenRegister):
        checkpoints.take(agency)
    checkpoints.note_heads()
    assert path.read_text() == text_


def test_a_witness_of_another_agency_or_key_is_none(app: Flask, tmp_path: Path) -> None:
    first, second = make_agency(), make_agency("A doua")
    for agency in (first, second):
        checkpoints.take(agency)
    one, other = (heads_folder(app) / f"{agency}.json" for agency in (first, second))
    held = one.read_text()
    shutil.copy(other, one)
    assert any("it is of another agency" in fault for fault in verified(app))
    one.write_text(held.replace('"seq\\":1', '"seq\\":2'))
    (fault,) = verified(app)
    assert "its signature does not hold" in fault
    one.write_text(held)
    assert verified(app) == []


def heads_folder(app: Flask) -> Path:
    folder: Path = app.extensions["bidflux_settings"].data_dir / "seal" / "heads"
    return folder


def test_a_head_is_replaced_by_a_later_one_only_and_is_private(app: Flask, tmp_path: Path) -> None:
    agency, heads = uuid.uuid4(), Heads(tmp_path)
    assert heads.held(agency) is None and heads.agencies() == [] and not (tmp_path / "seal").exists()

    def statement(seq: int) -> dict[str, str]:
        return checkpoints.signed("x", agency, seq, bytes([seq]) * 32, now())

    for given, kept in ((3, 3), (2, 3), (3, 3), (4, 4)):
        heads.keep(agency, statement(given))
        held = heads.held(agency)
        assert held and held.seq == kept
    (path,) = (tmp_path / "seal" / "heads").glob("*.json")
    assert path.stat().st_mode & 0o077 == 0 and heads.agencies() == [agency]
    with pytest.raises(UnreadableHead):
        heads.keep(agency, {"signed": "{}"})
    asides = [heads.set_aside(agency)]
    heads.keep(agency, statement(1))
    asides.append(heads.set_aside(agency))
    assert len(set(asides)) == 2 and all(aside.exists() for aside in asides) and heads.agencies() == []


def test_a_full_disk_undoes_no_checkpoint(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given: object) -> None:
        raise OSError(28, "No space left on device")

    agency = make_agency()
    monkeypatch.setattr(Heads, "keep", full)
    assert checkpoints.take(agency) == 1 and checkpoints.note_heads() == 1
    assert db.session.scalars(select(Checkpoint)).one()


def test_a_restore_of_an_older_backup_is_said_and_is_no_alarm(signed: Flask, away: Path) -> None:  # noqa: F811
    run(signed, "key", away / "backup.key")
    copy = back_up(signed, away)
    make_offer(db.session.scalars(select(Property)).one())
    checkpoints.note_heads()
    longest = signed_seq()
    db.session.remove()
    told = run(signed, "restore", copy, "--key", away / "backup.key", "--force")
    (line,) = told["registers"]
    assert f"{longest} entries were signed" in line and "is kept as" in line
    assert verified(signed) == []
    assert checkpoints.note_heads() == 1 and verified(signed) == []
    assert len([*heads_folder(signed).glob("*.before")]) == 1
    newest = back_up(signed, away, "newest.age")
    db.session.remove()
    assert run(signed, "restore", newest, "--key", away / "backup.key", "--force")["registers"] == [], "nothing is lost"
    assert verified(signed) == []


def test_a_database_put_back_by_other_means_is_said_by_its_command(signed: Flask) -> None:
    cut(signed_seq() - 1)
    assert verified(signed)
    told = run(signed, "restored")
    assert "are not all in this database" in told["registers"][0] and verified(signed) == []


def test_what_is_written_while_it_is_checked_is_no_alarm(signed: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The head beside the seal is read first: an entry that comes in between is in the database too."""
    from app.cli import ledger as command

    prop = db.session.scalars(select(Property)).one()
    real = command._heads

    def busy() -> Any:
        found = real()
        make_offer(prop)
        checkpoints.note_heads()
        db.session.rollback()
        return found

    monkeypatch.setattr(command, "_heads", busy)
    assert verified(signed) == []
