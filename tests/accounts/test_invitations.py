"""Colleagues are invited by mail, and choose a new password by mail when they have forgotten theirs."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial

import pytest
import time_machine
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from app.accounts import editing as accounts
from app.accounts import invitations, staff
from app.accounts.editing import authenticate
from app.core.clock import now
from app.core.errors import StaleVersion
from app.core.ledger import SYSTEM
from app.core.signed_links import INVITATION, TimedId, sign
from app.core.unit_of_work import OPEN
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import Invitation, LedgerEntry, ResetRequest, User, UserSession
from app.workers.relay import sweep
from tests.factories import PASSWORD, csrf, login, make_agency, make_user
from tests.mail_server import MailServer

NEW, OTHER = "altă parolă foarte lungă", "încă o parolă destul de lungă"


def forget(client: FlaskClient, email: str) -> int:
    token = csrf(client.get("/login/forgot").get_data(as_text=True))
    return client.post("/login/forgot", data={"email": email, "csrf_token": token}).status_code


def links(smtp: MailServer, to: str) -> list[str]:
    dispatch()
    return re.findall(r"http://localhost(/account/\S+)", "".join(one.body() for one in smtp.to(to)))


def kinds() -> list[str]:
    db.session.rollback()
    return list(db.session.scalars(select(LedgerEntry.kind).where(LedgerEntry.kind.startswith("user."))))


def test_an_invited_colleague_chooses_a_password_once(client: FlaskClient, smtp: MailServer, owner: User) -> None:
    login(client, owner)
    page = client.get("/app/settings/users").get_data(as_text=True)
    form = {"full_name": "Dan Nou", "email": "dan@agentie.example", "phone": "", "role": "agent"}
    answer = client.post("/app/settings/users", data={**form, "csrf_token": csrf(page)})
    assert answer.status_code == 303
    assert "dan@agentie.example" in client.get("/app/settings/users").get_data(as_text=True)
    (link,) = links(smtp, "dan@agentie.example")
    browser = client.application.test_client()
    for _ in range(3):
        opened = browser.get(link)
        assert opened.status_code == 200 and "Set-Cookie" not in opened.headers
        assert opened.headers["Referrer-Policy"] == "no-referrer" and opened.headers["Cache-Control"] == "no-store"
    assert authenticate("dan@agentie.example", NEW) is None, "opening it changes nothing"
    assert browser.post(link, data={"password": "scurtă"}).status_code == 422
    done = browser.post(link, data={"password": NEW})
    assert done.status_code == 303 and "parola" in browser.get(done.location).get_data(as_text=True).lower()
    assert authenticate("dan@agentie.example", NEW)
    assert browser.post(link, data={"password": "a treia parolă lungă"}).status_code == 410, "good once"
    assert browser.get(link).status_code == 410
    user_id = db.session.scalars(select(User.id).where(User.email == "dan@agentie.example")).one()
    assert not db.session.scalars(select(Invitation)).all()
    page = client.get("/app/settings/users").get_data(as_text=True)
    again = client.post(f"/app/settings/users/{user_id}/invite", data={"csrf_token": csrf(page)})
    assert again.status_code == 303 and len(links(smtp, "dan@agentie.example")) == 2
    assert kinds() == [*kinds()[:-3], "user.invited", "user.created", "user.invited"]


def test_who_signs_in_elsewhere_is_told_and_the_agency_is_not(
    client: FlaskClient, smtp: MailServer, owner: User
) -> None:
    elsewhere = make_user(make_agency("Cealaltă"), "owner")
    gone = make_user(elsewhere.agency_id)
    staff.deactivate(gone, heir=elsewhere.id, by=SYSTEM)
    login(client, owner)
    seen, agency_id, addresses = [], owner.agency_id, ("nou@agentie.example", elsewhere.email, gone.email)
    for email in addresses:
        page = client.get("/app/settings/users").get_data(as_text=True)
        form = {"full_name": "Dan Nou", "email": email, "phone": "", "role": "agent", "csrf_token": csrf(page)}
        said = statements(partial(client.post, "/app/settings/users", data=form))
        shown = client.get("/app/settings/users").get_data(as_text=True)
        invited = db.session.scalars(select(Invitation.id)).one()
        shown = shown.replace(email, "EMAIL").replace(str(invited), "ID")
        seen.append((said, re.sub(r'value="[^"]{40,}"|\d\d:\d\d', "", shown)))
        dispatch()
        invitations.withdraw(agency_id, invited, by=SYSTEM)
    assert seen[0] == seen[1] == seen[2]
    for email, known in zip(addresses, (False, True, False), strict=True):
        (letter,) = smtp.to(email)
        assert "/account/" in letter.body() and ("la o altă agenție" in letter.body()) is known


def test_an_address_taken_in_the_meantime_joins_with_what_it_has(app: Flask, owner: User) -> None:
    invitations.invite(owner.agency_id, accounts.NewUser("dan@agentie.example", "Dan Nou"), by=SYSTEM)
    (held,) = invitations.waiting_in(owner.agency_id)
    link = f"/account/{sign(INVITATION, TimedId(held.id, held.invited_at.timestamp()))}"
    other = make_agency("Cealaltă")
    accounts.create_user(other, accounts.NewUser("dan@agentie.example", "Dan"), PASSWORD)
    browser = app.test_client()
    with pytest.raises(StaleVersion):  # as the page would, had it been opened before
        invitations.accept(held, NEW)
    assert browser.get(link).status_code == 200
    assert browser.post(link, data={"password": NEW}).status_code == 303
    assert browser.post(link, data={"password": NEW}).status_code == 410
    assert authenticate("dan@agentie.example", PASSWORD) and not authenticate("dan@agentie.example", NEW)


def test_an_invitation_lapses_and_only_its_last_link_is_good(either_app: Flask) -> None:
    owner = make_user(make_agency(), "owner")
    invitations.invite(owner.agency_id, accounts.NewUser("dan@agentie.example", "Dan Nou"), by=SYSTEM)
    (held,) = invitations.waiting_in(owner.agency_id)
    first = TimedId(held.id, held.invited_at.timestamp())
    assert invitations.of_link(first)
    invitations.ask_again(owner.agency_id, held.id, by=SYSTEM)
    (held,) = invitations.waiting_in(owner.agency_id)
    second = TimedId(held.id, held.invited_at.timestamp())
    assert invitations.of_link(second) and not invitations.of_link(first)
    with time_machine.travel(now() + timedelta(days=8)):
        assert not invitations.of_link(second)


def test_of_two_who_accept_at_once_one_comes_in(app: Flask, owner: User) -> None:
    invitations.invite(owner.agency_id, accounts.NewUser("dan@agentie.example", "Dan Nou"), by=SYSTEM)
    (held,) = invitations.waiting_in(owner.agency_id)
    link = f"/account/{sign(INVITATION, TimedId(held.id, held.invited_at.timestamp()))}"
    db.session.rollback()

    def post(password: str) -> int:
        with app.app_context():
            return app.test_client().post(link, data={"password": password}).status_code

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(post, (NEW, OTHER))) == [303, 410]
    assert kinds().count("user.created") == 2  # the owner's too


def test_a_password_is_hashed_before_the_agency_is_locked(
    client: FlaskClient, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    login(client, owner)
    page, open_units = client.get("/app/settings/users").get_data(as_text=True), []

    class Watched(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            open_units.append(db.session.info.get(OPEN))
            return super().hash(password, salt=salt)

    monkeypatch.setattr(accounts, "hasher", Watched())
    form = {"present": PASSWORD, "password": NEW, "csrf_token": csrf(page)}
    assert client.post("/app/settings/password", data=form).status_code == 303 and open_units == [None]
    assert kinds()[-1] == "user.password_changed"


def test_of_two_who_use_a_link_at_once_one_is_refused(
    client: FlaskClient, smtp: MailServer, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, both = owner.email, threading.Barrier(2)
    forget(client, email)
    (link,) = links(smtp, email)

    class Together(PasswordHasher):
        def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
            both.wait(120)
            return super().hash(password, salt=salt)

    def post(password: str) -> int:
        with client.application.app_context():
            return client.application.test_client().post(link, data={"password": password}).status_code

    monkeypatch.setattr(accounts, "hasher", Together())
    with ThreadPoolExecutor(2) as pool:
        answers = dict(zip((NEW, OTHER), pool.map(post, (NEW, OTHER)), strict=True))
    assert sorted(answers.values()) == [303, 410]
    assert [bool(authenticate(email, password)) for password in answers] == [n == 303 for n in answers.values()]
    assert kinds().count("user.password_changed") == 1


def test_a_forgotten_password_is_chosen_anew_and_every_session_ends(
    client: FlaskClient, smtp: MailServer, owner: User
) -> None:
    login(client, owner)
    email = owner.email
    browser = client.application.test_client()
    assert "/login/forgot" in browser.get("/login").get_data(as_text=True)
    assert forget(browser, f" {email.upper()} ") == 303
    (link,) = links(smtp, email)
    assert client.get("/app/offers").status_code == 200, "asking ends nothing"
    assert browser.post(link, data={"password": NEW}).status_code == 303
    assert client.get("/app/offers").status_code == 303
    assert db.session.scalars(select(UserSession)).all() == []
    assert authenticate(email, NEW) and not authenticate(email, PASSWORD)
    assert kinds()[-2:] == ["user.reset_asked", "user.password_changed"]


def test_nobody_learns_who_signs_in_and_no_mailbox_is_filled(
    client: FlaskClient, smtp: MailServer, owner: User
) -> None:
    email = owner.email
    assert [forget(client, email) for _ in range(5)] == [303] * 5
    assert len(links(smtp, email)) == 3
    assert forget(client, "nimeni@agentie.example") == 303
    assert forget(client, "nimeni") == 422
    assert len(smtp.letters) == 3


@pytest.mark.parametrize("spelling", ["{0}+x@{1}", "{0}+y+z@{1}"])
def test_other_spellings_of_a_mailbox_do_not_keep_its_owner_out(
    client: FlaskClient, smtp: MailServer, owner: User, spelling: str
) -> None:
    """Nothing is mailed to them, so nothing is used up: else a stranger would keep the person out without a trace."""
    other = spelling.format(*owner.email.split("@"))
    assert [forget(client, other) for _ in range(4)] == [303] * 4
    assert forget(client, owner.email) == 303
    assert len(links(smtp, owner.email)) == 1
    assert len(smtp.letters) == 1


def test_a_link_lapses_and_a_person_who_left_comes_in_by_none(
    client: FlaskClient, smtp: MailServer, owner: User
) -> None:
    agent = make_user(owner.agency_id)
    forget(client, agent.email)
    (link,) = links(smtp, agent.email)
    assert client.get(link).status_code == 200
    assert client.get(f"{link[:-1]}{'A' if link[-1] != 'A' else 'E'}").status_code == 410
    with time_machine.travel(now() + timedelta(hours=3)):
        assert client.get(link).status_code == 410
        assert client.post(link, data={"password": NEW}).status_code == 410
    staff.deactivate(agent, heir=owner.id, by=staff.Actor("user", owner.id))
    assert client.post(link, data={"password": NEW}).status_code == 410
    forget(client, agent.email)
    assert len(links(smtp, agent.email)) == 1


def statements(ask: Callable[[], object]) -> list[str]:
    """What the database was asked meanwhile."""
    said: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_more: object) -> None:
        said.append(statement)

    db.session.rollback()
    event.listen(db.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    return said


def test_to_ask_for_a_link_is_the_same_work_for_every_address(
    either_app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = make_user(make_agency(), "owner")
    left = make_user(person.agency_id)
    staff.deactivate(left, heir=person.id, by=SYSTEM)
    rung: list[int] = []
    monkeypatch.setattr("app.accounts.invitations.wake", lambda: rung.append(1))
    emails = (person.email, "nimeni@agentie.example", left.email, f" {person.email.upper()} ")
    known, *others = [statements(partial(invitations.ask_reset, email)) for email in emails]
    assert known and all(other == known for other in others) and len(rung) == 4
    assert {len(mark) for mark in db.session.scalars(select(ResetRequest.mark))} == {32}
    invitations.answer_resets()
    invitations.answer_resets()
    db.session.rollback()
    assert kinds().count("user.reset_asked") == 2, "each of the two times that it was asked for somebody"
    assert not db.session.scalars(select(ResetRequest)).all()


def test_a_wrong_password_asks_the_database_the_same_for_every_address(app: Flask, owner: User) -> None:
    known, unknown = [
        statements(partial(attempt, app.test_client(), email)) for email in (owner.email, "nimeni@agentie.example")
    ]
    assert known == unknown


def attempt(client: FlaskClient, email: str) -> int:
    token = csrf(client.get("/login").get_data(as_text=True))
    return client.post("/login", data={"email": email, "password": "x", "csrf_token": token}).status_code


def test_a_request_is_answered_once_by_two_processes(app: Flask, owner: User) -> None:
    invitations.ask_reset(owner.email)

    def answer() -> None:
        with app.app_context():
            invitations.answer_resets()

    with ThreadPoolExecutor(2) as pool:
        for one in [pool.submit(answer) for _ in range(2)]:
            one.result()
    assert kinds().count("user.reset_asked") == 1


def test_the_relay_answers_when_the_bell_was_not_heard(app: Flask, owner: User) -> None:
    invitations.ask_reset(owner.email)
    sweep()
    assert kinds().count("user.reset_asked") == 1


def test_who_was_invited_says_their_own_name_and_language(app: Flask, owner: User) -> None:
    invitations.invite(owner.agency_id, accounts.NewUser("dan@agentie.example", "Dan Nuo"), by=SYSTEM)
    (held,) = invitations.waiting_in(owner.agency_id)
    link = f"/account/{sign(INVITATION, TimedId(held.id, held.invited_at.timestamp()))}"
    browser = app.test_client()
    assert 'value="Dan Nuo"' in browser.get(link).get_data(as_text=True)
    said = {"password": NEW, "full_name": "Dan  Nou", "language": "en"}
    for name, wrong in (
        ("full_name", " "),
        ("full_name", "a" * 300),
        ("language", "xx"),
        ("password", "scurtă"),
    ):
        assert browser.post(link, data={**said, name: wrong}).status_code == 422, name
    assert browser.post(link, data=said).status_code == 303
    user = authenticate("dan@agentie.example", NEW)
    assert user and (user.full_name, user.language, user.role) == ("Dan Nou", "en", "agent")
