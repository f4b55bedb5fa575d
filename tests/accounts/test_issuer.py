"""Signing in by an issuer: a small real one on loopback, which also lies in every way that we know of."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from sqlalchemy import select

from app.accounts import invitations, staff
from app.accounts.editing import NewUser, authenticate
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import Invitation, IssuerIdentity, LedgerEntry, User, UserSession
from tests.accounts.test_factors import with_phone
from tests.conftest import make_app, settings_for
from tests.factories import PASSWORD, csrf, make_agency, make_user

KEY, OTHER_KEY = RSAKey.generate_key(2048), RSAKey.generate_key(2048)
CLIENT, SECRET = "bidflux", "s3cret-of-the-client-000000"


@dataclass
class Issuer:
    """What it says, and what of it is a lie."""

    address: str = ""
    name: str = ""
    claims: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: KEY)
    alg: str = "RS256"
    asked: dict[str, str] = field(default_factory=dict)
    codes: dict[str, str] = field(default_factory=dict)
    away: bool = False

    def about(self) -> dict[str, Any]:
        return {
            "issuer": self.name or self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
            "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
        }

    def token(self) -> str:
        at = int(now().timestamp())
        claims = {"iss": self.address, "aud": CLIENT, "sub": "person-1", "iat": at, "exp": at + 300}
        claims |= {"nonce": self.asked.get("nonce", ""), **self.claims}
        claims = {name: value for name, value in claims.items() if value is not None}
        if self.alg == "none":
            head, body = (
                base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode()
                for one in ({"alg": "none"}, claims)
            )
            return f"{head}.{body}."
        return jwt.encode({"alg": self.alg}, claims, self.key, algorithms=[self.alg])


class Handler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if self.issuer.away:
            self.send_error(503)
        elif parts.path == "/authorize":
            self.issuer.asked = dict(parse_qsl(parts.query))
            self.issuer.codes = {"the-code": self.issuer.asked["code_challenge"]}
            self.send_response(302)
            self.send_header(
                "Location", f"{self.issuer.asked['redirect_uri']}?code=the-code&state={self.issuer.asked['state']}"
            )
            self.end_headers()
        else:
            self._json(self.issuer.about() if "well-known" in parts.path else {"keys": [KEY.as_dict(private=False)]})

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        wanted = self.issuer.codes.pop(form.get("code", ""), "")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if not wanted or base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != wanted:
            self._json({"error": "invalid_grant"}, 400)
        else:
            self._json({"access_token": "a", "token_type": "Bearer", "id_token": self.issuer.token()})

    def _json(self, body: Any, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_args: Any) -> None:
        pass


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    made = Issuer()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Its", (Handler,), {"issuer": made}))
    made.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app(issuer: Issuer, sqlite_url: str, tmp_path: Path, valkey: str) -> Iterator[Flask]:
    more = {"OIDC_ISSUER": issuer.address, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET}
    made = make_app(settings_for(tmp_path, DATABASE_URL=sqlite_url, REDIS_URL=valkey, **more))
    with made.app_context():
        yield made
        db.session.remove()
        db.engine.dispose()


def came_back(client: FlaskClient, forward: str = "/app/properties") -> str:
    """To the issuer and back: the address at which the browser arrives here."""
    sent = client.get(f"/login/issuer?next={forward}")
    assert sent.status_code in {302, 303}, sent.text
    back = requests.get(sent.location, allow_redirects=False, timeout=5).headers["Location"]
    assert back.startswith("http://localhost/login/issuer/back?")
    return back.removeprefix("http://localhost")


def verified(issuer: Issuer, user: User) -> None:
    issuer.claims = {"email": user.email.upper(), "email_verified": True}


def test_a_person_is_linked_once_by_address_and_then_by_name(client: FlaskClient, issuer: Issuer, owner: User) -> None:
    assert "/login/issuer" in client.get("/login").text
    verified(issuer, owner)
    assert client.get(came_back(client)).location == "/app/properties"
    assert client.get("/app/offers").status_code == 200
    assert issuer.asked["code_challenge_method"] == "S256" and issuer.asked["nonce"]
    kinds = select(LedgerEntry.kind).where(LedgerEntry.object_id == owner.id).order_by(LedgerEntry.seq.desc())
    assert db.session.scalars(kinds.limit(1)).one() == "user.issuer_linked"
    colleague = make_user(owner.agency_id)
    issuer.claims = {"email": colleague.email, "email_verified": True}  # the same name with another address
    client.post("/logout", data={"csrf_token": csrf(client.get("/app/settings").text)})
    client.get(came_back(client))
    assert (
        owner.email.encode() in client.get("/app/settings").data or owner.full_name in client.get("/app/settings").text
    )
    assert len(db.session.scalars(select(IssuerIdentity)).all()) == 1


LIES: dict[str, dict[str, Any]] = {
    "address not verified": {"email_verified": False},
    "address verified in words": {"email_verified": "true"},
    "nothing said of the address": {"email_verified": None},
    "no address": {"email": None},
    "for somebody else": {"aud": "another-client"},
    "another sign-in": {"nonce": "another"},
    "no nonce": {"nonce": None},
    "expired": {"exp": 1},
    "another issuer": {"iss": "https://evil.example"},
    "nobody": {"sub": None},
    "a number": {"sub": 7},
    "an unknown address": {"email": "nimeni@evil.example"},
}


@pytest.mark.parametrize("lie", LIES)
def test_an_issuer_that_lies_lets_nobody_in(client: FlaskClient, issuer: Issuer, owner: User, lie: str) -> None:
    verified(issuer, owner)
    issuer.claims |= LIES[lie]
    refused = client.get(came_back(client))
    assert refused.status_code == 422 and client.get("/app/offers").status_code == 303
    assert not db.session.scalars(select(IssuerIdentity)).all() and not db.session.scalars(select(UserSession)).all()


@pytest.mark.parametrize("forged", ["another key", "none", "the client's secret", "another issuer's papers"])
def test_what_the_issuer_did_not_sign_lets_nobody_in(
    client: FlaskClient, issuer: Issuer, owner: User, forged: str
) -> None:
    verified(issuer, owner)
    back = came_back(client)
    if forged == "another key":
        issuer.key = OTHER_KEY
    elif forged == "none":
        issuer.alg = "none"
    elif forged == "the client's secret":
        issuer.alg, issuer.key = "HS256", OctKey.import_key(SECRET)
    else:
        client.application.extensions.pop("bidflux_issuer")
        issuer.name = "https://evil.example"
    assert client.get(back).status_code == 422 and client.get("/app/offers").status_code == 303


def test_a_way_back_counts_once_in_the_browser_that_set_out(
    client: FlaskClient, app: Flask, issuer: Issuer, owner: User
) -> None:
    verified(issuer, owner)
    back = came_back(client)
    assert app.test_client().get(back).status_code == 422
    query = parse_qs(urlsplit(back).query)
    assert client.get(f"/login/issuer/back?code={query['code'][0]}&state=forged").status_code == 422
    assert client.get("/login/issuer/back?error=access_denied").status_code == 422
    assert client.get("/login/issuer/back").status_code == 422


def test_who_was_invited_joins_by_it(client: FlaskClient, issuer: Issuer, owner: User) -> None:
    invitations.invite(owner.agency_id, NewUser("dan@agentie.example", "Dan Nou"), by=SYSTEM)
    issuer.claims = {"email": "dan@agentie.example", "email_verified": True}
    assert client.get(came_back(client)).status_code == 303
    assert client.get("/app/offers").status_code == 200 and not db.session.scalars(select(Invitation)).all()
    joined = db.session.scalars(select(User).where(User.email == "dan@agentie.example")).one()
    staff.deactivate(joined, heir=owner.id, by=SYSTEM)
    client.get(came_back(client))
    assert client.get("/app/offers").status_code == 303, "who has left is nobody again"


def test_the_second_factor_is_asked_for_all_the_same(client: FlaskClient, issuer: Issuer, owner: User) -> None:
    with_phone(owner)
    verified(issuer, owner)
    asked = client.get(came_back(client))
    assert asked.location == "/login/factor?next=/app/properties" and client.get("/app/offers").status_code == 303


def test_away_an_owner_has_a_way_in(client: FlaskClient, app: Flask, issuer: Issuer, owner: User) -> None:
    settings = app.extensions["bidflux_settings"]
    app.extensions["bidflux_settings"] = replace(settings, oidc=settings.oidc._replace(only=True))
    agent = make_user(owner.agency_id)
    issuer.away = True
    away = client.get("/login/issuer")
    assert away.status_code == 422 and "parola" in away.text
    for user, status in ((agent, 422), (owner, 303)):
        form = {"email": user.email, "password": PASSWORD, "csrf_token": csrf(client.get("/login").text)}
        assert client.post("/login", data=form).status_code == status
    assert client.get("/app/offers").status_code == 200 and authenticate(agent.email, PASSWORD)
    issuer.away = False


def test_without_an_issuer_there_is_no_such_way(sqlite_url: str, tmp_path: Path, valkey: str) -> None:
    plain = make_app(settings_for(tmp_path, DATABASE_URL=sqlite_url, REDIS_URL=valkey))
    with plain.app_context():
        make_agency()
        browser = plain.test_client()
        assert "/login/issuer" not in browser.get("/login").text
        assert (
            browser.get("/login/issuer").status_code
            == browser.get("/login/issuer/back?code=1&state=2").status_code
            == 404
        )
        db.session.remove()
        db.engine.dispose()


def test_begun_twenty_times_it_can_still_be_finished(client: FlaskClient, issuer: Issuer, owner: User) -> None:
    """Each beginning is remembered in the cookie, of which browsers keep 4,096 bytes and no more."""
    verified(issuer, owner)
    tabs = [came_back(client) for _time in range(20)]
    cookie = client.get_cookie("bidflux")
    assert cookie and len(cookie.value) < 2000
    assert client.get(tabs[0]).status_code == 422, "long begun anew"
    assert client.get(tabs[-1]).location == "/app/properties"
