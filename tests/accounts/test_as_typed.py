"""A password is what was typed, for as long as its owner likes, and never all that is asked for beside a factor."""

from __future__ import annotations

import re
import time
from datetime import timedelta

import time_machine
from flask import Flask
from flask.testing import FlaskClient

from app.accounts import editing as accounts
from app.accounts import invitations
from app.accounts.editing import authenticate
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.models import User
from tests.accounts.test_factors import first_step, with_phone
from tests.conftest import ROOT
from tests.factories import PASSWORD, csrf

LONG = "Tramvaiul VERDE pleacă la nouă și ajunge, cum știm, la zece fără un sfert lângă gară. "


def test_it_is_compared_letter_by_letter(app: Flask, owner: User) -> None:
    accounts.set_password(owner, long := LONG + LONG, by=SYSTEM)
    assert len(long) > 150 and long.endswith(" ") and authenticate(owner.email, long)
    for other in (long.lower(), long.rstrip(), f" {long}", long[:-2], long[:72], long.replace("ș", "s"), long + "."):
        assert authenticate(owner.email, other) is None, other


def test_it_is_good_for_years(app: Flask, owner: User) -> None:
    with time_machine.travel(now() + timedelta(days=3650)):
        assert authenticate(owner.email, PASSWORD)


def test_a_forgotten_one_is_no_way_round_the_factor(client: FlaskClient, app: Flask, owner: User) -> None:
    with_phone(owner)
    link = invitations.account_token(owner, time.time() + 60)
    assert client.post(f"/account/{link}", data={"password": LONG}).status_code == 303
    assert client.get("/app/offers").status_code == 303, "a new password signs nobody in"
    form = {"email": owner.email, "password": LONG, "csrf_token": csrf(client.get("/login").text)}
    assert client.post("/login", data=form).location.startswith("/login/factor")
    assert client.get("/app/offers").status_code == 303
    assert 'name="code"' not in first_step(app.test_client(), owner), "the old one leads nowhere"


def test_it_is_hidden_and_may_be_pasted() -> None:
    found = 0
    for page in sorted((ROOT / "app/templates").rglob("*.html")):
        for field in re.findall(
            r"\w+\(\w*form\.(?:password|present)\b[^}]*|<input[^>]*name=\"password\"[^>]*", page.read_text()
        ):
            assert 'type="password"' in field and "paste" not in field, (page, field)
            assert re.search(r'autocomplete"?[=:] ?"(current|new)-password"', field), (page, field)
            found += 1
    assert found >= 5
    assert not any("paste" in script.read_text() for script in (ROOT / "app/static/js").glob("*.js"))
