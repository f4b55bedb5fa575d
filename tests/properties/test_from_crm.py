"""The page that a CRM's own page of a property links to."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.core.clock import now
from app.extensions import db
from app.models import Property, User
from tests.factories import csrf, login, make_agency, make_property, make_user

WHERE = "/app/properties/external/CRM/7 ș"


@pytest.fixture
def owner(client: FlaskClient) -> User:
    owner = make_user(make_agency(), "owner")
    login(client, owner)
    return owner


@pytest.fixture
def prop(owner: User) -> Property:
    return make_property(owner.agency_id, owner.id, external_id="CRM/7 ș", accepts_offers=False)


def save(client: FlaskClient, **values: Any) -> TestResponse:
    page = client.get(WHERE).get_data(as_text=True)
    version = re.findall(r'name="version" value="(\d+)"', page)[0]
    return client.post(WHERE, data={"csrf_token": csrf(page), "version": version, **values})


def now_of(prop: Property) -> Property:
    db.session.expire_all()
    return db.session.get_one(Property, prop.id)


def test_the_link_is_turned_on_with_window_and_signature(client: FlaskClient, prop: Property) -> None:
    closes = (now() + timedelta(days=9)).strftime("%Y-%m-%dT%H:%M")
    saved = save(client, accepts_offers="y", signature_required="y", offers_close_at=closes)
    assert saved.status_code == 303
    held = now_of(prop)
    assert held.accepts_offers and held.signature_required and held.offers_close_at and not held.offers_open_at
    page = unescape(client.get(saved.location).get_data(as_text=True))
    link = re.findall(r'id="share-url" value="http://localhost([^"]+)"', page)[0]
    assert client.get(link).status_code == 200
    assert save(client).status_code == 303 and not now_of(prop).accepts_offers
    assert client.get(link).status_code == 410
    assert now_of(prop).title == prop.title, "nothing else is touched"


def test_what_is_wrong_is_said_and_stays_typed(client: FlaskClient, prop: Property) -> None:
    for name in ("offers_open_at", "offers_close_at"):
        refused = save(client, accepts_offers="y", **{name: f"{now().year - 1}-12-01T10:00"})
        assert refused.status_code == 422
    refused = save(client, accepts_offers="y", offers_close_at="2020-01-01T10:00")
    assert refused.status_code == 422 and 'value="2020-01-01T10:00"' in refused.get_data(as_text=True)
    assert not now_of(prop).accepts_offers


def test_a_version_that_moved_on_is_not_written_over(client: FlaskClient, prop: Property) -> None:
    assert save(client, accepts_offers="y", version="99").status_code == 409
    assert not now_of(prop).accepts_offers


def test_one_not_sent_yet_says_how_it_comes_in(client: FlaskClient, owner: User) -> None:
    answer = client.get("/app/properties/external/X 9")
    page = unescape(answer.get_data(as_text=True))
    assert answer.status_code == 404 and "X 9" in page
    new = re.findall(r'href="(/app/properties/new[?][^"]+)"', page)[0]
    assert 'value="X 9"' in client.get(new).get_data(as_text=True)


def test_a_stranger_learns_nothing(client: FlaskClient, prop: Property) -> None:
    stranger = client.application.test_client()
    login(stranger, make_user(make_agency("Alta"), "owner"))
    assert stranger.get(WHERE).status_code == 404
    assert prop.title not in stranger.get(WHERE).get_data(as_text=True)


@pytest.mark.parametrize("path", ["//CRM", "/%2FCRM", "/a//b", "/CRM//7%20%C8%99", "///"])
def test_an_address_with_two_slashes_leads_to_no_other_property(client: FlaskClient, prop: Property, path: str) -> None:
    answer = client.get(f"/app/properties/external{path}")
    assert answer.status_code == 404 and "Location" not in answer.headers


def test_an_id_that_an_address_cannot_hold_is_refused_in_the_form(client: FlaskClient, owner: User) -> None:
    for wanted in ("/x", "a//b", "x/", ".", "..", "a/../b"):
        page = client.get("/app/properties/new").get_data(as_text=True)
        sent = {"csrf_token": csrf(page), "title": "Casă", "external_id": wanted, "property_type": "apartment"}
        answer = client.post("/app/properties/new", data={**sent, "currency": "EUR"})
        assert answer.status_code == 422 and "bară oblică" in answer.get_data(as_text=True), wanted
