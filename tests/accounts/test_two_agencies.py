"""One person in several agencies: one sign-in, a switch, and no agency learns of another."""

from __future__ import annotations

import re
import uuid

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from app.accounts import editing as accounts
from app.accounts import invitations, staff
from app.core.errors import StaleVersion
from app.core.ledger import SYSTEM
from app.core.signed_links import INVITATION, TimedId, sign
from app.core.unit_of_work import housekeeping, writing
from app.extensions import db
from app.models import Account, LedgerEntry, User, UserSession
from tests.factories import PASSWORD, csrf, login, make_agency, make_user

NEW = "altă parolă foarte lungă"


def join(agency: uuid.UUID, email: str, role: str = "agent") -> User:
    """Whoever signs in elsewhere, in one more agency."""
    invitations.invite(agency, accounts.NewUser(email, "Ioana Ștefănescu", role=role), by=SYSTEM)
    (held,) = invitations.waiting_in(agency)
    invitations.join(held)
    return db.session.scalars(select(User).where(User.agency_id == agency, User.email == email)).one()


@pytest.fixture
def there(owner: User) -> User:
    """The owner, as an agent of another agency."""
    return join(make_agency("Casa Cealaltă"), owner.email)


def kinds(user: User) -> list[str]:
    found = select(LedgerEntry.kind).where(LedgerEntry.agency_id == user.agency_id).order_by(LedgerEntry.seq)
    return list(db.session.scalars(found))


def switch_to(client: FlaskClient, user: User) -> int:
    token = csrf(client.get("/app/settings").text)
    return client.post("/app/agency", data={"csrf_token": token, "user": str(user.id)}).status_code


def test_one_sign_in_and_a_switch_in_the_head(client: FlaskClient, app: Flask, owner: User, there: User) -> None:
    login(client, owner)
    page = client.get("/app/offers").text
    assert f'value="{owner.id}"' in page and f'value="{there.id}"' in page and 'name="user"' in page
    assert client.get("/app/settings/users").status_code == 404, "an agent in the agency that they joined last"
    assert switch_to(client, owner) == 303
    assert client.get("/app/settings/users").status_code == 200
    again = app.test_client()
    login(again, owner)
    assert again.get("/app/settings/users").status_code == 200, "where they were last"
    assert switch_to(again, make_user(owner.agency_id)) == 404, "nobody becomes somebody else"
    assert switch_to(again, make_user(make_agency())) == 404


def test_who_is_in_one_agency_sees_no_switch(client: FlaskClient, owner: User) -> None:
    login(client, owner)
    assert 'name="user"' not in client.get("/app/offers").text


def test_a_page_of_the_other_agency_writes_nothing_here(client: FlaskClient, app: Flask, owner: User) -> None:
    """Two tabs: a form opened in one agency is sent after the other tab went on in another. Not one of those that name
    no row may be kept there: an agency's own data, a colleague, a key, a feed, a property."""
    there = join(make_agency("Casa Cealaltă"), owner.email, role="owner")
    login(client, owner)
    assert switch_to(client, owner) == 303
    opened = csrf(client.get("/app/settings/agency").text)
    assert switch_to(client, there) == 303
    held = ledger_length(there)
    typed = {"csrf_token": opened, "name": "Agenția Întâi", "email": "intai@agentie.example", "full_name": "Dan"}
    paths = ["/app/settings/agency", "/app/settings/users", "/app/settings/api", "/app/settings", "/app/properties/new"]
    for path in (*paths, "/app/settings/feeds/new", "/app/settings/webhooks/new"):
        answer = client.post(path, data=typed)
        assert answer.status_code in {400, 404, 405}, path
        assert 'value="Agenția Întâi"' not in answer.text, "nor does one press more do it"
    answer = client.post("/app/settings/agency", data=typed)
    assert answer.status_code == 400 and "altă agenție" in answer.text
    assert ledger_length(there) == held
    assert switch_to(client, owner) == 303
    zone = {"zone": "Europe/Bucharest", "language": "ro", "currency": "EUR"}
    sent = client.post("/app/settings/agency", data={**typed, **zone})
    assert sent.status_code == 303, "back where it was opened, the page is good again"
    assert switch_to(client, there) == 303 and client.post("/app/settings", data=typed).status_code == 400


def ledger_length(user: User) -> int:
    return len(kinds(user))


def test_an_invitation_is_joined_by_its_link_with_one_press(client: FlaskClient, app: Flask, owner: User) -> None:
    other = make_agency("Casa Cealaltă")
    invitations.invite(other, accounts.NewUser(owner.email, "Altă Scriere"), by=SYSTEM)
    (held,) = invitations.waiting_in(other)
    link = f"/account/{sign(INVITATION, TimedId(held.id, held.invited_at.timestamp()))}"
    shown = client.get(link).text
    assert "Casa Cealaltă" in shown and 'name="password"' not in shown
    assert len(db.session.scalars(select(User)).all()) == 1, "opening it changes nothing"
    assert client.post(link).location.endswith("joined=1")
    assert client.post(link).status_code == 410
    assert accounts.authenticate(owner.email, PASSWORD)
    names = db.session.scalars(select(User.full_name).where(User.email == owner.email)).all()
    assert sorted(names) == ["Altă Scriere", "Ioana Ștefănescu"], "each agency has its own name of them"


def test_a_link_joins_once_and_only_whoever_still_signs_in(owner: User, there: User) -> None:
    third = make_agency("A treia")
    leaving = make_user(there.agency_id)
    invitations.invite(third, accounts.NewUser(leaving.email, "Dan"), by=SYSTEM)
    (held,) = invitations.waiting_in(third)
    db.session.expunge(held)
    boss = make_user(there.agency_id, "owner")
    staff.deactivate(leaving, heir=boss.id, by=SYSTEM)
    with pytest.raises(StaleVersion):
        invitations.join(held)


def test_a_new_password_holds_everywhere_and_each_ledger_has_it(client: FlaskClient, owner: User, there: User) -> None:
    login(client, owner)
    for one in (owner, there):
        accounts.start_session(one, "Firefox")
    accounts.set_password(owner, NEW, by=SYSTEM)
    assert not db.session.scalars(select(UserSession)).all()
    assert accounts.authenticate(owner.email, NEW)
    assert kinds(owner)[-1] == kinds(there)[-1] == "user.password_changed"
    entry = select(LedgerEntry).where(LedgerEntry.agency_id == there.agency_id).order_by(LedgerEntry.seq.desc())
    (last,) = db.session.scalars(entry.limit(1))
    assert last.object_id == there.id and str(owner.id).encode() not in last.body


def test_leaving_one_agency_is_leaving_no_other(client: FlaskClient, app: Flask, owner: User, there: User) -> None:
    boss = make_user(there.agency_id, "owner")
    login(client, owner)
    here = app.test_client()
    login(here, owner)
    assert switch_to(here, owner) == 303
    staff.deactivate(there, heir=boss.id, by=SYSTEM)
    assert client.get("/app/offers").status_code == 303 and here.get("/app/offers").status_code == 200
    assert accounts.authenticate(owner.email, PASSWORD)
    page = here.get("/app/settings/users").text
    assert "Casa Cealaltă" not in page and str(there.id) not in page
    assert switch_to(here, there) == 404


def test_the_address_changes_in_each_agency_but_where_they_left(either_app: Flask) -> None:
    agent = make_user(make_agency())
    there, left = join(make_agency(), agent.email), join(make_agency(), agent.email)
    boss = make_user(left.agency_id, "owner")
    staff.deactivate(left, heir=boss.id, by=SYSTEM)
    former, account_id = agent.email, agent.account_id
    with housekeeping() as connection:
        connection.execute(update(Account).where(Account.id == account_id).values(email="nou@agentie.example"))
    db.session.expire_all()
    assert (agent.email, there.email, left.email) == ("nou@agentie.example", "nou@agentie.example", former)


def test_the_database_holds_accounts_and_users_together(either_app: Flask) -> None:
    agent, other = make_user(make_agency()), make_user(make_agency())
    taken, stranger = agent.email, other.account_id
    for values in (
        {"account_id": None},
        {"active": False},
        {"account_id": stranger},
        {"email": "alta@agentie.example"},
    ):
        with pytest.raises(IntegrityError), writing(agent.agency_id) as tx:
            tx.connection.execute(update(User).where(User.id == agent.id).values(**values))
    with pytest.raises(IntegrityError), housekeeping() as connection:
        connection.execute(update(Account).where(Account.id == stranger).values(email=taken))


def test_sessions_are_the_persons_in_whichever_agency(client: FlaskClient, owner: User, there: User) -> None:
    accounts.start_session(there, "Firefox")
    login(client, owner)
    assert switch_to(client, owner) == 303
    page = client.get("/app/settings").text
    (held,) = re.findall(r"/app/settings/sessions/([0-9a-f-]{36})/end", page)
    assert client.post(f"/app/settings/sessions/{held}/end", data={"csrf_token": csrf(page)}).status_code == 303
    assert len(db.session.scalars(select(UserSession)).all()) == 1
