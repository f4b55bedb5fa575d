"""`doctor`, `/healthz`, `/readyz` and `/metrics` say what is wrong, and nothing when nothing is."""

from __future__ import annotations

import dataclasses
import json
import os
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import text, update

from app.config import load_settings
from app.core.clock import now
from app.core.keys import keyring
from app.core.logs import configure_logs
from app.core.unit_of_work import housekeeping
from app.core.vault import Keyring
from app.core.version import VERSION
from app.core.wake import waker
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import Delivery
from app.ops import health, proxies
from app.privacy import data_requests
from tests.core.test_settings import SOUND, refused
from tests.factories import make_agency, make_offer, make_property, make_user
from tests.mail_server import MailServer, point


@pytest.fixture
def mailed(either_app: Flask, mailbox: MailServer) -> Flask:
    """With a mail server that answers."""
    point(either_app, mailbox)
    having(either_app, mail_server="127.0.0.1", mail_port=mailbox.port)
    return either_app


def having(app: Flask, **settings: Any) -> None:
    app.extensions["bidflux_settings"] = dataclasses.replace(app.extensions["bidflux_settings"], **settings)


def doctor(app: Flask) -> tuple[int, dict[str, str]]:
    """Its exit code, and what is not in order."""
    done = app.test_cli_runner().invoke(args=["doctor", "--json"])
    found = json.loads(done.output)
    assert found.pop("ok") is (done.exit_code == 0)
    return done.exit_code, {name: said for name, said in found.items() if not said.startswith("ok")}


def test_a_sound_installation(mailed: Flask) -> None:
    make_offer(make_property(agency := make_agency(), make_user(agency).id))
    assert doctor(mailed) == (0, {})
    client = mailed.test_client()
    assert client.get("/healthz").json == {"status": "ok", "version": VERSION}
    checks = dict.fromkeys(("database", "migrations", "queue", "deliveries", "disk"), "ok")
    assert client.get("/readyz").json == {"status": "ok", "checks": checks, "oldest_due_seconds": 0}
    told = client.get("/metrics").get_data(as_text=True)
    assert 'bidflux_deliveries{kind="mail",state="pending"} 2.0' in told
    assert 'bidflux_deliveries{kind="receipt",state="pending"} 1.0' in told
    assert client.get("/metrics", environ_overrides={"REMOTE_ADDR": "203.0.113.7"}).status_code == 404


def test_everything_that_can_be_wrong_is_named(mailed: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    agency = make_agency()
    make_user(agency, "owner")
    make_offer(make_property(agency, make_user(agency).id))
    data_requests.ask_as_bidder(agency, "ana@client.example", "ro")
    having(mailed, mail_port=1)
    mailed.extensions["mail"].port = 1
    mailed.extensions["bidflux_keyring"], ring = Keyring([os.urandom(32)]), keyring()
    monkeypatch.setattr(health, "LEAST_FREE", 2**80)
    with housekeeping() as connection:
        dead = update(Delivery).where(Delivery.template == "offer_bidder")
        connection.execute(dead.values(state="dead", ended_at=now()))
    with time_machine.travel(now() + timedelta(days=31)):
        code, wrong = doctor(mailed)
        age = mailed.test_client().get("/metrics").get_data(as_text=True)
        ready = mailed.test_client().get("/readyz")
        assert ready.status_code == 200 and ready.json["oldest_due_seconds"] > 2_600_000
        assert (ready.json["checks"]["deliveries"], ready.json["checks"]["disk"]) == ("late", "low")
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


TOKEN = "a-token-that-nobody-guesses-2026-11"


def mail_said(app: Flask) -> str:
    return str(json.loads(app.test_cli_runner().invoke(args=["doctor", "--json"]).output)["mail"])


def test_mail_in_clear_is_said_and_a_server_that_cannot_do_better_is_not_used(app: Flask, mailbox: MailServer) -> None:
    point(app, mailbox)
    having(app, mail_server="127.0.0.1", mail_port=mailbox.port)
    assert mail_said(app).startswith("ok: in clear") and "MAIL_USE_TLS=0" in mail_said(app)
    having(app, mail_server="smtp.example")
    assert mail_said(app).startswith("mail leaves this machine in clear")
    app.extensions["mail"].use_tls = True
    assert "offers no STARTTLS" in mail_said(app)
    mailbox.stop()
    assert "does not answer" in mail_said(app)


@pytest.mark.parametrize(
    ("given", "starttls", "tls"),
    [({}, True, False), ({"MAIL_PORT": "465"}, False, True), ({"MAIL_USE_TLS": "0"}, False, False)],
)
def test_mail_is_encrypted_unless_plain_is_asked_for_by_name(given: dict[str, str], starttls: bool, tls: bool) -> None:
    found = load_settings({**SOUND, **given})
    assert (found.mail_use_tls, found.mail_use_ssl) == (starttls, tls)


@pytest.mark.parametrize("field", ["X-Forwarded-For", "X-Real-IP", "Forwarded"])
def test_a_proxy_that_nobody_told_of_is_noticed(app: Flask, field: str, capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs(app)
    client = app.test_client()
    client.get("/healthz")
    client.get("/healthz", headers={field: "198.51.100.7"}, environ_overrides={"REMOTE_ADDR": "203.0.113.9"})
    assert "proxy" not in doctor(app)[1], "a stranger writes what they like"
    client.get("/healthz", headers={field: "198.51.100.7"})
    assert "TRUSTED_PROXIES=0" in doctor(app)[1]["proxy"]
    assert capfd.readouterr().err.count("proxy_not_trusted") == 1
    proxies.warn()
    assert "TRUSTED_PROXIES=0" in capfd.readouterr().err, "as the next start does"
    with time_machine.travel(now() + timedelta(days=8)):
        assert proxies.said() == ""
    having(app, trusted_proxies=1)
    assert proxies.said() == ""
    having(app, trusted_proxies=0, base_url="https://oferte.example")
    assert "https://" in proxies.said()


def test_figures_take_a_token(app: Flask) -> None:
    having(app, metrics_token=TOKEN)
    client = app.test_client()
    afar = {"REMOTE_ADDR": "203.0.113.7"}
    answer = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, environ_overrides=afar)
    assert answer.status_code == 200 and "bidflux_" in answer.text
    for wrong in ("", TOKEN[:-1], f"{TOKEN}x", "Bearer", "ș", f"Basic {TOKEN}"):
        headers = {"Authorization": f"Bearer {wrong}" if wrong != f"Basic {TOKEN}" else wrong}
        assert client.get("/metrics", headers=headers).status_code == 404, wrong
    assert client.get("/metrics").status_code == 404, "the machine itself needs it too: a proxy may stand on it"
    assert "METRICS_TOKEN" in refused(METRICS_TOKEN="short")
    assert "LOG_LEVEL" in refused(LOG_LEVEL="loud") and load_settings({**SOUND, "LOG_LEVEL": "Warning"}).log_level == 30
