"""The first agency is made by a link that works once."""

from __future__ import annotations

import json
import runpy
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
import time_machine
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.accounts import editing as accounts
from app.accounts import founding
from app.accounts.editing import authenticate
from app.core.clock import now
from app.core.errors import StaleVersion
from app.core.signed_links import ACCOUNT, SETUP, AccountLink, sign
from app.extensions import db
from app.models import Agency, AgencyKey, LedgerEntry, Property, SetupLink, User
from tests.conftest import ROOT
from tests.factories import PASSWORD, csrf, login, make_agency

FIRST = {
    "full_name": "Ioana Ștefănescu",
    "email": "Ioana@Casa-Buna.example",
    "password": PASSWORD,
    "name": "Casa Bună",
    "language": "en",
    "currency": "RON",
    "zone": "Europe/Chisinau",
}


def path() -> str:
    found = founding.link()
    assert found
    return found[0].removeprefix("http://localhost")


def agencies() -> int:
    db.session.rollback()
    return db.session.scalars(select(func.count()).select_from(Agency)).one()


def test_the_link_makes_the_agency_and_its_owner_once(client: FlaskClient) -> None:
    link = path()
    assert path() == link, "asked again it is the same, until it is used"
    for _ in range(2):
        shown = client.get(link)
        assert shown.status_code == 200 and "Set-Cookie" not in shown.headers and agencies() == 0
        assert shown.headers["Referrer-Policy"] == "no-referrer" and shown.headers["Cache-Control"] == "no-store"
    done = client.post(link, data=FIRST)
    assert done.status_code == 303 and done.location == "/en/login?ready=1&next=/app/settings/security"
    agency = db.session.scalars(select(Agency)).one()
    assert (agency.name, agency.zone, agency.currency, agency.language) == ("Casa Bună", "Europe/Chisinau", "RON", "en")
    owner = authenticate("ioana@casa-buna.example", PASSWORD)
    assert owner and owner.is_owner and owner.agency_id == agency.id and owner.language == "en"
    kinds = db.session.execute(select(LedgerEntry.kind, LedgerEntry.actor_id).order_by(LedgerEntry.seq)).all()
    assert [row.kind for row in kinds] == ["agency.created", "user.created", "agency.founded"]
    assert kinds[-1].actor_id == owner.id
    assert client.get(link).status_code == client.post(link, data=FIRST).status_code == 410
    assert founding.link() is None and agencies() == 1 and not db.session.scalars(select(SetupLink)).all()
    login(client, owner)
    page = client.get("/app/properties/new").get_data(as_text=True)
    assert '<option value="RON" selected>' in page


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("email", "nimic"), ("password", "scurtă"), ("password", "casabuna2026!"), ("name", "  "),
        ("zone", "Europe/Cluj"), ("currency", "USD"), ("language", "xx"), ("full_name", ""), ("name", "a" * 300),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_makes_nothing(client: FlaskClient, name: str, value: str) -> None:
    link = path()
    answer = client.post(link, data={**FIRST, name: value})
    assert answer.status_code == 422 and agencies() == 0
    assert PASSWORD not in answer.get_data(as_text=True)
    assert client.post(link, data=FIRST).status_code == 303, "the link is still good"


def test_a_forged_link_is_not_found_and_a_late_one_is_gone(client: FlaskClient) -> None:
    link = path()
    flipped = f"{link[:-1]}{'A' if link[-1] != 'A' else 'E'}"
    other = sign(ACCOUNT, AccountLink(uuid.uuid4(), 2e9, bytes(8)))
    for forged in (flipped, f"/setup/{other}", "/setup/x", f"{link}x"):
        assert client.get(forged).status_code == client.post(forged, data=FIRST).status_code == 404
    assert client.get(f"/setup/{sign(SETUP, uuid.uuid4())}").status_code == 410
    with time_machine.travel(now() + timedelta(hours=23, minutes=30)):
        later = path()
        assert later != link and client.get(link).status_code == client.get(later).status_code == 200
    with time_machine.travel(now() + timedelta(hours=25)):
        assert client.get(link).status_code == client.post(link, data=FIRST).status_code == 410
        assert agencies() == 0
        assert client.post(later, data=FIRST).status_code == 303


def test_an_agency_made_otherwise_ends_the_link(client: FlaskClient) -> None:
    link = path()
    make_agency()
    answer = client.post(link, data=FIRST)
    assert answer.status_code == 410 and "setup-link" in answer.get_data(as_text=True) and agencies() == 1


def test_two_at_once_make_one_agency(either_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also with two different links, as two machines may have printed them."""
    founding.link()
    with time_machine.travel(now() + timedelta(hours=23, minutes=30)):
        founding.link()
    links = list(db.session.scalars(select(SetupLink.id)))
    assert len(links) == 2
    db.session.rollback()
    both = threading.Barrier(2)

    class Together(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            both.wait(120)
            return super().hash(password, salt=salt)

    monkeypatch.setattr(accounts, "hasher", Together(time_cost=1, memory_cost=8, parallelism=1))

    def make(number: int) -> str:
        with either_app.app_context():
            owner = accounts.NewUser(f"o{number}@casa.example", "Ana Pop")
            try:
                founding.found(links[number], founding.FirstAgency("Casa", "UTC", "EUR"), owner, PASSWORD)
            except StaleVersion:
                return "gone"
            return "made"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(make, (0, 1))) == ["gone", "made"]
    assert agencies() == 1
    assert len(db.session.scalars(select(User)).all()) == 1 and len(db.session.scalars(select(AgencyKey)).all()) == 4


def test_an_owner_who_cannot_be_made_leaves_no_agency(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    link = path()

    def fails(*_given: object, **_more: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(accounts, "create_user", fails)
    assert client.post(link, data=FIRST).status_code == 500 and agencies() == 0
    monkeypatch.undo()
    assert client.post(link, data=FIRST).status_code == 303


def test_the_command_names_the_link_while_there_is_no_agency(app: Flask) -> None:
    run = app.test_cli_runner().invoke
    said = json.loads(run(args=["setup-link", "--json"]).stdout)
    assert said["setup_url"] == f"http://localhost{path()}" and said["expires_at"].endswith("Z")
    assert said["setup_url"] in run(args=["setup-link"]).stdout
    make_agency()
    refused = run(args=["setup-link", "--json"])
    assert refused.exit_code == 1 and "agency create" in json.loads(refused.stdout)["error"]


def test_the_start_names_the_link_where_no_make_run_does(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    server, settings = runpy.run_path(str(ROOT / "gunicorn.conf.py")), app.extensions["bidflux_settings"]
    server["_name_setup_link"](settings)
    assert not capfd.readouterr().err, "`make run` says it by itself"
    server["_name_setup_link"](replace(settings, environment="production"))
    assert f"http://localhost{path()}\n" in capfd.readouterr().err
    make_agency()
    capfd.readouterr()
    server["_name_setup_link"](replace(settings, environment="production"))
    assert "setup" not in capfd.readouterr().err


def test_a_new_property_is_priced_as_the_agency_says(app: Flask, client: FlaskClient, owner: User) -> None:
    login(client, owner)
    page = client.get("/app/settings/agency").get_data(as_text=True)
    facts = {"name": "Casa", "email": "a@casa.example", "zone": "UTC", "language": "ro", "csrf_token": csrf(page)}
    assert client.post("/app/settings/agency", data={**facts, "currency": "USD"}).status_code == 422
    assert client.post("/app/settings/agency", data={**facts, "currency": "RON"}).status_code == 303
    key = accounts.create_api_key(owner.agency_id, "CRM", by=founding.Actor("user", owner.id))
    bearer = {"Authorization": f"Bearer {key}"}

    def put(name: str, **sent: object) -> str:
        answer = client.put(f"/api/crm/properties/external/{name}", json={"title": "Casă", **sent}, headers=bearer)
        assert answer.status_code in {200, 201}
        return str(answer.json["currency"])

    assert put("1") == "RON" and put("2", currency="EUR") == "EUR"
    assert put("2") == put("2", currency=None) == "EUR", "left out it stays as it is"
    assert {prop.currency for prop in db.session.scalars(select(Property))} == {"RON", "EUR"}
