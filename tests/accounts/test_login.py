"""Signing in and out."""

from __future__ import annotations

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.accounts import editing as accounts
from app.accounts import staff
from app.blueprints.accounts.forms import browser_name
from app.extensions import db
from app.models import User, UserSession
from app.web.fragments import local_path
from tests.conftest import REAL_HASHER
from tests.factories import PASSWORD, csrf, hash_of, login, make_user


def attempt(client: FlaskClient, email: str, password: str, **more: str) -> TestResponse:
    token = csrf(client.get("/login").get_data(as_text=True))
    return client.post("/login", data={"email": email, "password": password, "csrf_token": token, **more})


def sessions() -> int:
    db.session.rollback()
    return len(db.session.scalars(select(UserSession)).all())


def test_the_right_password_leads_to_the_offers(client: FlaskClient, owner: User) -> None:
    response = attempt(client, f" {owner.email.upper()} ", PASSWORD)
    assert response.status_code == 303 and response.location == "/app/offers"
    assert client.get("/app").location == "/app/offers"
    assert client.get("/login").location == "/app/offers"


def test_passwords_are_kept_as_rfc_9106_recommends(client: FlaskClient, owner: User) -> None:
    assert accounts.hasher.hash(PASSWORD).startswith("$argon2id$") and hash_of(owner).startswith("$argon2id$")
    assert (REAL_HASHER.time_cost, REAL_HASHER.memory_cost, REAL_HASHER.parallelism) == (3, 64 * 1024, 4)


def test_a_wrong_password_says_so_and_keeps_the_address(client: FlaskClient, owner: User) -> None:
    response = attempt(client, owner.email, "greșită")
    body = response.get_data(as_text=True)
    assert response.status_code == 422 and owner.email in body and "greșită" in body and sessions() == 0
    assert attempt(client, "nimeni@agentie.example", "x").status_code == 422


@pytest.mark.parametrize("where", ["/app/properties?q=a", "/app/settings"])
def test_next_leads_on(client: FlaskClient, owner: User, where: str) -> None:
    page = client.get("/login", query_string={"next": where}).get_data(as_text=True)
    assert 'name="next"' in page
    assert attempt(client, owner.email, PASSWORD, next=where).location == where


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil",
        "javascript:alert(1)",
        "app",
        "/\t/evil",
    ],
)
def test_next_never_leads_elsewhere(client: FlaskClient, owner: User, where: str) -> None:
    assert local_path(where) is None
    assert attempt(client, owner.email, PASSWORD, next=where).location == "/app/offers"


def test_signing_in_renews_the_session(client: FlaskClient, owner: User) -> None:
    client.get("/login")
    before = client.get_cookie("bidflux")
    login(client, owner)
    after = client.get_cookie("bidflux")
    assert before and after and before.value != after.value and after.http_only


def test_signing_out_ends_the_row_so_a_copied_cookie_opens_nothing(
    client: FlaskClient, owner: User, app: Flask
) -> None:
    login(client, owner)
    cookie = client.get_cookie("bidflux")
    assert cookie
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    assert client.post("/logout", data={"csrf_token": token}).status_code == 303
    assert sessions() == 0
    thief = app.test_client()
    thief.set_cookie("bidflux", cookie.value)
    assert thief.get("/app/offers").location.startswith("/login")


def test_a_form_sent_after_the_session_has_gone_leads_to_sign_in_and_back(client: FlaskClient, owner: User) -> None:
    page = "http://localhost/app/offers?financing=cash"
    form = {"csrf_token": "gone", "status": "accepted"}
    for headers in ({"Referer": page}, {"HX-Request": "true", "HX-Current-URL": page}):
        answer = client.post("/app/offers/decision", data=form, headers=headers)
        where = answer.headers.get("HX-Redirect") or answer.location
        assert answer.status_code in {200, 303} and where == "/login?next=/app/offers?financing%3Dcash"
    elsewhere = client.post("/app/offers/decision", data=form, headers={"Referer": "https://evil.example/app/x"})
    assert elsewhere.location == "/login"


def test_tries_are_counted_before_hashing_and_the_page_says_what_to_do(
    client: FlaskClient, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.blueprints.accounts.routes.authenticate", lambda email, password: None)
    for _ in range(30):
        assert attempt(client, owner.email, "x").status_code == 422

    def never(email: str, password: str) -> None:
        raise AssertionError("hashed past the limit")

    monkeypatch.setattr("app.blueprints.accounts.routes.authenticate", never)
    response = attempt(client, owner.email.upper(), PASSWORD)
    body = response.get_data(as_text=True)
    assert response.status_code == 429 and response.headers["Retry-After"] and "minut" in body
    assert owner.email.upper() in body


def test_who_was_deactivated_is_out_at_once(client: FlaskClient, owner: User) -> None:
    agent = make_user(owner.agency_id)
    login(client, agent)
    staff.deactivate(agent, heir=owner.id, by=_system())
    assert client.get("/app/offers").location.startswith("/login")
    assert attempt(client, agent.email, PASSWORD).status_code == 422


def test_a_browser_is_named_without_its_fingerprint() -> None:
    agent = (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36"
    )
    assert browser_name(agent) == "Chrome, Windows"
    assert browser_name("") == ""


def _system():  # type: ignore[no-untyped-def]
    from app.core.ledger import SYSTEM

    return SYSTEM
