"""Private links open what is private: their tokens stand in no log, no queue and no table, however they are typed."""

from __future__ import annotations

import logging
import runpy
import uuid

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from gunicorn.config import Config
from werkzeug.routing import IntegerConverter, Rule, UUIDConverter

from app.accounts import invitations
from app.core import signed_links
from app.core.access import Person
from app.core.logs import configure_logs, redact
from app.extensions import db
from app.models import Agency
from app.properties import seller_links
from tests.conftest import ROOT
from tests.factories import make_agency, make_offer, make_property, make_user
from tests.privacy.test_canaries import at_rest

# A new name in a route is taken for a secret until it is written here.
NO_SECRETS = {"slug", "external_id", "name", "filename", "kind", "reference"}


def secrets_of(rule: Rule) -> set[str]:
    own = {n for n, c in rule._converters.items() if not isinstance(c, UUIDConverter | IntegerConverter)}
    return own - NO_SECRETS


@pytest.fixture
def tokens(app: Flask) -> dict[str, str]:
    """A genuine token for each beginning of a path."""
    agent = make_user(make_agency())
    prop = make_property(agent.agency_id, agent.id)
    by = Person(agent, db.session.get_one(Agency, agent.agency_id), uuid.uuid4(), "")
    return {
        "/o/": signed_links.sign(signed_links.OFFER_LINK, signed_links.OfferLink(prop.id, prop.link_version)),
        "/r/": signed_links.sign(signed_links.BIDDER, make_offer(prop)),
        "/s/": signed_links.sign(signed_links.SELLER, seller_links.create(prop, 7, shows_names=True, by=by)),
        "/gdpr/request/": signed_links.sign(signed_links.PRIVACY, uuid.uuid4()),
        "/account/": invitations.account_token(agent, 2e9),
        "/setup/": signed_links.sign(signed_links.SETUP, uuid.uuid4()),
        "/photos/": signed_links.sign(signed_links.PHOTO, uuid.uuid4()),
    }


def test_no_route_leaves_its_token_in_a_log_the_queue_or_the_database(
    app: Flask, client: FlaskClient, valkey: str, tokens: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs(app, level=logging.DEBUG)
    rules = [rule for rule in app.url_map.iter_rules() if secrets_of(rule)]
    assert len(rules) >= len(tokens)
    for rule in rules:
        assert secrets_of(rule) == {"token"}, f"{rule}: is it a secret? See NO_SECRETS"
        [start] = [start for start in tokens if rule.rule.startswith(start)]
        for method in ("GET", "POST", "DELETE"):  # one of them is always refused, so that a line is written
            client.open(rule.rule.replace("<token>", tokens[start]), method=method)
    out, err = capfd.readouterr()
    for start in tokens:
        assert f"{start}…" in err, start
    queue = redis.Redis.from_url(valkey)
    held = b"".join(key + (queue.dump(key) or b"") for key in queue.scan_iter())
    for token in tokens.values():
        signature = token.rpartition(".")[2]
        assert signature not in out + err
        assert signature.encode() not in held + at_rest()


def test_a_link_typed_wrongly_is_redacted_too(tokens: dict[str, str]) -> None:
    for start, token in tokens.items():
        for typed in (
            f"/ro{start}{token}",
            f"{start.upper()}{token}/more",
            f"{start.rstrip('/')}//{token}",
            f"/somewhere/{token}",
            f"{start.rstrip('/')}%2F{token}",
            f"{start}{token}?x={token}",
        ):
            assert token not in redact(typed) and token.rpartition(".")[2] not in redact(typed), typed


def test_the_server_names_no_token_in_its_own_log(tokens: dict[str, str], capfd: pytest.CaptureFixture[str]) -> None:
    server = runpy.run_path(str(ROOT / "gunicorn.conf.py"))
    assert server["accesslog"] is None
    settings = Config()
    settings.set("errorlog", "-")
    settings.set("loglevel", "warning")
    log = server["logger_class"](settings)
    log.warning("Invalid request from ip=%s: Invalid HTTP request line: 'GET /s/%s'", "203.0.113.7", tokens["/s/"])
    log.error("Error handling request %s %s", "GET", f"/en/r/{tokens['/r/']}/receipt.pdf")
    said = capfd.readouterr().err
    assert "GET /s/…" in said and "/en/r/…/receipt.pdf" in said
    assert tokens["/s/"] not in said and tokens["/r/"] not in said
