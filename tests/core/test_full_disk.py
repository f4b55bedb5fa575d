"""A disk that fills up under the product: what was committed stays, what is new is refused, and it goes on after."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import OperationalError

from app.core.database import scrub
from app.extensions import db
from app.models import Offer
from app.ops import health
from app.privacy import erasure
from tests.conftest import make_app, migrate, settings_for
from tests.factories import make_agency, make_offer, make_property, make_user


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of its own, of 48 MB; only root may make one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", place], capture_output=True)
    if made.returncode:
        pytest.skip("this user may make no disk of its own")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(place: Path) -> Path:
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(os.urandom(4096))
        except OSError:
            pass
    return ballast


@pytest.fixture
def app(small: Path) -> Iterator[Flask]:
    made = make_app(settings_for(small / "data"))
    migrate(made)
    with made.app_context(), ExitStack() as leaving:
        leaving.callback(lambda: (db.session.remove(), db.engine.dispose()))
        yield made


def test_it_is_told_refused_and_gone_on_with(app: Flask, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "ASKED_AGAIN", 0.0)
    monkeypatch.setattr(health, "LEAST_TO_SERVE", 4 * 1024 * 1024)
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    kept = make_offer(prop)
    client = app.test_client()
    assert client.get("/readyz").status_code == 200
    ballast = fill(small)
    assert client.get("/readyz").json["checks"]["database"] == "full"
    monkeypatch.setattr(health, "LEAST_TO_SERVE", 0)
    refused = 0
    for _attempt in range(200):  # until what the log had room for is used up
        try:
            make_offer(prop)
        except (OperationalError, OSError):
            refused += 1
            break
    assert refused, "the disk is full and everything was taken?"
    db.session.rollback()
    assert client.get("/readyz").json["checks"]["database"] == "unwritable"
    there = db.session.scalar(select(func.count()).select_from(Offer))
    db.session.rollback()
    for command in (["keys", "rotate"], ["privacy", "purge"], ["backup", "key", str(small / "data" / "b.key")]):
        done = app.test_cli_runner().invoke(args=[*command, "--json"])
        assert "Traceback" not in done.output and done.exit_code in {0, 1}, done.output
        if done.exit_code:
            assert json.loads(done.stdout)["error"] and done.stderr.count("\n") == 1
    assert not (small / "data" / "b.key").exists(), "no half key"
    ballast.unlink()
    assert client.get("/readyz").status_code == 200, "without a new start"
    make_offer(prop)
    assert db.session.scalar(select(func.count()).select_from(Offer)) == there + 1
    assert db.session.get(Offer, kept) and db.session.scalar(text("PRAGMA integrity_check")) == "ok"
    db.session.rollback()
    erasure.erase_all(agency, [kept], "person")
    assert scrub(db.engine)
