"""The operator's page is for whom the command line marked, holds no client's data, and a mail says what is wrong."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update

from app.accounts import operators, staff
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.unit_of_work import housekeeping
from app.core.version import VERSION
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import Delivery, Property, User
from app.ops import chores, health, reporting
from app.proof import checkpoints
from tests.factories import csrf, login, make_agency, make_offer, make_property, make_user
from tests.mail_server import MailServer, deliveries


def command(app: Flask, *words: str) -> dict[str, object]:
    done = app.test_cli_runner().invoke(args=["operator", *words, "--json"])
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.output))


def test_only_who_was_marked_sees_the_page(app: Flask, client: FlaskClient, owner: User) -> None:
    assert client.get("/ops").status_code == 303
    login(client, owner)
    assert client.get("/ops").status_code == 404, "an agency's owner is none by that"
    address = owner.email
    assert command(app, "add", "--email", address.upper()) == {"email": address, "operator": True}
    command(app, "add", "--email", address)
    assert command(app, "list")["data"] == [address]
    page = client.get("/ops")
    assert page.status_code == 200 and f"BidFlux {VERSION}" in page.text and "noindex" in page.headers["X-Robots-Tag"]
    command(app, "remove", "--email", address)
    assert client.get("/ops").status_code == 404
    assert app.test_cli_runner().invoke(args=["operator", "add", "--email", "nimeni@x.example"]).exit_code == 1


@pytest.mark.parametrize("language", ["ro", "en"])
def test_the_page_tells_states_and_counts_and_no_client(
    app: Flask, client: FlaskClient, prop: Property, owner: User, language: str
) -> None:
    make_offer(prop)
    checkpoints.take(prop.agency_id)
    with housekeeping() as connection:
        dead = update(Delivery).where(Delivery.template == "offer_bidder")
        connection.execute(dead.values(state="dead", ended_at=now(), attempts=9))
    operators.add(owner.account_id)
    login(client, owner)
    text = client.get(f"/{language}/ops").text
    said = {
        "ro": ("Livrări cu probleme", "Nu a putut fi trimis", "Copii de rezervă", "offer_bidder"),
        "en": ("Deliveries in trouble", "Could not be sent", "Backups", "offer_bidder"),
    }
    assert all(words in text for words in said[language])
    assert "Țurcanu" not in text and "client.example" not in text and "BF-" not in text


def test_a_delivery_in_trouble_is_tried_again(
    app: Flask, client: FlaskClient, prop: Property, owner: User, smtp: MailServer
) -> None:
    make_offer(prop)
    with housekeeping() as connection:
        dead = update(Delivery).where(Delivery.template == "offer_bidder")
        connection.execute(dead.values(state="dead", ended_at=now(), attempts=9))
    [held] = [one.id for one in deliveries() if one.template == "offer_bidder"]
    login(client, owner)
    data = {"csrf_token": csrf(client.get("/app/properties/new").text)}
    where = f"/ops/deliveries/{held}/retry"
    assert client.post(where, data=data).status_code == 404
    operators.add(owner.account_id)
    assert client.post(where, data=data).status_code == 303
    dispatch()
    assert {one.state for one in deliveries()} == {"delivered"}
    assert client.post(where, data=data).status_code == 409, "it was delivered"
    assert client.post(f"/ops/deliveries/{uuid.uuid4()}/retry", data=data).status_code == 404


def test_the_mark_goes_with_the_account(app: Flask, owner: User) -> None:
    """Whoever is given the address later is no operator by that."""
    operators.add(owner.account_id)
    colleague = make_user(owner.agency_id, "owner", email="alta@agentie.example")
    account_id = owner.account_id
    staff.deactivate(db.session.get_one(User, owner.id), heir=colleague.id, by=SYSTEM)
    assert operators.all_of_them() == [] and not operators.is_operator(account_id)


def test_a_mail_a_day_while_something_is_wrong(app: Flask, smtp: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    make_offer(make_property(agency := make_agency(), make_user(agency).id))
    monkeypatch.setattr(health, "CHECKS", {"disk": lambda: "low", "mail": lambda: "ok: in clear"})
    six = datetime(2026, 11, 28, 6, tzinfo=UTC)

    def looked(at: datetime) -> int:
        with time_machine.travel(at):
            return reporting.run_due()

    assert looked(six - timedelta(hours=1)) == 0 and smtp.letters == [], "it is not time"
    assert (looked(six + timedelta(seconds=5)), looked(six + timedelta(seconds=9))) == (1, 0)
    [letter] = smtp.letters
    assert letter.to == ["support@bidflux.ro"] and "disk: low" in letter.body() and "in clear" not in letter.body()
    assert "/ops" in letter.body() and "1 " in str(letter.message["Subject"])
    smtp.stop()
    assert looked(six + timedelta(days=1, minutes=1)) == 0
    held = chores.chore(reporting.NAME)
    assert held and held.fault == "CannotConnect"
    smtp.start()
    assert looked(six + timedelta(days=1, hours=1, minutes=2)) == 1, "an hour later"
    monkeypatch.setattr(health, "CHECKS", {"disk": lambda: "ok"})
    assert looked(six + timedelta(days=2, minutes=1)) == 0 and len(smtp.letters) == 2, "nothing is wrong"
    db.session.rollback()
