"""After a restore nobody who follows is left with a hole: by the command or by hand, on both engines."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError

from app.backups.engines import copy_out, run_tool
from app.core.clock import now
from app.core.database import is_sqlite
from app.core.epochs import LARGEST, LEAP, Witness, leap
from app.extensions import db
from app.models import Agency, Event, LedgerEntry, PastEpoch
from app.proof.register import verify_chain
from tests.api.conftest import Crm, make_crm
from tests.backups.test_backup import away, destroy, run, tools  # noqa: F401  fixtures

LOST = 3


@pytest.fixture
def crm(either_app: Flask, away: Path) -> Crm:  # noqa: F811
    made = make_crm(either_app)
    run(either_app, "key", away / "backup.key")
    for number in range(4):
        assert made.put(f"A-{number}").status_code == 201
    return made


def page(crm: Crm, query: str) -> dict[str, Any]:
    answer = crm.get(f"/events?{query}")
    assert answer.status_code == 200, answer.get_data(as_text=True)
    found: dict[str, Any] = answer.get_json()
    return found


def lose_three(crm: Crm) -> None:
    for number in range(LOST):
        assert crm.put(f"L-{number}").status_code == 201


def five_new(crm: Crm, name: str = "N") -> None:
    for number in range(5):
        assert crm.put(f"{name}-{number}").status_code == 201


def back_up(crm: Crm, away: Path) -> Path:  # noqa: F811
    run(crm.app, "create", away / "copy.age", "--to", away / "backup.key.pub")
    return away / "copy.age"


def restore(crm: Crm, away: Path) -> None:  # noqa: F811
    db.session.remove()
    run(crm.app, "restore", away / "copy.age", "--key", away / "backup.key", "--force")


def test_a_follower_beyond_the_restored_is_told_and_misses_nothing(crm: Crm, away: Path) -> None:  # noqa: F811
    back_up(crm, away)
    kept = page(crm, "after=0")
    lose_three(crm)
    ahead = page(crm, "after=0")
    restore(crm, away)
    five_new(crm)
    for query in (f"after={ahead['last_seq']}", f"after={ahead['last_seq']}&epoch={ahead['epoch']}"):
        answer = crm.get(f"/events?{query}")
        assert answer.status_code == 409 and answer.mimetype == "application/problem+json"
        said = answer.get_json()
        assert said["type"].endswith("/other-epoch") and "after=0" in said["detail"]
        assert said["epoch"] != ahead["epoch"]
    assert (
        crm.get(f"/events?after={ahead['last_seq']}&epoch={ahead['epoch']}").get_json()["shared_until"]
        == (kept["last_seq"])
    )
    anew = page(crm, "after=0")
    names = [event["data"]["external_id"] for event in anew["data"]]
    assert names == [*(f"A-{n}" for n in range(4)), *(f"N-{n}" for n in range(5))]
    fresh = [event["seq"] for event in anew["data"][4:]]
    assert min(fresh) > ahead["last_seq"] + LEAP - 1 and fresh == list(range(fresh[0], fresh[0] + 5))


def test_a_follower_of_what_is_still_there_goes_on(crm: Crm, away: Path) -> None:  # noqa: F811
    before = page(crm, "after=0")
    back_up(crm, away)
    lose_three(crm)
    restore(crm, away)
    five_new(crm)
    for query in (f"after={before['last_seq']}", f"after={before['last_seq']}&epoch={before['epoch']}", "after=2"):
        found = page(crm, query)
        assert [e["data"]["external_id"] for e in found["data"]][-5:] == [f"N-{n}" for n in range(5)]
    after = page(crm, f"after={before['last_seq']}")
    assert page(crm, f"after={after['last_seq']}&epoch={after['epoch']}")["data"] == []
    assert page(crm, f"after={after['last_seq']}")["data"] == []


def test_no_number_of_the_gap_is_taken_for_a_place(crm: Crm, away: Path) -> None:  # noqa: F811
    back_up(crm, away)
    lose_three(crm)
    restore(crm, away)
    five_new(crm)
    here = page(crm, "after=0")
    first = here["data"][4]["seq"]
    for number in (5, 7, 8, LEAP, first - 1, here["last_seq"] + 1, 2**31 - 1):
        for epoch in ("", f"&epoch={here['epoch']}", "&epoch=0000000000"):
            assert crm.get(f"/events?after={number}{epoch}").status_code == 409, (number, epoch)
    assert crm.get("/events?after=3&epoch=0000000000").status_code == 409
    assert crm.get("/events?after=0&epoch=0000000000").status_code == 200


def test_on_a_machine_that_knows_nothing(crm: Crm, away: Path) -> None:  # noqa: F811
    """The disk is gone, and with it the witness: only the backup and the keys came to the new machine."""
    back_up(crm, away)
    lose_three(crm)
    ahead = page(crm, "after=0")
    shutil.rmtree(crm.app.extensions["bidflux_settings"].data_dir / "numbers")
    destroy(crm.app)
    restore(crm, away)
    five_new(crm)
    assert crm.get(f"/events?after={ahead['last_seq']}").status_code == 409
    assert len(page(crm, "after=0")["data"]) == 9


def test_two_restores_of_one_backup_are_told_apart(crm: Crm, away: Path) -> None:  # noqa: F811
    back_up(crm, away)
    restore(crm, away)
    five_new(crm)
    first = page(crm, "after=0")
    restore(crm, away)
    five_new(crm)
    five_new(crm, "M")
    second = page(crm, "after=0")
    assert first["epoch"] != second["epoch"]
    assert crm.get(f"/events?after={first['last_seq']}").status_code == 409
    assert crm.get(f"/events?after={first['last_seq']}&epoch={first['epoch']}").status_code == 409
    assert second["data"][4]["seq"] > first["last_seq"]


def copy_in(engine: Engine, copy: Path) -> None:
    """What an operator does without us."""
    engine.dispose()
    if is_sqlite(engine):
        live = str(engine.url.database)
        for name in (f"{live}-wal", f"{live}-shm"):
            Path(name).unlink(missing_ok=True)
        shutil.copyfile(copy, live)
        return
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    run_tool("pg_restore", engine.url, "--no-owner", "--exit-on-error", str(copy))


def test_put_back_by_hand_it_is_noticed_at_the_first_write(crm: Crm, tmp_path: Path) -> None:
    """The file copied over, or pg_restore: nobody told us."""
    place = tmp_path / "byhand"
    place.mkdir()
    _manifest, copy = copy_out(db.engine, place)
    lose_three(crm)
    ahead = page(crm, "after=0")
    db.session.remove()
    copy_in(db.engine, copy)
    assert crm.get(f"/events?after={ahead['last_seq']}").status_code == 409, "before anything was written too"
    five_new(crm)
    assert crm.get(f"/events?after={ahead['last_seq']}").status_code == 409
    there = page(crm, "after=0")
    assert there["epoch"] != ahead["epoch"]
    assert min(event["seq"] for event in there["data"][4:]) > ahead["last_seq"]
    assert there["data"][-1]["epoch"] == there["epoch"] and there["data"][0]["epoch"] == ahead["epoch"]


def test_an_operator_can_say_that_it_was_put_back(crm: Crm) -> None:
    before = page(crm, "after=0")
    done = crm.app.test_cli_runner().invoke(args=["backup", "restored"])
    assert done.exit_code == 0 and "1 agencies" in done.output
    assert page(crm, "after=0")["epoch"] != before["epoch"]
    assert page(crm, f"after={before['last_seq']}&epoch={before['epoch']}")["data"] == []


def test_the_register_says_it_and_holds(crm: Crm, away: Path) -> None:  # noqa: F811
    back_up(crm, away)
    lose_three(crm)
    restore(crm, away)
    five_new(crm)
    agency = db.session.scalars(select(Agency)).one()
    assert verify_chain(agency)[1] is None and agency.restores == 1
    begun = db.session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "epoch.begun")).one()
    assert b'"kept":4' in begun.body
    assert db.session.scalars(select(PastEpoch)).one().last_seq == 4


def test_nothing_is_taken_for_a_restore_that_was_none(crm: Crm) -> None:
    five_new(crm)
    lose_three(crm)
    agency = db.session.scalars(select(Agency)).one()
    assert agency.restores == 0 and db.session.scalar(select(func.count()).select_from(PastEpoch)) == 0
    numbers = db.session.scalars(select(Event.seq).order_by(Event.seq)).all()
    assert list(numbers) == list(range(1, len(numbers) + 1))


def test_the_witness_never_goes_back_and_bears_what_it_finds(tmp_path: Path) -> None:
    witness, agency = Witness(tmp_path), uuid.uuid4()
    assert witness.seen(agency) == 0
    witness.note(agency, 145)
    witness.note(agency, 12)
    assert Witness(tmp_path).seen(agency) == 145
    for rubbish in (b"", b"\xff\xfe", b"-4", b"9" * 4000, b"1e9"):
        (tmp_path / "numbers" / str(agency)).write_bytes(rubbish)
        assert witness.seen(agency) >= 0
    shutil.rmtree(tmp_path / "numbers")
    (tmp_path / "numbers").write_text("a file in its place")
    witness.note(agency, 146)
    assert witness.seen(agency) == 0


def test_the_leap_ends_where_the_numbers_do() -> None:
    at = now()
    assert leap(145, at) >= 145 + LEAP
    assert leap(LARGEST - 10, at) == LARGEST - 10


def test_an_epoch_is_never_rewritten(crm: Crm) -> None:
    crm.app.test_cli_runner().invoke(args=["backup", "restored"])
    with pytest.raises(DBAPIError, match="does not change"):
        db.session.execute(text("UPDATE past_epoch SET last_seq = 9"))
    db.session.rollback()


def test_a_list_is_not_followed_from_one_history_into_another(crm: Crm, away: Path) -> None:  # noqa: F811
    back_up(crm, away)
    lists = ("/properties?limit=2", "/properties?limit=2&updated_since=2020-01-01T00:00:00Z")
    cursors = [crm.get(path).get_json()["next_cursor"] for path in lists]
    restore(crm, away)
    for path, cursor in zip(lists, cursors, strict=True):
        assert crm.get(f"{path}&cursor={cursor}").get_json()["type"].endswith("/other-epoch")
        fresh = crm.get(path).get_json()["next_cursor"]
        assert crm.get(f"{path}&cursor={fresh}").status_code == 200


def test_what_was_repeatable_stays_so_and_what_was_lost_is_done_again(crm: Crm, away: Path) -> None:  # noqa: F811
    body = {"title": "Casă", "external_id": "K-1"}
    first = crm.call("POST", "/properties", body, Idempotency_Key="kept")
    back_up(crm, away)
    lost = crm.call("POST", "/properties", {**body, "external_id": "K-2"}, Idempotency_Key="lost")
    restore(crm, away)
    again = crm.call("POST", "/properties", body, Idempotency_Key="kept")
    assert again.headers["Idempotency-Replayed"] == "true" and again.get_json()["id"] == first.get_json()["id"]
    redone = crm.call("POST", "/properties", {**body, "external_id": "K-2"}, Idempotency_Key="lost")
    assert redone.status_code == 201 and "Idempotency-Replayed" not in redone.headers
    assert redone.get_json()["id"] != lost.get_json()["id"]
