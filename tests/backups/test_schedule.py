"""Backups are made at their hour, kept by a plan, and hold what a new machine needs beside the database."""

from __future__ import annotations

import dataclasses
import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask

from app.backups import archive, schedule
from app.backups.schedule import Plan
from app.ops import chores, health
from app.privacy import erasure
from app.proof import checkpoints
from tests.factories import make_agency, make_offer, make_property, make_user

NIGHT = datetime(2026, 11, 28, 2, 30, tzinfo=UTC)


@pytest.fixture
def sealed(app: Flask, tmp_path: Path) -> Path:
    """The key that opens backups, whose public half the installation has."""
    key = tmp_path / "away.key"
    settings = app.extensions["bidflux_settings"]
    recipient = archive.new_identity(key)
    app.extensions["bidflux_settings"] = dataclasses.replace(settings, backup_recipient=recipient)
    return key


def told(app: Flask, *words: str | Path) -> dict[str, Any]:
    done = app.test_cli_runner().invoke(args=["backup", *map(str, words), "--json"])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def test_each_night_one_is_made_and_an_old_or_failed_one_is_said(app: Flask, sealed: Path, tmp_path: Path) -> None:
    make_agency()
    folder = tmp_path / "nights"
    with time_machine.travel(NIGHT - timedelta(hours=5), tick=False) as clock:
        assert schedule.run_due() == 0, "nothing is scheduled"
        said = told(app, "schedule", "--to", folder)
        assert said["next"] == "2026-11-28T02:30:00.000000Z" and said["last_good"] is None
        assert schedule.run_due() == 0 and health.backups() == "ok", "it is not time yet"
        clock.move_to(NIGHT + timedelta(seconds=20))
        assert (schedule.run_due(), schedule.run_due()) == (1, 0), "another relay finds it done"
        assert [path.name for path in folder.iterdir()] == ["bidflux-20261128T023020Z.age"]
        assert told(app, "schedule")["next"] == "2026-11-29T02:30:00.000000Z" and health.backups() == "ok"
        clock.move_to(NIGHT + timedelta(hours=37))
        assert "2026-11-28 02:30" in health.backups()
        shutil.rmtree(folder)
        folder.touch()
        assert schedule.run_due() == 0 and str(folder) in health.backups()
        folder.unlink()
        assert schedule.run_due() == 0, "again in an hour"
        clock.shift(timedelta(hours=1, seconds=1))
        assert schedule.run_due() == 1 and health.backups() == "ok"
        told(app, "schedule", "--off")
        clock.shift(timedelta(days=1))
        assert schedule.run_due() == 0


def test_what_can_never_work_is_refused(app: Flask, sealed: Path, tmp_path: Path) -> None:
    for words in (("--to", "nights"), ("--to", str(tmp_path), "--at", "25:00"), ("--to", str(tmp_path), "--days", "0")):
        assert app.test_cli_runner().invoke(args=["backup", "schedule", *words]).exit_code
    settings = app.extensions["bidflux_settings"]
    app.extensions["bidflux_settings"] = dataclasses.replace(settings, backup_recipient=None)
    done = app.test_cli_runner().invoke(args=["backup", "schedule", "--to", str(tmp_path)])
    assert done.exit_code == 1 and "BACKUP_RECIPIENT" in done.stderr
    production = dataclasses.replace(settings, environment="production")
    app.extensions["bidflux_settings"] = production
    assert "backup schedule" in health.backups()
    chores.went_well(schedule.NAME)
    assert health.backups() == "ok", "a timer of the machine's own makes them"


def test_days_weeks_and_months_are_kept_and_nothing_of_others_removed(tmp_path: Path) -> None:
    nights = [NIGHT - timedelta(days=n) for n in range(400)]
    names = [f"bidflux-{night:%Y%m%dT%H%M%SZ}.age" for night in nights]
    others = ["offers.age", "bidflux-20261328T023000Z.age", ".bidflux-20200101T000000Z.age.1.age.part", "notes.txt"]
    for name in (*names, *others):
        (tmp_path / name).touch()
    dropped = schedule.rotate(tmp_path, Plan(str(tmp_path), days=7, weeks=4, months=6))
    left = {path.name for path in tmp_path.iterdir()}
    assert left >= {*others, *names[:7]} and not left & set(dropped)
    stay = sorted(left - set(others), reverse=True)
    assert len(stay) == 7 + 2 + 5, "weeks and months whose last is among the days or weeks are not kept twice"
    assert schedule.rotate(tmp_path, Plan(str(tmp_path), days=7, weeks=4, months=6)) == []


def test_a_new_machine_gets_the_seal_and_the_list_of_the_erased(app: Flask, sealed: Path, tmp_path: Path) -> None:
    agency = make_agency()
    offer = make_offer(make_property(agency, make_user(agency).id))
    checkpoints.take(agency)
    erasure.erase_all(agency, [offer], "person")
    made = told(app, "create", tmp_path / "one.age")["file"]
    root = tmp_path / "root.pem"
    shutil.copy(tmp_path / "seal" / "root.pem", root)
    before = {path.name: path.read_bytes() for path in (tmp_path / "seal").glob("*.key")}
    shutil.rmtree(tmp_path / "seal")
    (tmp_path / erasure.FILE).unlink()
    told(app, "restore", "--key", sealed, "--root", root, "--force", made)
    after = {path.name: path.read_bytes() for path in (tmp_path / "seal").glob("*.key")}
    assert before and after == before and str(offer) in (tmp_path / erasure.FILE).read_text()
    assert all(path.stat().st_mode & 0o077 == 0 for path in (tmp_path / "seal").glob("*.key"))


def test_a_backup_whose_maker_is_not_known_brings_no_seal(app: Flask, sealed: Path, tmp_path: Path) -> None:
    checkpoints.take(make_agency())
    made = told(app, "create", tmp_path / "one.age")["file"]
    key = (tmp_path / "seal" / "root.key").read_bytes()
    shutil.rmtree(tmp_path / "seal")
    told(app, "restore", "--key", sealed, "--unproven", "--force", made)
    held = tmp_path / "seal" / "root.key"
    assert not held.exists() or held.read_bytes() != key


@pytest.mark.parametrize(
    "name", ["../x", "seal/../../x", "/etc/x", "seal/.x", "seal/heads/a/b", "links.check", "erased.txt.x"]
)
def test_nothing_else_is_taken_out_of_a_backup(name: str) -> None:
    assert not archive.BESIDE.fullmatch(name)
