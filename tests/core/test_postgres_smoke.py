"""Every page of the product answers on PostgreSQL as it does on SQLite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select
from werkzeug.routing import BuildError

from app.extensions import db
from app.links import offer_link_token, receipt_token
from app.models import Offer, Property, User
from tests.factories import login, make_agency, make_offer, make_property, make_user

FRAGMENTS = {"offers.news"}


@pytest.fixture
def owner(either_app: Flask) -> User:
    owner = make_user(make_agency(), "owner")
    prop = make_property(owner.agency_id, owner.id)
    make_offer(prop)
    make_offer(prop)
    return owner


def addresses(app: Flask, owner: User) -> Iterator[tuple[str, str]]:
    """Every route that can be opened, with ids of this agency in it."""
    prop = db.session.scalars(select(Property)).first()
    offer = db.session.scalars(select(Offer)).first()
    assert prop and offer
    known = {"property_id": prop.id, "offer_id": offer.id, "user_id": owner.id, "kind": "svg", "external_id": "X-1"}
    with app.test_request_context():
        adapter = app.create_url_adapter(None) or app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            if "GET" not in (rule.methods or set()) or rule.endpoint == "static":
                continue
            token = receipt_token(offer.id) if rule.rule.startswith("/r/") else offer_link_token(prop.id, 1)
            values = {name: value for name, value in {**known, "token": token}.items() if name in rule.arguments}
            try:
                yield rule.endpoint, adapter.build(rule.endpoint, values)
            except BuildError:
                continue


def test_every_page_opens(either_app: Flask, client_of: FlaskClient, owner: User) -> None:
    login(client_of, owner)
    opened = 0
    for endpoint, path in [*addresses(either_app, owner)]:
        if endpoint.startswith("accounts.log"):
            continue
        headers = {"HX-Request": "true"} if endpoint in FRAGMENTS else {}
        status = client_of.get(path, headers=headers, environ_overrides={"REMOTE_ADDR": "127.0.0.1"}).status_code
        assert status < 500, (endpoint, path, status)
        opened += status == 200
    assert opened > 20
    for query in ("status=new", "financing=cash", "after=x", "q=%C8%99"):
        assert client_of.get(f"/app/offers?{query}").status_code < 500


def test_no_page_costs_more_than_twelve_queries(either_app: Flask, client_of: FlaskClient, owner: User) -> None:
    prop = db.session.scalars(select(Property)).one()
    for _ in range(8):
        make_offer(prop)
    for _ in range(4):
        make_property(owner.agency_id, owner.id)
    login(client_of, owner)
    statements: list[str] = []

    @event.listens_for(db.engine, "before_cursor_execute")
    def listen(*args: Any) -> None:
        statements.append(args[2])

    costly = {}
    for endpoint, path in [*addresses(either_app, owner)]:
        if endpoint.startswith("accounts.log"):
            continue
        # Read ahead, a page writes nothing down; that somebody saw an offer is a unit of work of its own.
        headers = {"Sec-Purpose": "prefetch", **({"HX-Request": "true"} if endpoint in FRAGMENTS else {})}
        client_of.get(path, headers=headers)
        statements.clear()
        if client_of.get(path, headers=headers).status_code == 200:
            asked = [one for one in statements if one.lstrip().startswith(("SELECT", "WITH"))]
            if len(asked) > 12:
                costly[path] = [" ".join(one.split())[:90] for one in asked]
    event.remove(db.engine, "before_cursor_execute", listen)
    assert costly == {}


@pytest.fixture
def client_of(either_app: Flask) -> FlaskClient:
    return either_app.test_client()
