"""The second factor: a phone's codes and recovery codes, each once, and slowed when guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.accounts import editing as accounts
from app.accounts import factors
from app.core.errors import Invalid
from app.core.keys import lost_keys, rewrap_batch
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Account, Agency, LedgerEntry, RecoveryCode, Totp, User, UserSession
from app.web.rate_limits import Counter
from tests.factories import PASSWORD, csrf, login

AT = datetime(2030, 3, 1, 9, 0, 10, tzinfo=UTC)
PAGE = "/app/settings/security"


def code(secret: str, ahead: int = 0) -> str:
    return pyotp.TOTP(secret).generate_otp(int(datetime.now(UTC).timestamp()) // 30 + ahead)


def post(client: FlaskClient, path: str, at: str = PAGE, **data: str) -> TestResponse:
    return client.post(path, data={"csrf_token": csrf(client.get(at).text), **data})


def with_phone(user: User) -> tuple[str, list[str]]:
    """A person's phone, and their recovery codes."""
    assert user.account_id
    secret = factors.begin_totp(user.account_id)
    codes = factors.confirm_totp(user, code(secret))
    db.session.refresh(user)
    return secret, codes


def first_step(client: FlaskClient, user: User) -> str:
    """The password; the page that asks for a code."""
    token = csrf(client.get("/login").text)
    form = {"email": user.email, "password": PASSWORD, "csrf_token": token, "next": "/app/properties"}
    return client.post("/login", data=form, follow_redirects=True).text


def second_step(client: FlaskClient, typed: str, page: str) -> TestResponse:
    form = {"code": typed, "csrf_token": csrf(page), "next": "/app/properties"}
    return client.post("/login/factor", data=form)


def kinds(user: User) -> list[str]:
    found = select(LedgerEntry.kind).where(LedgerEntry.object_id == user.id).order_by(LedgerEntry.seq)
    return list(db.session.scalars(found))


def test_set_up_by_page_and_asked_for_afterwards(client: FlaskClient, app: Flask, owner: User) -> None:
    with time_machine.travel(AT, tick=False):
        login(client, owner)
        assert post(client, f"{PAGE}/totp").status_code == 303
        page = client.get(PAGE).text
        (secret,) = re.findall(r'class="key-text">([A-Z2-7]{32})<', page)
        assert "<svg" in page and "style=" not in page
        assert post(client, f"{PAGE}/totp/confirm", code="000000").status_code == 422
        shown = post(client, f"{PAGE}/totp/confirm", code=code(secret)).text
        codes = re.findall(r"<code>((?:[A-Z2-9]{4}-){5}[A-Z2-9]{4})</code>", shown)
        assert len(set(codes)) == 10
        assert codes[0] not in client.get(PAGE).text, "shown this once"
        held = db.session.scalars(select(Totp)).one()
        assert secret.encode() not in held.wrapped
        browser = app.test_client()
        page = first_step(browser, owner)
        assert 'name="code"' in page and browser.get("/app/offers").status_code == 303, "nobody is signed in yet"
        assert second_step(browser, code(secret), page).status_code == 422, "the code of the set-up was used"
        assert second_step(browser, code(secret, 1), page).location.endswith("/app/properties")
        assert browser.get("/app/offers").status_code == 200
    assert kinds(owner)[-1] == "user.factor_added"


def test_a_code_is_taken_once(either_app: Flask, owner: User) -> None:
    with time_machine.travel(AT, tick=False) as clock:
        secret, codes = with_phone(owner)
        clock.shift(300)
        factors.check_code(owner, code(secret))
        for replayed in (code(secret), code(secret, -1)):
            with pytest.raises(Invalid):
                factors.check_code(owner, replayed)
        factors.check_code(owner, code(secret, 1))
        factors.check_code(owner, codes[0].lower().replace("-", " "))
        with pytest.raises(Invalid):
            factors.check_code(owner, codes[0])
        assert factors.codes_left(owner.account_id) == 9
        for nothing in ("", " ", "1", "000000", "é" * 6, "\ud800" * 6, "A" * 24, codes[1][:-1], "1" * 5000):
            with pytest.raises(Invalid):
                factors.check_code(owner, nothing)


def test_a_clock_five_minutes_off_is_told(app: Flask, owner: User) -> None:
    with time_machine.travel(AT, tick=False):
        secret, _codes = with_phone(owner)
        for ahead, said in {-11: factors.WRONG, -10: factors.CLOCK, -2: factors.CLOCK, 2: factors.WRONG}.items():
            with pytest.raises(Invalid) as refused:
                factors.check_code(owner, code(secret, ahead))
            assert refused.value.errors["code"] == [said], "who guesses is not told of a code that will be good later"
        factors.remove_totp(owner, by=accounts.SYSTEM)
        assert owner.account_id
        secret = factors.begin_totp(owner.account_id)
        for ahead, said in {-10: factors.CLOCK, 2: factors.CLOCK, 10: factors.CLOCK, 11: factors.WRONG}.items():
            with pytest.raises(Invalid) as refused:
                factors.confirm_totp(owner, code(secret, ahead))
            assert refused.value.errors["code"] == [said]


def test_tried_ten_times_it_is_slowed_even_when_right(client: FlaskClient, owner: User) -> None:
    secret, codes = with_phone(owner)
    page = first_step(client, owner)
    answers = [second_step(client, "000001", page).status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]
    assert second_step(client, code(secret), page).status_code == 429
    assert second_step(client, codes[0], page).status_code == 429
    assert client.get("/app/offers").status_code == 303


def test_the_password_alone_waits_ten_minutes_and_for_no_other(client: FlaskClient, app: Flask, owner: User) -> None:
    with time_machine.travel(AT, tick=False) as clock:
        secret, _codes = with_phone(owner)
        clock.shift(60)
        page = first_step(client, owner)
        stranger = app.test_client()
        asked = stranger.get("/login/factor")
        assert asked.status_code == 303 and "/login" in asked.location
        accounts.set_password(owner, "tramvaiul verde pleacă la nouă", by=accounts.SYSTEM)
        assert second_step(client, code(secret), page).location.startswith("/login?")
        clock.shift(700)
        assert client.get("/login/factor").status_code == 303


def test_an_agency_can_require_one(client: FlaskClient, owner: User) -> None:
    login(client, owner)
    with housekeeping() as connection:
        connection.execute(update(Agency).where(Agency.id == owner.agency_id).values(needs_factor=True))
    asked = client.get("/app/offers")
    assert asked.status_code == 303 and asked.location == PAGE
    by_htmx = client.get("/app/offers", headers={"HX-Request": "true"})
    assert by_htmx.headers["HX-Redirect"] == PAGE
    page = client.get(PAGE)
    assert page.status_code == 200 and "cere un al doilea factor" in page.text
    assert post(client, "/app/settings/users", full_name="X", email="x@x.example", role="agent").location == PAGE
    assert post(client, f"{PAGE}/totp").status_code == 303
    secret = factors.waiting_secret(owner.account_id)  # type: ignore[arg-type]  # who signs in has one
    assert secret and post(client, f"{PAGE}/totp/confirm", code=code(secret)).status_code == 200
    assert client.get("/app/offers").status_code == 200


def test_removed_it_takes_its_recovery_codes_along(client: FlaskClient, owner: User) -> None:
    with_phone(owner)
    login_with(client, owner)
    assert post(client, f"{PAGE}/codes").text.count("<li><code>") == 10
    assert post(client, f"{PAGE}/totp/remove").status_code == 303
    assert not db.session.scalars(select(RecoveryCode)).all() and not db.session.scalars(select(Totp)).all()
    assert not db.session.scalar(select(Account.has_factor).where(Account.email == owner.email))
    assert post(client, f"{PAGE}/codes").status_code == 404
    assert kinds(owner)[-3:] == ["user.recovery_code_used", "user.codes_renewed", "user.factor_removed"]


def login_with(client: FlaskClient, user: User) -> None:
    (one, *_rest) = factors.new_codes(user)
    assert second_step(client, one, first_step(client, user)).status_code == 303


def test_the_operator_lets_in_who_lost_all(app: Flask, owner: User) -> None:
    with_phone(owner)
    accounts.start_session(owner, "Firefox")
    done = app.test_cli_runner().invoke(args=["user", "reset-factors", "--email", owner.email])
    assert done.exit_code == 0, done.output
    db.session.rollback()
    assert not db.session.scalars(select(UserSession)).all() and not db.session.scalars(select(Totp)).all()
    unknown = app.test_cli_runner().invoke(args=["user", "reset-factors", "--email", "nimeni@x.example"])
    assert unknown.exit_code == 1


def test_secrets_follow_a_change_of_keys(either_app: Flask, owner: User) -> None:
    with time_machine.travel(AT, tick=False) as clock:
        secret, _codes = with_phone(owner)
        ring = either_app.extensions["bidflux_keyring"]
        former, new = ring.active, "0" * 12
        ring._keys = {new: b"k" * 32, **ring._keys}
        ring.active = new
        with housekeeping() as connection:
            assert rewrap_batch(connection) > 0
        with housekeeping() as connection:
            assert rewrap_batch(connection) == 0
        del ring._keys[former]
        either_app.extensions["bidflux_agency_keys"].clear()
        clock.shift(timedelta(minutes=5))
        db.session.expire_all()
        factors.check_code(owner, code(secret))
        del ring._keys[new]
        with housekeeping() as connection:
            assert new in lost_keys(connection)


def test_guesses_are_slowed_while_valkey_is_away(client: FlaskClient, app: Flask, owner: User) -> None:
    app.extensions["bidflux_counter"] = Counter("redis://127.0.0.1:9/0")
    with_phone(owner)
    page = first_step(client, owner)
    assert [second_step(client, "000001", page).status_code for _ in range(11)] == [422] * 10 + [429]
    browser = app.test_client()
    form = {"email": owner.email, "password": "x", "csrf_token": csrf(browser.get("/login").text)}
    answers = [browser.post("/login", data=form).status_code for _ in range(31)]
    assert answers[0] == 422 and answers[-1] == 429
