"""Settings: one's own, the agency's, its people, its keys."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.accounts.editing import authenticate
from app.extensions import db
from app.models import Agency, ApiKey, Invitation, LedgerEntry, Property, User, UserSession
from tests.factories import PASSWORD, csrf, login, make_agency, make_property, make_user


@pytest.fixture
def owner(client: FlaskClient, app: Flask) -> User:
    """A signed-in owner."""
    user = make_user(make_agency(), "owner")
    login(client, user)
    return user


def post(client: FlaskClient, path: str, **data: Any) -> TestResponse:
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    return client.post(path, data={"csrf_token": token, **data})


def fresh(user: User) -> User:
    db.session.rollback()
    return db.session.get_one(User, user.id)


def kinds() -> list[str]:
    return list(db.session.scalars(select(LedgerEntry.kind).order_by(LedgerEntry.seq)))


def test_name_phone_and_language_change(client: FlaskClient, owner: User) -> None:
    data = {"full_name": " Ana  Pop ", "phone": "0722 000 333", "language": "en"}
    assert post(client, "/app/settings", **data).status_code == 303
    user = fresh(owner)
    assert (user.full_name, user.phone, user.language) == ("Ana Pop", "+40722000333", "en")
    assert "Settings" in client.get("/app/settings").get_data(as_text=True)


def test_a_wrong_phone_is_kept_in_the_form(client: FlaskClient, owner: User) -> None:
    response = post(client, "/app/settings", full_name="", phone="abc", language="ro")
    assert response.status_code == 422 and 'value="abc"' in response.get_data(as_text=True)


def test_a_new_password_needs_the_present_one_and_ends_other_sessions(
    app: Flask, client: FlaskClient, owner: User
) -> None:
    other = app.test_client()
    login(other, owner)
    new = "altă parolă foarte lungă"
    assert post(client, "/app/settings/password", present="greșit", password=new).status_code == 422
    assert post(client, "/app/settings/password", present=PASSWORD, password="scurtă").status_code == 422
    assert post(client, "/app/settings/password", present=PASSWORD, password=new).status_code == 303
    assert authenticate(owner.email, new) and not authenticate(owner.email, PASSWORD)
    assert client.get("/app/offers").status_code == 200
    assert other.get("/app/offers").status_code == 303


def test_a_session_can_be_ended_from_another_browser(app: Flask, client: FlaskClient, owner: User) -> None:
    lost = app.test_client()
    login(lost, owner)
    found = re.findall(
        r"/app/settings/sessions/([0-9a-f-]{36})/end", client.get("/app/settings").get_data(as_text=True)
    )
    assert len(found) == 1
    assert post(client, f"/app/settings/sessions/{found[0]}/end").status_code == 303
    assert lost.get("/app/offers").status_code == 303 and client.get("/app/offers").status_code == 200


def test_a_session_of_somebody_else_is_left_alone(client: FlaskClient, app: Flask, owner: User) -> None:
    colleague = make_user(owner.agency_id)
    login(app.test_client(), colleague)
    held = db.session.scalars(select(UserSession.id).where(UserSession.user_id == colleague.id)).one()
    post(client, f"/app/settings/sessions/{held}/end")
    db.session.rollback()
    assert db.session.scalar(select(UserSession.id).where(UserSession.id == held))


def test_the_agency_changes_and_a_made_up_zone_does_not(client: FlaskClient, owner: User) -> None:
    data = {
        "name": "Nouă",
        "email": "nou@agentie.example",
        "phone": "",
        "zone": "Europe/Chisinau",
        "colleagues_read": "y",
    }
    assert post(client, "/app/settings/agency", **data).status_code == 303
    db.session.rollback()
    agency = db.session.get_one(Agency, owner.agency_id)
    assert agency.zone == "Europe/Chisinau" and agency.colleagues_read and agency.name == "Nouă"
    response = post(client, "/app/settings/agency", **{**data, "zone": "Mars/Base"})
    assert response.status_code == 422 and "Mars/Base" in response.get_data(as_text=True)


def test_whom_an_owner_invites_stands_among_the_people_until_withdrawn(client: FlaskClient, owner: User) -> None:
    data = {"full_name": "Dan Nou", "email": "Dan.Nou@agentie.example", "phone": "", "role": "agent"}
    for name in ("Dan Nou", "Dan Nouă"):  # asked in again under the right name
        assert post(client, "/app/settings/users", **{**data, "full_name": name}).status_code == 303
    held = db.session.scalars(select(Invitation.id)).one()
    page = client.get("/app/settings/users").get_data(as_text=True)
    assert "dan.nou@agentie.example" in page and "Dan Nouă" in page and "<code" not in page
    assert post(client, f"/app/settings/invitations/{held}/send").status_code == 303
    assert post(client, f"/app/settings/invitations/{held}/withdraw").status_code == 303
    assert post(client, f"/app/settings/invitations/{held}/withdraw").status_code == 404
    assert "dan.nou@agentie.example" not in client.get("/app/settings/users").get_data(as_text=True)


def test_ones_own_people_are_not_invited(client: FlaskClient, owner: User) -> None:
    data = {"full_name": "Dan Nou", "email": make_user(owner.agency_id).email.upper(), "phone": "", "role": "agent"}
    refused = post(client, "/app/settings/users", **data)
    assert refused.status_code == 422 and "Dan Nou" in refused.get_data(as_text=True)


def test_an_owner_fills_nobodys_mailbox_with_invitations(client: FlaskClient, owner: User) -> None:
    data = {"full_name": "Dan Nou", "email": "dan@agentie.example", "phone": "", "role": "agent"}
    assert [post(client, "/app/settings/users", **data).status_code for _ in range(4)] == [303, 303, 303, 429]
    again = f"/app/settings/invitations/{db.session.scalars(select(Invitation.id)).one()}/send"
    assert [post(client, again).status_code for _ in range(4)] == [303, 303, 303, 429]


def test_who_leaves_hands_their_properties_over(client: FlaskClient, owner: User) -> None:
    agent = make_user(owner.agency_id)
    prop = make_property(owner.agency_id, agent.id)
    assert client.get(f"/app/settings/users/{agent.id}/deactivate").status_code == 200
    assert post(client, f"/app/settings/users/{agent.id}/deactivate").status_code == 303
    assert not fresh(agent).active
    assert db.session.get_one(Property, prop.id).agent_id == owner.id
    assert "user.deactivated" in kinds() and "property.agent_changed" in kinds()


def test_an_agency_keeps_an_owner(client: FlaskClient, owner: User) -> None:
    for path, data in ((f"{owner.id}/role", {"role": "agent"}), (f"{owner.id}/deactivate", {})):
        assert post(client, f"/app/settings/users/{path}", **data).status_code == 422
    assert fresh(owner).is_owner and fresh(owner).active


def test_an_agent_becomes_an_owner_and_back(client: FlaskClient, owner: User) -> None:
    agent = make_user(owner.agency_id)
    post(client, f"/app/settings/users/{agent.id}/role", role="owner")
    assert fresh(agent).is_owner
    post(client, f"/app/settings/users/{agent.id}/role", role="agent")
    assert not fresh(agent).is_owner
    assert post(client, f"/app/settings/users/{agent.id}/role", role="king").status_code == 404


def test_a_key_is_shown_once_and_revoked_for_good(client: FlaskClient, owner: User) -> None:
    body = post(client, "/app/settings/api", name="CRM nou").get_data(as_text=True)
    shown = re.search(r"bfx_live_[0-9A-Za-z]{36}", body)
    assert shown and shown.group(0) not in client.get("/app/settings/api").get_data(as_text=True)
    key = db.session.scalars(select(ApiKey)).one()
    for _ in range(2):
        assert post(client, f"/app/settings/api/{key.id}/revoke").status_code == 303
    db.session.rollback()
    assert db.session.scalars(select(ApiKey.revoked_at)).one() and kinds().count("api_key.revoked") == 1
    assert post(client, "/app/settings/api", name=" ").status_code == 422


def test_keys_of_the_keyboard_can_be_switched_off(client: FlaskClient, app: Flask) -> None:
    user = make_user(make_agency(), "owner")
    login(client, user)
    page = client.get("/app/settings").get_data(as_text=True)
    assert 'id="keys"' in page
    data = {"csrf_token": csrf(page), "full_name": user.full_name, "phone": "", "language": "ro"}
    assert client.post("/app/settings", data=data).status_code == 303
    page = client.get("/app/settings").get_data(as_text=True)
    assert 'id="keys"' not in page
