"""Wrong tries at a password keep out whoever makes them, and nobody else."""

from __future__ import annotations

import time

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.accounts import editing as accounts
from app.accounts import invitations
from app.blueprints.accounts import throttle
from app.core.signed_links import DEVICE, BadToken, read
from app.models import User
from tests.conftest import make_app, settings_for
from tests.factories import PASSWORD, csrf, login, make_agency, make_user

ATTACKER, OFFICE, ELSEWHERE = "203.0.113.9", "198.51.100.4", "192.0.2.77"


@pytest.fixture
def owner(app: Flask, monkeypatch: pytest.MonkeyPatch) -> User:
    monkeypatch.setattr(throttle, "IN_ALL", throttle.rates("100000/minute"))  # another test's concern
    return make_user(make_agency(), "owner")


def attempt(client: FlaskClient, email: str, password: str, line: str) -> int:
    where = {"REMOTE_ADDR": line}
    token = csrf(client.get("/login", environ_overrides=where).get_data(as_text=True))
    form = {"email": email, "password": password, "csrf_token": token}
    return client.post("/login", data=form, environ_overrides=where).status_code


def attack(app: Flask, email: str, line: str, tries: int = 31) -> list[int]:
    stranger = app.test_client()
    return [attempt(stranger, email, "x", line) for _ in range(tries)]


def test_a_strangers_wrong_passwords_lock_out_the_stranger_alone(app: Flask, owner: User) -> None:
    assert attack(app, owner.email, ATTACKER)[-2:] == [422, 429]
    assert attempt(app.test_client(), owner.email, PASSWORD, ATTACKER) == 429
    assert attempt(app.test_client(), owner.email, PASSWORD, OFFICE) == 303


def test_a_known_browser_signs_in_though_the_whole_world_tries(app: Flask, owner: User) -> None:
    known = app.test_client()
    assert attempt(known, owner.email, PASSWORD, OFFICE) == 303
    known.delete_cookie("bidflux")
    for n in range(5):
        attack(app, owner.email, f"203.0.113.{n}", 25)
    assert attempt(app.test_client(), owner.email, PASSWORD, ELSEWHERE) == 429
    assert attempt(known, owner.email, PASSWORD, ELSEWHERE) == 303  # even from a line that an attacker used up
    assert attempt(app.test_client(), make_user(owner.agency_id).email, PASSWORD, ELSEWHERE) == 303


def test_a_known_browser_has_a_count_of_its_own_and_success_clears_it(app: Flask, owner: User) -> None:
    known = app.test_client()
    for _ in range(2):
        assert attempt(known, owner.email, PASSWORD, OFFICE) == 303
        known.delete_cookie("bidflux")
        assert {attempt(known, owner.email, "x", OFFICE) for _ in range(25)} == {422}
    assert [attempt(known, owner.email, "x", OFFICE) for _ in range(6)][-1] == 429
    assert attempt(app.test_client(), owner.email, PASSWORD, OFFICE) == 303


def test_whom_an_attack_on_all_sides_keeps_out_comes_in_by_a_mailed_link(app: Flask, owner: User) -> None:
    for n in range(5):
        attack(app, owner.email, f"203.0.113.{n}", 25)
    new = app.test_client()
    assert attempt(new, owner.email, PASSWORD, ELSEWHERE) == 429
    link = invitations.account_token(owner, time.time() + 60)
    chosen = "tramvaiul verde pleacă la nouă"
    assert new.post(f"/account/{link}", data={"password": chosen}).status_code == 303
    for n in range(5):
        attack(app, owner.email, f"198.18.0.{n}", 25)
    assert attempt(new, owner.email, chosen, ELSEWHERE) == 303


def test_a_new_password_clears_what_was_counted_from_everywhere(app: Flask, owner: User) -> None:
    attack(app, owner.email, OFFICE)
    accounts.set_password(owner, "tramvaiul verde pleacă la nouă", by=_system())
    assert attempt(app.test_client(), owner.email, "tramvaiul verde pleacă la nouă", OFFICE) == 303


def test_ones_own_account_does_not_clear_the_count_of_an_address(
    app: Flask, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "PER_LINE", throttle.rates("10/minute"))
    mine = make_user(owner.agency_id)
    attack(app, owner.email, ATTACKER, 10)
    assert attempt(app.test_client(), mine.email, PASSWORD, ATTACKER) == 429


def test_who_is_past_the_limit_of_an_address_uses_up_nobodys_account(app: Flask, owner: User) -> None:
    attack(app, owner.email, ATTACKER, 110)
    assert attempt(app.test_client(), owner.email, PASSWORD, OFFICE) == 303


def test_an_unknown_address_is_counted_like_a_known_one(app: Flask, owner: User) -> None:
    assert attack(app, owner.email, ATTACKER) == attack(app, "nimeni@agentie.example", OFFICE)


def test_a_device_is_known_for_its_own_account_only(app: Flask, owner: User) -> None:
    token, mine = throttle.device_token(owner.email), throttle.account_id(owner.email)
    assert read(DEVICE, token, mine) != read(DEVICE, throttle.device_token(owner.email), mine)
    for email, forged in (("alt@agentie.example", token), (owner.email, token[:-2] + "xx"), (owner.email, "")):
        with pytest.raises(BadToken):
            read(DEVICE, forged, throttle.account_id(email))


def test_cookies_of_production_are_taken_from_this_host_alone(app: Flask, owner: User) -> None:
    settings = app.extensions["bidflux_settings"]
    secure = make_app(settings_for(settings.data_dir, DATABASE_URL=settings.database_url, BASE_URL="https://localhost"))
    secure.config["WTF_CSRF_ENABLED"] = False
    answer = secure.test_client().post(
        "/login", data={"email": owner.email, "password": PASSWORD}, base_url="https://localhost"
    )
    cookies = answer.headers.getlist("Set-Cookie")
    assert answer.status_code == 303 and len(cookies) == 2
    for cookie in cookies:
        parts = {part.strip().partition("=")[0].lower() for part in cookie.split(";")[1:]}
        assert cookie.startswith("__Host-bidflux") and "Path=/" in cookie.split("; ")
        assert {"secure", "httponly", "samesite"} <= parts and "domain" not in parts


def test_on_ones_own_machine_cookies_work_without_tls(client: FlaskClient, owner: User) -> None:
    login(client, owner)
    assert client.get_cookie("bidflux")


def _system():  # type: ignore[no-untyped-def]
    from app.core.ledger import SYSTEM

    return SYSTEM
