"""Who was deactivated comes back, by page and by command: with a new password, and no session of before."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts import editing as accounts
from app.accounts import invitations, staff
from app.accounts.editing import authenticate
from app.core.errors import Invalid
from app.core.ledger import SYSTEM
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import LedgerEntry, Property, User, UserSession
from tests.factories import PASSWORD, csrf, login, make_agency, make_property, make_user
from tests.mail_server import MailServer

NEW = "altă parolă foarte lungă"


def fresh(user: User) -> User:
    db.session.rollback()
    return db.session.get_one(User, user.id)


def run(app: Flask, *words: str) -> tuple[int, Any]:
    done = app.test_cli_runner().invoke(args=["user", *words, "--json"])
    db.session.rollback()
    return done.exit_code, json.loads(done.output) if done.exit_code == 0 else done.output


def links(smtp: MailServer, to: str) -> list[str]:
    dispatch()
    return re.findall(r"http://localhost(/account/\S+)", "".join(one.body() for one in smtp.to(to)))


def test_by_page(client: FlaskClient, app: Flask, smtp: MailServer, owner: User) -> None:
    agent = make_user(owner.agency_id, language="en")
    there = app.test_client()
    login(there, agent)
    staff.deactivate(fresh(agent), heir=owner.id, by=SYSTEM)
    login(client, owner)
    page = client.get("/app/settings/users").get_data(as_text=True)
    where = f"/app/settings/users/{agent.id}/reactivate"
    assert where in page
    assert client.post(where, data={"csrf_token": csrf(page)}).status_code == 303
    assert fresh(agent).active and authenticate(agent.email, PASSWORD) is None, "the old password opens nothing"
    assert there.get("/app/offers").status_code == 303, "no session comes back"
    assert not db.session.scalars(select(UserSession).where(UserSession.user_id == agent.id)).all()
    again = client.post(where, data={"csrf_token": csrf(page)})
    assert again.status_code == 422 and len(links(smtp, agent.email)) == 1
    (link,) = links(smtp, agent.email)
    assert "invites you" in smtp.to(agent.email)[0].message["Subject"], "in their language"
    assert app.test_client().post(link, data={"password": NEW}).status_code == 303
    assert authenticate(agent.email, NEW)
    kinds = db.session.scalars(select(LedgerEntry.kind).where(LedgerEntry.object_id == agent.id)).all()
    assert kinds[-3:] == ["user.deactivated", "user.reactivated", "user.password_changed"]


def test_by_command(app: Flask, smtp: MailServer, owner: User) -> None:
    agent = make_user(owner.agency_id)
    held = make_property(owner.agency_id, agent.id)
    assert run(app, "deactivate", "--email", agent.email) == (
        0, {"email": agent.email, "active": False, "heir": owner.email},
    )  # fmt: skip
    assert not fresh(agent).active and db.session.get_one(Property, held.id).agent_id == owner.id
    for words in (("create", "--name", "Ana", "--agency", str(owner.agency_id)), ("set-password",)):
        code, said = run(app, *words, "--email", agent.email)
        assert code == 1 and "`user reactivate`" in said
    listed = run(app, "list", "--agency", str(owner.agency_id))[1]["data"]
    assert {one["email"]: one["active"] for one in listed} == {owner.email: True, agent.email: False}
    assert run(app, "reactivate", "--email", agent.email)[1] == {"email": agent.email, "active": True}
    assert "can sign in already" in run(app, "reactivate", "--email", agent.email)[1]
    assert len(links(smtp, agent.email)) == 1
    assert run(app, "deactivate", "--email", owner.email)[0] != 0, "an agency keeps an administrator"
    stranger = make_user(make_agency("Alta"), "owner")
    assert run(app, "deactivate", "--email", agent.email, "--heir", stranger.email)[0] != 0


def test_nobody_lets_a_stranger_back_in(client: FlaskClient, owner: User) -> None:
    other = make_agency("Alta")
    theirs, boss = make_user(other), make_user(other, "owner")
    staff.deactivate(theirs, heir=boss.id, by=SYSTEM)
    login(client, owner)
    page = client.get("/app/settings/users").get_data(as_text=True)
    where = f"/app/settings/users/{theirs.id}/reactivate"
    assert client.post(where, data={"csrf_token": csrf(page)}).status_code == 404
    assert not fresh(theirs).active


def test_an_invitation_says_that_somebody_left(owner: User) -> None:
    agent = make_user(owner.agency_id)
    new = accounts.NewUser(agent.email, "Altcineva")
    staff.deactivate(fresh(agent), heir=owner.id, by=SYSTEM)
    with pytest.raises(Invalid) as refused:
        invitations.invite(owner.agency_id, new, by=SYSTEM)
    assert "nu se poate autentifica" in str(refused.value.errors["email"][0]) or "sign in again" in str(
        refused.value.errors["email"][0]
    )


def test_who_left_joins_another_agency(client: FlaskClient, app: Flask, smtp: MailServer, owner: User) -> None:
    other = make_agency("Casa Cealaltă")
    agent, boss = make_user(owner.agency_id), make_user(other, "owner")
    email = agent.email
    staff.deactivate(fresh(agent), heir=owner.id, by=SYSTEM)
    invitations.invite(other, accounts.NewUser(email, "Ioana Ștefănescu"), by=SYSTEM)
    (link,) = links(smtp, email)
    assert client.post(link, data={"password": NEW}).status_code == 303
    there = authenticate(email, NEW)
    assert there and there.agency_id == other and not fresh(agent).active
    login(client, owner)
    page = client.get("/app/settings/users").get_data(as_text=True)
    told = client.post(f"/app/settings/users/{agent.id}/reactivate", data={"csrf_token": csrf(page)})
    assert told.status_code == 303
    page += client.get("/app/settings/users").text
    for word in ("Casa Cealaltă", boss.email, str(other)):
        assert word not in told.text + page, "its owner learns nothing of the other agency"
    assert fresh(agent).active and fresh(there).active and fresh(agent).account_id == fresh(there).account_id
    assert authenticate(email, NEW), "the password of the other agency stays"
    for one, heir in ((agent, owner), (there, boss)):
        staff.deactivate(fresh(one), heir=heir.id, by=SYSTEM)
    assert accounts.account_of(email) is None
    assert "several agencies" in run(app, "reactivate", "--email", email)[1]
    assert run(app, "reactivate", "--email", email, "--agency", str(owner.agency_id))[0] == 0
    assert fresh(agent).active and not fresh(there).active
    assert run(app, "deactivate", "--email", email)[1]["heir"] == owner.email, "whoever signs in is meant"


def test_one_address_signs_in_once(either_app: Flask) -> None:
    one, other = make_agency(), make_agency("Alta")
    owner, agent = make_user(one, "owner"), make_user(one)
    for agency in (one, other):
        with pytest.raises(Invalid):
            make_user(agency, email=agent.email)
    staff.deactivate(fresh(agent), heir=owner.id, by=SYSTEM)
    with pytest.raises(Invalid):  # one row a person in an agency: they are let in again, not made twice
        make_user(one, email=agent.email)
    there = make_user(other, email=agent.email)
    with pytest.raises(Invalid):
        staff.deactivate(fresh(agent), heir=owner.id, by=SYSTEM)
    assert fresh(there).active and not fresh(agent).active
    staff.reactivate(fresh(agent), by=SYSTEM)
    assert fresh(agent).account_id == fresh(there).account_id, "one person, and one account"


def test_a_link_from_before_opens_nothing_afterwards(client: FlaskClient, smtp: MailServer, owner: User) -> None:
    agent = make_user(owner.agency_id)
    invitations.ask_reset(agent.email)
    (old,) = links(smtp, agent.email)
    invitations.ask_reset(agent.email)
    staff.deactivate(fresh(agent), heir=owner.id, by=SYSTEM)
    assert links(smtp, agent.email) == [old], "who has left is written to no more"
    staff.reactivate(fresh(agent), by=SYSTEM)
    assert client.post(old, data={"password": NEW}).status_code in {404, 410}
    assert authenticate(agent.email, NEW) is None
