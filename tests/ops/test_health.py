"""`doctor`, `/healthz`, `/readyz` and `/metrics` say what is wrong, and nothing when nothing is."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text, update

from app.core.clock import now
from app.core.keys import keyring
from app.core.unit_of_work import housekeeping
from app.core.vault import Keyring
from app.core.wake import waker
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import Delivery
from app.ops import health
from app.privacy import data_requests
from tests.factories import make_agency, make_offer, make_property, make_user


@pytest.fixture
def mailed(either_app: Flask) -> Iterator[Flask]:
    """With a mail server that answers, or seems to."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = either_app.extensions["bidflux_settings"]
        here = {"mail_server": "127.0.0.1", "mail_port": server.getsockname()[1]}
        either_app.extensions["bidflux_settings"] = dataclasses.replace(settings, **here)
        yield either_app


def doctor(app: Flask) -> tuple[int, dict[str, str]]:
    """Its exit code, and what is not in order."""
    done = app.test_cli_runner().invoke(args=["doctor", "--json"])
    found = json.loads(done.output)
    assert found.pop("ok") is (done.exit_code == 0)
    return done.exit_code, {name: said for name, said in found.items() if said != "ok"}


def test_a_sound_installation(mailed: Flask) -> None:
    make_offer(make_property(agency := make_agency(), make_user(agency).id))
    assert doctor(mailed) == (0, {})
    client = mailed.test_client()
    assert client.get("/healthz").json == {"status": "ok"}
    assert client.get("/readyz").json == {
        "status": "ok",
        "checks": {"database": "ok", "migrations": "ok", "queue": "ok"},
    }
    figures = client.get("/metrics").get_data(as_text=True)
    assert 'bidflux_deliveries{state="pending"} 3.0' in figures
    assert client.get("/metrics", environ_overrides={"REMOTE_ADDR": "203.0.113.7"}).status_code == 404


def test_everything_that_can_be_wrong_is_named(mailed: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    agency = make_agency()
    make_user(agency, "owner")
    make_offer(make_property(agency, make_user(agency).id))
    data_requests.ask_as_bidder(agency, "ana@client.example", "ro")
    settings = mailed.extensions["bidflux_settings"]
    mailed.extensions["bidflux_settings"] = dataclasses.replace(settings, mail_port=1)
    mailed.extensions["bidflux_keyring"], ring = Keyring([os.urandom(32)]), keyring()
    monkeypatch.setattr(health, "LEAST_FREE", 2**80)
    with housekeeping() as connection:
        dead = update(Delivery).where(Delivery.template == "offer_bidder")
        connection.execute(dead.values(state="dead", ended_at=now()))
    with time_machine.travel(now() + timedelta(days=31)):
        code, wrong = doctor(mailed)
        age = mailed.test_client().get("/metrics").get_data(as_text=True)
    assert code == 1 and set(wrong) == {"mail", "relay", "deliveries", "keys", "requests", "disk"}
    assert "does not answer" in wrong["mail"] and "is a relay running?" in wrong["relay"]
    assert wrong["deliveries"].startswith("1 ") and ring.active in wrong["keys"] and wrong["requests"].startswith("1 ")
    assert "bidflux_delivery_oldest_due_seconds 2.67" in age


def test_a_database_that_is_behind_or_away_and_a_queue_that_is(mailed: Flask) -> None:
    client = mailed.test_client()
    waker().connection.connection_pool.connection_kwargs["port"] = 1
    waker().connection.connection_pool.disconnect()
    assert client.get("/readyz").status_code == 200 and client.get("/readyz").json["checks"]["queue"] == "away"
    db.session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    db.session.commit()
    behind = client.get("/readyz")
    assert behind.status_code == 503 and behind.json["checks"]["migrations"] == "behind"
    db.session.execute(text("DROP TABLE alembic_version"))
    db.session.commit()
    code, wrong = doctor(mailed)
    assert code == 1 and {"migrations", "queue"} <= set(wrong) and "flask db upgrade" in wrong["migrations"]
    assert client.get("/healthz").status_code == 200, "alive all the same"
    dispatch()


@pytest.mark.parametrize(("revision", "status"), [("9999", 200), ("0030", 503), ("0001", 503), ("", 503)])
def test_a_newer_schema_serves_and_an_older_one_does_not(either_app: Flask, revision: str, status: int) -> None:
    with housekeeping() as connection:
        held = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": revision or "x"})
        if not revision:
            connection.execute(text("DELETE FROM alembic_version"))
    try:
        answer = either_app.test_client().get("/readyz")
        assert answer.status_code == status and answer.json
        assert answer.json["checks"]["migrations"] == ("ok" if status == 200 else "behind")
    finally:
        with housekeeping() as connection:
            connection.execute(text("DELETE FROM alembic_version"))
            connection.execute(text("INSERT INTO alembic_version VALUES (:v)"), {"v": held})
