"""What matters most waits until the person has shown again who they are, and nothing that was typed is lost."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.models import ApiKey, User
from app.web.guards import PEOPLE
from tests.factories import PASSWORD, csrf, login

AT = datetime(2030, 3, 1, 9, 0, 10, tzinfo=UTC)
# Exports, keys, webhooks, retention, erasure, users, and how one signs in.
MATTERS = re.compile(
    r"^/app/(settings/(users|invitations|api|webhooks|retention|requests|security)|offers/<[^>]+>/erase)"
    r"|\.(csv|xlsx|zip)$|/export"
)
FREE = {"settings.security"}  # reads alone


def test_every_route_that_matters_asks_for_it(app: Flask) -> None:
    missed, flagged = [], 0
    for rule in app.url_map.iter_rules():
        declared = app.view_functions[rule.endpoint].__dict__.get("policy")
        if declared is None or declared.guard not in PEOPLE:
            continue
        reads_alone = "POST" not in (rule.methods or ())
        a_file = re.search(r"\.(csv|xlsx|zip)$|/export", rule.rule)
        if MATTERS.search(rule.rule) and not (reads_alone and not a_file):
            flagged += 1
            if not declared.step_up:
                missed.append(rule.rule)
    assert not missed and flagged > 25


def test_a_key_waits_and_what_was_typed_comes_back(client: FlaskClient, owner: User) -> None:
    with time_machine.travel(AT, tick=False) as clock:
        login(client, owner)
        page = client.get("/app/settings/api").text
        form = {"csrf_token": csrf(page), "name": "CRM nou", "kind": "live", "scope": "read", "expires": "never"}
        clock.shift(timedelta(minutes=6))
        asked = client.post("/app/settings/api", data=form)
        assert asked.status_code == 401 and not db.session.scalars(select(ApiKey)).all()
        kept = dict(re.findall(r'name="(held\.[^"]+)" value="([^"]*)"', asked.text))
        assert kept["held.name"] == "CRM nou"
        again = {"csrf_token": csrf(asked.text), "next": "/app/settings/api", **kept}
        wrong = client.post("/app/confirm", data={**again, "password": "nu e aceasta"})
        assert wrong.status_code == 422 and "CRM nou" in wrong.text
        back = client.post("/app/confirm", data={**again, "password": PASSWORD})
        assert back.status_code == 200 and "CRM nou" in back.text
        assert client.post("/app/settings/api", data=form).status_code == 200
        assert db.session.scalars(select(ApiKey.name)).all() == ["CRM nou"]


def test_reading_goes_on_and_a_file_waits(client: FlaskClient, owner: User) -> None:
    with time_machine.travel(AT, tick=False) as clock:
        login(client, owner)
        assert client.get("/app/offers.csv").status_code == 200
        clock.shift(timedelta(minutes=6))
        for path in ("/app/offers", "/app/settings/users", "/app/settings/security"):
            assert client.get(path).status_code == 200
        asked = client.get("/app/offers.csv?status=new")
        assert asked.location == "/app/confirm?next=/app/offers.csv?status%3Dnew"
        token = csrf(client.get(asked.location).text)
        form = {"csrf_token": token, "password": PASSWORD, "next": "/app/offers.csv?status=new"}
        assert client.post("/app/confirm", data=form).location == "/app/offers.csv?status=new"
        assert client.get("/app/offers.csv?status=new").status_code == 200


def test_nobody_is_sent_elsewhere_and_tries_are_counted(client: FlaskClient, owner: User) -> None:
    login(client, owner)
    token = csrf(client.get("/app/confirm").text)
    form = {"csrf_token": token, "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post("/app/confirm", data=form).location == "/app/"
    wrong = [client.post("/app/confirm", data={**form, "password": "x"}).status_code for _ in range(32)]
    assert wrong[-1] == 429
