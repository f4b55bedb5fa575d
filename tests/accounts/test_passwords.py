"""Easy passwords are refused wherever one is set, and what nobody can have chosen is not hashed."""

from __future__ import annotations

import time
from typing import Any

import pytest
import zxcvbn
import zxcvbn.matching
from flask import Flask
from flask.testing import FlaskClient

from app.accounts import editing as accounts
from app.accounts import invitations
from app.accounts.editing import authenticate
from app.accounts.passwords import EASY, SIGNS, TOO_LONG, TOO_SHORT, check_password
from app.core.errors import Invalid
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import User
from tests.factories import PASSWORD, csrf, hash_of, login

ABOUT = (
    "Casa Bună Imobiliare",
    "birou@casabuna.example",
    "ana.popescu@casabuna.example",
    "Ana Popescu",
    "+40712034567",
)
BAD = [
    "password1234", "Password1234!", "parola123456", "123456789012", "qwertyuiop12", "aaaaaaaaaaaa", "abcdefghijkl",
    "letmein12345", "iloveyou2026", "p@ssw0rd1234", "ana.popescu@casabuna.example", "ANA.POPESCU@CASABUNA.EXAMPLE",
    "ana.popescu@casabuna.example1", "anapopescu123", "Ana Popescu 1", "popescuana2026", "CasaBună2026!",
    "casabuna.example", "casa buna 123", "Imobiliare26!", "bidflux12345", "BidFlux2026!!", "bidfluxbidflux",
    "b1dflux.ro.2026", "+40712034567!",
]  # fmt: skip
GOOD = [
    "tramvaiul verde pleacă la nouă",
    "correct horse battery staple",
    "k7#Vq-2mZp9!",
    "ana are mere roșii la bunica",
]


@pytest.mark.parametrize("password", BAD)
def test_what_is_guessed_first_is_refused(password: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_password(password, ABOUT)
    assert refused.value.errors["password"] == [EASY]


@pytest.mark.parametrize("password", GOOD)
def test_no_capitals_or_signs_are_asked_for(password: str) -> None:
    check_password(password, ABOUT)


def test_length_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.accounts.passwords._is_easy", lambda *_: pytest.fail("looked at"))
    for password, why in (
        ("", TOO_SHORT),
        ("password123", TOO_SHORT),
        ("a" * 257, TOO_LONG),
        ("a" * 2_000_000, TOO_LONG),
    ):
        with pytest.raises(Invalid) as refused:
            check_password(password, ABOUT)
        assert refused.value.errors["password"] == [why]


@pytest.mark.parametrize("part", ["a", "ab", "()", "1a", "@4", "2026-11-28", "ș", "q w"])
def test_of_a_hostile_password_little_is_looked_at(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []

    def counted(text: str, known: list[str]) -> Any:
        looked.append(len(text))
        return real(text, known)

    real = zxcvbn.zxcvbn
    monkeypatch.setattr("zxcvbn.zxcvbn", counted)
    password = (part * 256)[:256]
    try:
        check_password(password, (part * 200, *ABOUT))
    except Invalid as refused:
        assert refused.errors["password"] == [EASY]
    assert len(looked) <= 2 and max(looked, default=0) <= 72


def test_of_signs_that_may_be_letters_fewer_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which of them stand for which letters is tried in every way: hundreds, over a text of any length."""
    table = {sign for signs in zxcvbn.matching.L33T_TABLE.values() for sign in signs}
    assert table == SIGNS
    looked: list[str] = []
    monkeypatch.setattr("zxcvbn.zxcvbn", lambda text, _known: looked.append(text) or {"score": 4})
    for password in ("".join(sorted(SIGNS)) * 12, "4@8({[<369!1i7|0$5+%2z" * 11, "Ș1!|4@$5+7" * 20):
        check_password(password, ABOUT)
    assert looked
    for text in looked:
        subtable = zxcvbn.matching.relevant_l33t_subtable(text, zxcvbn.matching.L33T_TABLE)
        assert len(zxcvbn.matching.enumerate_l33t_subs(subtable)) * len(text) ** 2 < 500_000


def test_every_way_to_set_one_refuses_an_easy_one(app: Flask, client: FlaskClient, owner: User) -> None:
    held = hash_of(owner)
    login(client, owner)
    for easy in ("password1234", owner.email + owner.email, PASSWORD):
        token = csrf(client.get("/app/settings").get_data(as_text=True))
        form = {"present": PASSWORD, "password": easy, "csrf_token": token}
        assert client.post("/app/settings/password", data=form).status_code == 422
        link = invitations.account_token(owner, time.time() + 60)
        assert app.test_client().post(f"/account/{link}", data={"password": easy}).status_code == 422
        words = ["user", "set-password", "--email", owner.email, "--stdin"]
        assert app.test_cli_runner().invoke(args=words, input=f"{easy}\n").exit_code == 1
        with pytest.raises(Invalid):
            accounts.set_password(owner, easy, by=SYSTEM)
    with pytest.raises(Invalid):
        accounts.create_user(owner.agency_id, accounts.NewUser("n@agentie.example", "N"), "password1234")
    db.session.rollback()
    db.session.expire_all()
    assert hash_of(owner) == held


def test_what_is_too_long_is_hashed_nowhere(
    app: Flask, client: FlaskClient, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    login(client, owner)
    token = csrf(client.get("/app/settings").get_data(as_text=True))

    class Never:
        def __getattr__(self, name: str) -> None:
            raise AssertionError("hashed")

    monkeypatch.setattr(accounts, "hasher", Never())
    long = "tramvaiul verde pleacă la nouă " * 10_000
    assert authenticate(owner.email, long) is None
    form = {"present": long, "password": "tramvaiul verde pleacă la nouă", "csrf_token": token}
    assert client.post("/app/settings/password", data=form).status_code == 422
    link = invitations.account_token(owner, time.time() + 60)
    assert client.post(f"/account/{link}", data={"password": long}).status_code == 422


@pytest.mark.parametrize("known", [True, False])
def test_a_wrong_password_is_hashed_once_whether_or_not_anybody_signs_in_with_the_address(
    owner: User, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts._nobody()
    hashed = []
    real = accounts.hasher.verify
    monkeypatch.setattr(
        accounts, "hasher", type("Counted", (), {"verify": lambda _self, *a: (hashed.append(1), real(*a))[1]})()
    )
    assert authenticate(owner.email if known else "nimeni@agentie.example", "x" * 20) is None
    assert hashed == [1]


def test_a_password_on_the_command_line_is_refused_and_one_typed_is_not_printed(app: Flask, owner: User) -> None:
    words = ["user", "set-password", "--email", owner.email]
    refused = app.test_cli_runner().invoke(args=[*words, "--password", "tramvaiul verde pleacă la nouă"])
    assert refused.exit_code == 1 and "--stdin" in refused.output
    db.session.rollback()
    assert not authenticate(owner.email, "tramvaiul verde pleacă la nouă")
    done = app.test_cli_runner().invoke(args=[*words, "--stdin", "--json"], input="tramvaiul verde pleacă la nouă\n")
    assert done.exit_code == 0 and "tramvaiul" not in done.output
    db.session.rollback()
    assert authenticate(owner.email, "tramvaiul verde pleacă la nouă")
