"""What an installation on the internet tells browsers, and what its web server gives to nobody."""

from __future__ import annotations

import json
import re
import ssl
import uuid
from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.config import ConfigurationError
from app.core.logs import configure_logs
from app.core.signed_links import BIDDER, sign
from app.models import Property, User
from app.outbound.http_client import HttpClient
from app.web.guards import PEOPLE, Guard
from tests.conftest import ROOT, make_app, settings_for
from tests.factories import login, make_offer
from tests.web.test_hostile_requests import CHUNKED, reading
from tests.web.test_routes import contents, path

HERE = "https://localhost"
PAGES = ("/", "/nu", "/o/x", "/login", "/healthz", "/api/crm/offers", "/static/js/app.js")
IDS = re.compile(r"<(?:[^:>]+:)?([^>]+)>")


@pytest.fixture
def served(app: Flask) -> Iterator[FlaskClient]:
    """A browser at the same installation, in production and over TLS."""
    settings = app.extensions["bidflux_settings"]
    production = {"BIDFLUX_ENV": "production", "DATABASE_URL": settings.database_url, "BASE_URL": HERE}
    production |= {"MAIL_DEFAULT_SENDER": "oferte@agentie.example"}
    yield make_app(settings_for(settings.data_dir, **production)).test_client()


def test_over_tls_a_year_of_tls_is_asked_for(served: FlaskClient) -> None:
    for where in PAGES:
        with served.get(where, base_url=HERE) as answer:
            assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains", where


def test_without_tls_there_is_no_production(app: Flask) -> None:
    with pytest.raises(ConfigurationError, match="BASE_URL must begin with https"):
        settings_for(app.extensions["bidflux_settings"].data_dir, BIDFLUX_ENV="production", BASE_URL="http://a.example")


def test_only_versions_of_tls_that_are_good_are_spoken(app: Flask) -> None:
    """Inwards by the examples for proxies, outwards by our own client and by mail, which asks Python for the same."""
    nginx = (ROOT / "deploy/nginx/bidflux.conf").read_text()
    assert re.findall(r"ssl_protocols ([^;]+);", nginx) == ["TLSv1.2 TLSv1.3"]
    assert not re.search(r"^\s*(tls|protocols)\b", (ROOT / "deploy/caddy/Caddyfile").read_text(), re.M), "1.2 and 1.3"
    for context in (HttpClient()._tls, ssl.create_default_context()):
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
        assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname


def test_over_tls_the_pass_of_a_private_page_goes_to_that_page_alone(served: FlaskClient, prop: Property) -> None:
    cookies = served.post(f"/r/{sign(BIDDER, make_offer(prop))}", base_url=HERE).headers.getlist("Set-Cookie")
    assert len(cookies) > 1
    for cookie in cookies:
        assert cookie.startswith("__Secure-bidder-page=") and {"Secure", "HttpOnly", "SameSite=Strict"} <= {
            *cookie.split("; ")
        }
        assert re.search(r"Path=(/\w\w)?/r/offer/BF-\w+", cookie) and "Domain" not in cookie


@pytest.mark.parametrize(
    ("fields", "read"),
    [
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked", b"hello"),
        (b"Transfer-Encoding: chunked\r\nContent-Length: 30", b"hello"),
        (b"Transfer-Encoding: xchunked", None),
        (b"Transfer-Encoding: chunked, identity", None),
        (b"Content-Length: 10\r\nContent-Length: 11", None),
        (b"Content-Length: +10", None),
        (b"Content-Length: 0x10", None),
        (b"Content-Length : 10", None),
    ],
)
def test_where_a_body_ends_is_read_in_one_way(fields: bytes, read: bytes | None) -> None:
    request = reading(CHUNKED.replace(b"Transfer-Encoding: chunked", fields), b"5\r\nhello\r\n0\r\n\r\n")
    if read is None:
        assert request.error is not None
    else:
        assert request.completed and request.error is None and request.get_body_stream().read() == read


def test_a_page_loads_nothing_but_its_own(client: FlaskClient) -> None:
    for where in PAGES:
        with client.get(where) as answer:
            said = answer.headers["Content-Security-Policy"].split("; ")
        policy = {name: places for name, _, places in (one.partition(" ") for one in said)}
        assert policy["default-src"] == "'none'" and "object-src" not in policy, "what is not named is the default's"
        assert policy["base-uri"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
        assert {place for places in policy.values() for place in places.split()} == {"'none'", "'self'", "data:"}
    for page in (ROOT / "app/templates").rglob("*.html"):
        assert not re.search(r"<script(?![^>]*\bsrc=)", page.read_text()), f"{page}: a script written into a page"


def test_text_says_which_letters_it_is_written_in(client: FlaskClient) -> None:
    for where in (*PAGES, "/static/css/bidflux.css", "/.well-known/security.txt", "/ro/gdpr", "/verify/root.pem"):
        with client.get(where) as answer:
            said = answer.headers["Content-Type"]
            text = said.startswith("text/") or "xml" in said or "javascript" in said
            assert not text or said.endswith("charset=utf-8"), (where, said)


def test_no_method_and_no_file_beside_what_is_meant(served: FlaskClient) -> None:
    for where in ("/", "/login", "/healthz", "/api/crm/offers", "/static/js/app.js"):
        answer = served.open(where, method="TRACE", base_url=HERE, headers={"X-Canary": "canarychirp"})
        assert answer.status_code == 405 and "canarychirp" not in answer.text, where
    beside = ("/static/", "/static/js/", "/static/js", "/.git/config", "/.env", "/static/../../.env", "/app/config.py")
    beside += ("/static/%2e%2e/config.py", "/wsgi.py", "/instance/bidflux.db", "/app/styleguide", "/metrics")
    for where in beside:
        afar = {"REMOTE_ADDR": "203.0.113.7"}
        assert served.get(where, base_url=HERE, environ_overrides=afar).status_code in {404, 303}, where
    assert served.get("/app/styleguide", base_url=HERE).status_code == 404
    assert not served.application.debug


def test_no_button_is_pressed_without_its_forms_token(app: Flask, client: FlaskClient, owner: User) -> None:
    """Whoever is signed in, and has another site's page open."""
    login(client, owner)
    before, tried = contents(), 0
    for rule in app.url_map.iter_rules():
        guard = app.view_functions[rule.endpoint].policy.guard  # type: ignore[attr-defined]
        if guard not in PEOPLE or "POST" not in (rule.methods or ()):
            continue
        values = {name: "x" if name in {"kind", "external_id"} else uuid.uuid4() for name in IDS.findall(rule.rule)}
        answer = client.post(path(app, rule, values), data={"status": "accepted", "csrf_token": "forged"})
        assert answer.status_code == 400, f"{rule} answers {answer.status_code}"
        tried += 1
    assert tried > 60 and contents() == before


def test_the_way_out_is_on_every_page(app: Flask, client: FlaskClient, owner: User) -> None:
    login(client, owner)
    seen = 0
    for rule in app.url_map.iter_rules():
        guard = app.view_functions[rule.endpoint].policy.guard  # type: ignore[attr-defined]
        if (
            guard not in {Guard.SIGNED_IN, Guard.AGENT, Guard.OWNER}
            or rule.arguments
            or "GET" not in (rule.methods or ())
        ):
            continue
        with client.get(rule.rule) as answer:
            if answer.status_code == 200 and answer.mimetype == "text/html" and "<html" in answer.text:
                assert 'action="/logout"' in answer.text, rule
                seen += 1
    assert seen > 15


def test_a_line_of_the_log_is_one_line_with_its_moment(app: Flask, capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs(app)
    app.test_client().get('/nu%0A{"event": "forged"}%0D%1b[31m%E2%80%A8')
    said = capfd.readouterr().err.strip().split("\n")
    lines = [json.loads(line) for line in said]
    assert {line["event"] for line in lines} == {"request"} and "\x1b" not in "".join(said)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", lines[0]["timestamp"]) and lines[0]["status"] == 404
