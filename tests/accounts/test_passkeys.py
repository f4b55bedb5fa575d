"""Passkeys that lie: another site's, another challenge's, sent again, somebody else's, or none at all."""

from __future__ import annotations

import hashlib
import json
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
import time_machine
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from webauthn.helpers import encode_cbor

from app.accounts import passkeys
from app.core.errors import Invalid
from app.extensions import db
from app.models import Account, LedgerEntry, Passkey, RecoveryCode, User
from tests.factories import csrf, login, make_user

PAGE = "/app/settings/security"
AT = datetime(2030, 3, 1, 9, 0, 10, tzinfo=UTC)
PRESENT_VERIFIED, PRESENT, MAKES = 0x05, 0x01, 0x40


def b64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@dataclass
class Device:
    """A key of a device, told what to lie about."""

    origin: str = "http://localhost"
    rp: str = "localhost"
    flags: int = PRESENT_VERIFIED
    count: int = 0
    id: bytes = b"k" * 16
    handle: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def client_data(self, kind: str, challenge: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": self.origin}).encode()

    def data(self, more: int = 0) -> bytes:
        self.count += 1
        return hashlib.sha256(self.rp.encode()).digest() + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def make(self, challenge: str) -> str:
        numbers = self.key.public_key().public_numbers()
        x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
        public = encode_cbor({1: 2, 3: -7, -1: 1, -2: x, -3: y})
        held = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + public
        made = encode_cbor({"fmt": "none", "attStmt": {}, "authData": self.data(MAKES) + held})
        return self._written({"attestationObject": b64(made)}, self.client_data("webauthn.create", challenge))

    def show(self, challenge: str) -> str:
        client, data = self.client_data("webauthn.get", challenge), self.data()
        signed = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        shown = {"authenticatorData": b64(data), "signature": b64(signed), "userHandle": b64(self.handle)}
        return self._written(shown, client)

    def _written(self, response: dict[str, str], client: bytes) -> str:
        whole = {"clientDataJSON": b64(client), **response}
        return json.dumps({"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": whole})


def told(client: FlaskClient, path: str, at: str) -> Any:
    answer = client.post(path, headers={"X-CSRFToken": csrf(client.get(at).text)})
    assert answer.status_code == 200, answer.text
    return answer.json


def add(client: FlaskClient, device: Device, challenge: str = "") -> Any:
    challenge = challenge or told(client, f"{PAGE}/passkeys/options", PAGE)["challenge"]
    form = {"csrf_token": csrf(client.get(PAGE).text), "credential": device.make(challenge)}
    return client.post(f"{PAGE}/passkeys", data=form)


def enter(client: FlaskClient, device: Device, challenge: str = "") -> int:
    challenge = challenge or told(client, "/login/passkey/options", "/login")["challenge"]
    form = {"csrf_token": csrf(client.get("/login").text), "credential": device.show(challenge)}
    return client.post("/login/passkey", data=form).status_code


@pytest.fixture
def device(client: FlaskClient, owner: User) -> Device:
    """The owner's, kept already."""
    made = Device(handle=owner.account_id.bytes if owner.account_id else b"")
    login(client, owner)
    assert add(client, made).status_code == 200
    return made


def test_it_lets_in_alone_and_a_password_alone_no_more(app: Flask, device: Device, owner: User) -> None:
    browser = app.test_client()
    options = told(browser, "/login/passkey/options", "/login")
    assert options["userVerification"] == "required" and not options.get("allowCredentials")
    assert enter(browser, device, options["challenge"]) == 303
    assert browser.get("/app/offers").status_code == 200
    other = app.test_client()
    login_page = csrf(other.get("/login").text)
    asked = other.post(
        "/login", data={"email": owner.email, "password": "o parolă destul de lungă", "csrf_token": login_page}
    )
    assert asked.location == "/login/factor" and other.get("/app/offers").status_code == 303


@pytest.mark.parametrize(
    "lie",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:8001"},
        {"rp": "evil.example"},
        {"flags": PRESENT},  # nobody was asked who they are
        {"count": 0},  # a copy that lags behind
        {"handle": b"x" * 16},
        {"id": b"z" * 16},
        {"key": ec.generate_private_key(ec.SECP256R1())},
    ],
    ids=lambda lie: next(iter(lie)),
)
def test_what_lies_is_refused(app: Flask, device: Device, lie: dict[str, Any]) -> None:
    assert enter(app.test_client(), device) == 303
    for name, value in lie.items():
        setattr(device, name, value)
    browser = app.test_client()
    assert enter(browser, device) == 422
    assert browser.get("/app/offers").status_code == 303


NESTED = [
    "[" * 20_000,
    '{"a":' * 3900,
    '{"a":' * 40 + "1" + "}" * 40,
    "null",
    "[]",
    '"\\ud83d"',
    "1" * 20_000,
    "\udcff",
]


def test_what_is_no_answer_of_a_browser_is_refused(client: FlaskClient) -> None:
    for said in NESTED:
        told(client, "/login/passkey/options", "/login")
        form = {"csrf_token": csrf(client.get("/login").text), "credential": said.encode("utf-8", "surrogateescape")}
        assert client.post("/login/passkey", data=form).status_code == 422, said[:9]


SHAPES: list[tuple[str, dict[str, Any]]] = [
    ("none", {}),
    ("packed", {"x5c": [5]}),
    ("android-safetynet", {"ver": "1", "response": b"W10.W10.YQ"}),
]


def test_what_no_device_makes_is_not_kept(owner: User) -> None:
    device, challenge = Device(), b"c" * 32
    client = device.client_data("webauthn.create", b64(challenge))
    for key, (fmt, statement) in product(["x", [1], {1: 2}, 5, b""], SHAPES):
        held = bytes(16) + len(device.id).to_bytes(2, "big") + device.id + encode_cbor(key)
        made = encode_cbor({"fmt": fmt, "attStmt": statement, "authData": device.data(MAKES) + held})
        with pytest.raises(Invalid):
            passkeys.add(owner, device._written({"attestationObject": b64(made)}, client), challenge, "Firefox")


def test_an_answer_counts_once_and_for_its_own_challenge(app: Flask, device: Device) -> None:
    browser, stranger = app.test_client(), app.test_client()
    challenge = told(browser, "/login/passkey/options", "/login")["challenge"]
    assert enter(stranger, device, challenge) == 422, "another browser was told another"
    challenge = told(browser, "/login/passkey/options", "/login")["challenge"]
    kept = browser.get_cookie("bidflux")
    form = {"csrf_token": csrf(browser.get("/login").text), "credential": device.show(challenge)}
    assert kept and browser.post("/login/passkey", data=form).status_code == 303
    browser.set_cookie("bidflux", kept.value)
    assert browser.post("/login/passkey", data=form).status_code == 422, "the same cookie and answer again"
    for nothing in ("", "{}", "[]", "null", "1", "x" * 30_000, '{"id": 1}', device.show("AAAA")):
        form["credential"] = nothing
        assert (
            browser.post("/login/passkey", data={**form, "csrf_token": csrf(browser.get("/login").text)}).status_code
            == 422
        )


def test_a_challenge_is_good_for_five_minutes(app: Flask, device: Device) -> None:
    browser = app.test_client()
    with time_machine.travel(AT, tick=False) as clock:
        challenge = told(browser, "/login/passkey/options", "/login")["challenge"]
        clock.shift(timedelta(minutes=6))
        assert enter(browser, device, challenge) == 422


def test_somebody_elses_shows_nobody_who_one_is(client: FlaskClient, app: Flask, device: Device, owner: User) -> None:
    colleague = make_user(owner.agency_id)
    there = app.test_client()
    login(there, colleague)
    challenge = told(there, "/login/passkey/options", "/app/confirm")["challenge"]
    form = {"csrf_token": csrf(there.get("/app/confirm").text), "credential": device.show(challenge)}
    assert there.post("/app/confirm/passkey", data=form).status_code == 422
    challenge = told(client, "/login/passkey/options", "/app/confirm")["challenge"]
    form = {"csrf_token": csrf(client.get("/app/confirm").text), "credential": device.show(challenge)}
    assert client.post("/app/confirm/passkey", data=form).status_code == 303
    assert add(there, Device(key=device.key)).status_code == 422, "one passkey is one person's"
    held = db.session.scalars(select(Passkey.id)).one()
    token = csrf(there.get(PAGE).text)
    assert there.post(f"{PAGE}/passkeys/{held}/remove", data={"csrf_token": token}).status_code == 404


def test_removed_it_opens_nothing(client: FlaskClient, app: Flask, device: Device, owner: User) -> None:
    page = client.get(PAGE).text
    (where,) = re.findall(rf"{PAGE}/passkeys/[0-9a-f-]+/remove", page)
    assert client.post(where, data={"csrf_token": csrf(page)}).status_code == 303
    assert enter(app.test_client(), device) == 422
    assert not db.session.scalar(select(Account.has_factor).where(Account.email == owner.email))
    assert not db.session.scalars(select(RecoveryCode)).all()
    kinds = select(LedgerEntry.kind).where(LedgerEntry.object_id == owner.id).order_by(LedgerEntry.seq.desc())
    assert db.session.scalars(kinds.limit(2)).all() == ["user.factor_removed", "user.factor_added"]


def test_for_whom_it_is(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    for address, party in {
        "https://oferte.example.ro": ("oferte.example.ro", "https://oferte.example.ro"),
        "http://127.0.0.1:8000": ("localhost", "http://localhost:8000"),
        "http://[::1]": ("localhost", "http://localhost"),
    }.items():
        monkeypatch.setattr(passkeys, "base_url", lambda address=address: address)
        assert passkeys.relying_party() == party
