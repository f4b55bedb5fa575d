"""Whom an agency asks in is written to in a language that was chosen, at first the agency's."""

from __future__ import annotations

import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts import editing as accounts
from app.accounts import invitations
from app.core.ledger import SYSTEM
from app.core.signed_links import INVITATION, TimedId, sign
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import Account, Agency, Invitation, User
from tests.factories import csrf, login, make_user
from tests.mail_server import MailServer


@pytest.fixture
def english(app: Flask) -> User:
    agency = accounts.create_agency("Good Homes", "office@homes.example", language="en")
    return make_user(agency, "owner")


@pytest.mark.parametrize(("chosen", "subject"), [(None, "invites you"), ("en", "invites you"), ("ro", "invită")])
def test_an_invitation(client: FlaskClient, smtp: MailServer, english: User, chosen: str | None, subject: str) -> None:
    login(client, english)
    page = client.get("/app/settings/users").get_data(as_text=True)
    assert '<option value="en" selected' in page
    form = {"full_name": "Dan Nou", "email": "dan@homes.example", "role": "agent", "csrf_token": csrf(page)}
    form |= {"language": chosen} if chosen else {}
    assert client.post("/app/settings/users", data=form).status_code == 303
    dispatch()
    (letter,) = smtp.to("dan@homes.example")
    assert subject in letter.message["Subject"]
    assert db.session.scalars(select(Invitation.language)).one() == (chosen or "en")


@pytest.mark.parametrize(("invited", "prefers", "title"), [("en", "ro", "Choose"), ("ro", "en", "Alegeți")])
def test_the_page_behind_the_link_speaks_as_the_mail_did(
    app: Flask, english: User, invited: str, prefers: str, title: str
) -> None:
    new = accounts.NewUser("dan@homes.example", "Dan Nou", language=invited)
    invitations.invite(english.agency_id, new, by=SYSTEM)
    (held,) = invitations.waiting_in(english.agency_id)
    link = f"/account/{sign(INVITATION, TimedId(held.id, held.invited_at.timestamp()))}"
    browser = app.test_client()
    asks = {"Accept-Language": prefers}
    page = browser.get(link, headers=asks).get_data(as_text=True)
    assert f'<html lang="{invited}">' in page and title in page
    assert "signed out" not in page and "Sesiunile" not in page, "who comes in is signed in nowhere"
    short = browser.post(link, data={"password": "x"}, headers=asks)
    assert short.status_code == 422 and f'<html lang="{invited}">' in short.get_data(as_text=True)
    chosen = browser.get(f"/{prefers}{link}", headers=asks).get_data(as_text=True)
    assert f'<html lang="{prefers}">' in chosen, "the switch of language wins"
    done = browser.post(link, data={"password": "o parolă foarte lungă"}, headers=asks)
    assert done.location == f"/{invited}/login?ready=1"


def test_no_other_language(client: FlaskClient, english: User) -> None:
    login(client, english)
    page = client.get("/app/settings/users").get_data(as_text=True)
    form = {"full_name": "Dan Nou", "email": "dan@homes.example", "role": "agent", "csrf_token": csrf(page)}
    assert client.post("/app/settings/users", data={**form, "language": "xx"}).status_code == 422


def test_an_agency_changes_its_language(client: FlaskClient, english: User) -> None:
    login(client, english)
    page = client.get("/app/settings/agency").get_data(as_text=True)
    form = {"name": "Good Homes", "email": "office@homes.example", "zone": "Europe/Bucharest", "csrf_token": csrf(page)}
    assert client.post("/app/settings/agency", data={**form, "language": "ro"}).status_code == 303
    db.session.rollback()
    assert db.session.get_one(Agency, english.agency_id).language == "ro"


def test_by_command(app: Flask) -> None:
    def run(*words: str) -> dict[str, str]:
        done = app.test_cli_runner().invoke(args=[*words, "--json"])
        assert done.exit_code == 0, done.output
        found: dict[str, str] = json.loads(done.output)
        return found

    made = run("agency", "create", "--name", "Homes", "--email", "a@homes.example", "--language", "en")
    run("user", "create", "--email", "b@homes.example", "--name", "B", "--agency", made["id"])
    run("user", "create", "--email", "c@homes.example", "--name", "C", "--agency", made["id"], "--language", "ro")
    db.session.rollback()
    assert dict(db.session.execute(select(Account.email, Account.language)).all()) == {  # type: ignore[arg-type]
        "a@homes.example": "en", "b@homes.example": "en", "c@homes.example": "ro",
    }  # fmt: skip
    assert accounts.authenticate("a@homes.example", "") is None and SYSTEM
