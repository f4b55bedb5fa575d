"""An offer goes through everything that the product does; what is left on disk and in logs is swept for the person."""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pyrage
import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.core.clock import now
from app.core.database import is_sqlite
from app.core.ledger import SYSTEM
from app.core.logs import configure_logs
from app.core.unit_of_work import housekeeping
from app.delivery.dispatcher import dispatch
from app.delivery.webhook_dispatcher import close_webhook_dispatcher, webhook_dispatcher
from app.extensions import db
from app.models import Delivery, Offer, OfferKey, Property
from app.offers import deciding, notes
from app.privacy import erasure
from app.webhooks import editing as webhooks
from app.workers import hourly
from tests.backups.test_backup import tools  # noqa: F401
from tests.factories import csrf, login, make_agency, make_property, make_user, person_of
from tests.mail_server import MailServer
from tests.outbound.servers import receiving, reply
from tests.privacy.test_canaries import CANARIES, STRINGS, at_rest, found_in, send_canaries, valkey  # noqa: F401
from tests.webhooks.conftest import LOOPBACK


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def open_app(either_app: Flask) -> Iterator[Flask]:
    """On both databases, free to call the loopback."""
    settings = either_app.extensions["bidflux_settings"]
    either_app.extensions["bidflux_settings"] = dataclasses.replace(settings, webhook_allow_networks=LOOPBACK)
    yield either_app
    close_webhook_dispatcher(either_app)


def files_in(*folders: Path) -> bytes:
    return b"".join(path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file())


def work(app: Flask, prop: Property, away: Path) -> bytes:
    """All that agency, CRM and operator do with the offer; returns the backup, opened."""
    owner = make_user(prop.agency_id, "owner")
    by, client = person_of(owner), app.test_client()
    offer = db.session.scalars(select(Offer)).one()
    offer_id, agency_id = offer.id, offer.agency_id
    notes.write(offer, f"{CANARIES['full_name']} sună mâine", by=by)
    answer = deciding.AgencyAnswer("rejected", CANARIES["message"], message=CANARIES["message"], notify_bidder=True)
    deciding.decide_all(agency_id, [deciding.Chosen(offer_id)], answer, by=by.actor)
    with housekeeping() as connection:
        connection.execute(update(Delivery).values(due_at=now() - timedelta(seconds=1)))
    dispatch()
    dispatch()
    webhook_dispatcher().run()
    login(client, owner)
    page = client.get("/app/offers", query_string={"q": CANARIES["full_name"]}).get_data(as_text=True)
    view = {"csrf_token": csrf(page), "name": CANARIES["full_name"], "query": f"email={CANARIES['email']}"}
    assert client.post("/app/offers/views", data=view).status_code == 303
    for path in (
        f"/app/offers/{offer_id}", f"/app/offers?email={CANARIES['email']}", "/app/offers.csv", "/app/offers.xlsx",
        f"/app/settings/access?email={CANARIES['email']}", "/app/stats", f"/app/offers?q={CANARIES['phone']}",
    ):  # fmt: skip
        assert client.get(path).status_code == 200 and client.get(path).data, path
    ask = {"agency": str(agency_id), "kind": "access", "email": CANARIES["email"]}
    assert client.post("/gdpr/request", data=ask).status_code == 303
    dispatch()
    return operate(app, away)


def operate(app: Flask, away: Path) -> bytes:
    runner = app.test_cli_runner()
    copy = away / "copy.age"
    for words in (
        ["backup", "key", str(away / "backup.key")],
        ["backup", "create", str(copy), "--to", str(away / "backup.key.pub")],
        ["backup", "verify", str(copy), "--key", str(away / "backup.key")],
        ["privacy", "export", "--email", CANARIES["email"], "--out", str(away / "asked.json")],
        ["ledger", "verify", "--offers"],
        ["doctor"],
    ):
        done = runner.invoke(args=words)
        assert done.exit_code == 0 or words == ["doctor"], (words, done.output)
        assert found_in(done.output.encode()) == [], words
    asked = away / "asked.json"
    assert found_in(asked.read_bytes()) and asked.stat().st_mode & 0o077 == 0, "what was asked for, for nobody else"
    asked.unlink()
    assert found_in(copy.read_bytes()) == []
    identity = pyrage.x25519.Identity.from_str((away / "backup.key").read_text().splitlines()[1])
    return pyrage.decrypt(copy.read_bytes(), [identity])


def test_no_canary_is_left_by_anything_that_is_done_with_an_offer(
    open_app: Flask,
    either_smtp: MailServer,
    valkey: str,  # noqa: F811
    elsewhere: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    configure_logs(open_app, level=logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.WARNING, logger="mail.log")  # the test's own mail server
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id, signature_required=True)
    away = tmp_path / "away"
    away.mkdir()
    with receiving(lambda _request: reply(500, CANARIES["full_name"].encode())) as receiver:
        webhooks.create(agency, receiver.url, ("offer.created",), by=SYSTEM)
        buyer: FlaskClient = open_app.test_client()
        send_canaries(buyer, prop)
        opened = work(open_app, prop, away)
    assert len(either_smtp.letters) >= 4 and any(found_in(one.raw) for one in either_smtp.letters)
    assert {row.state for row in db.session.execute(select(Delivery.state).where(Delivery.kind == "receipt"))} == {
        "delivered"
    }
    queue = redis.Redis.from_url(valkey)
    queue.save()
    swept = {
        "database": at_rest(),
        "data folder, queue and temporary files": files_in(tmp_path),
        "queue": b"".join(queue.dump(key) or b"" for key in queue.scan_iter()) + repr([*queue.scan_iter()]).encode(),
        "backup, opened": opened,
        "logs": "".join((*capfd.readouterr(), caplog.text)).encode(),
    }
    assert {name: found_in(data) for name, data in swept.items()} == {name: [] for name in swept}
    assert list(elsewhere.iterdir()) == [], "nothing stays in the folder for temporary files"
    assert len(swept["logs"]) > 2_000 and len(STRINGS) > 8, "there was something to sweep"
    forgotten_again(agency)


def forgotten_again(agency_id) -> None:  # type: ignore[no-untyped-def]
    """And once the person is forgotten, the key is in no file either."""
    wrapped = db.session.scalars(select(OfferKey.wrapped)).one()
    erasure.erase_all(agency_id, db.session.scalars(select(Offer.id)).all(), "person")
    hourly.tidy()
    left = at_rest()
    assert found_in(left) == []
    if is_sqlite(db.engine):
        assert wrapped not in left
