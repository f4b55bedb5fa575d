"""Creating and changing a property."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import Property, User
from tests.factories import csrf, login, make_agency, make_property, make_user
from tests.patterns import slow


@pytest.fixture
def owner(client: FlaskClient, app: Flask) -> User:
    user = make_user(make_agency(), "owner")
    login(client, user)
    return user


def send(client: FlaskClient, path: str, **data: Any) -> TestResponse:
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    given = {"title": "Casă", "property_type": "house", "currency": "EUR", "price_vat": "", **data}
    return client.post(path, data={"csrf_token": token, **given}, content_type="multipart/form-data")


def only() -> Property:
    db.session.rollback()
    return db.session.scalars(select(Property)).one()


def picture(kind: str = "PNG", size: tuple[int, int] = (30, 20)) -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, kind)
    out.seek(0)
    return out


def test_a_property_is_created_with_everything(client: FlaskClient, owner: User) -> None:
    response = send(
        client,
        "/app/properties/new",
        title="  Casă cu   livadă ",
        title_en="House",
        asking_price="245.000,50",
        price_vat="excluded",
        buyer_commission="2% + TVA",
        usable_area_sqm="1 250 mp",
        rooms="5",
        accepts_offers="y",
        signature_required="y",
        offers_open_at="2035-06-01T09:00",
        offers_close_at="2035-07-01T18:00",
        rule_message="hidden",
        rule_valid_until="required",
        external_id="CRM-1",
        agent_id=str(owner.id),
    )
    prop = only()
    assert response.status_code == 303 and response.location == f"/app/properties/{prop.id}"
    assert (prop.title, prop.asking_minor, prop.usable_area_sqm, prop.rooms) == ("Casă cu livadă", 24500050, 1250, 5)
    assert prop.field_rules == {"message": "hidden", "valid_until": "required"}
    assert prop.offers_close_at == datetime(2035, 7, 1, 15, 0, tzinfo=UTC)
    assert prop.accepts_offers and prop.signature_required


def test_all_that_is_wrong_is_said_at_once_and_all_that_was_typed_kept(client: FlaskClient, owner: User) -> None:
    response = send(
        client,
        "/app/properties/new",
        title="",
        asking_price="12 000x",
        usable_area_sqm="-3",
        offers_close_at="2020-01-01T10:00",
        city="Târgu Mureș",
        property_type="castle",
        agent_id="nobody",
    )
    body = response.get_data(as_text=True)
    assert response.status_code == 422
    for name in ("title", "asking_price", "usable_area_sqm", "offers_close_at", "property_type", "agent_id"):
        assert f'id="{name}-error"' in body, name
    assert "12 000x" in body and "Târgu Mureș" in body
    assert db.session.scalar(select(Property.id)) is None


def test_a_price_that_could_be_another_is_asked_about(client: FlaskClient, owner: User) -> None:
    body = send(client, "/app/properties/new", asking_price="125,000").get_data(as_text=True)
    assert re.search(r'name="confirmed"\s+value="asking_price:12500000"', body)
    assert (
        send(client, "/app/properties/new", asking_price="125,000", confirmed="asking_price:12500000").status_code
        == 303
    )
    assert only().asking_minor == 125_000_00


def test_an_edit_shows_and_keeps_what_is_there(client: FlaskClient, owner: User) -> None:
    prop = make_property(
        owner.agency_id,
        owner.id,
        offers_close_at=datetime(2035, 7, 1, 15, 0, tzinfo=UTC),
        field_rules={"type": "hidden"},
    )
    body = client.get(f"/app/properties/{prop.id}/edit").get_data(as_text=True)
    assert 'value="2035-07-01T18:00"' in body and 'value="125.000"' in body
    assert 'name="version" value="1"' in body


def test_two_editors_do_not_overwrite_one_another(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    path = f"/app/properties/{prop.id}/edit"
    assert send(client, path, title="Al meu", version="1", accepts_offers="y").status_code == 303
    response = send(client, path, title="Al celuilalt", version="1", accepts_offers="y")
    body = response.get_data(as_text=True)
    assert response.status_code == 409 and "Al celuilalt" in body and 'name="version" value="2"' in body
    assert only().title == "Al meu"
    assert send(client, path, title="Al celuilalt", version="2").status_code == 303


def test_a_version_left_out_is_no_way_round(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    assert send(client, f"/app/properties/{prop.id}/edit", title="Altul").status_code == 409


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_photo_is_kept_under_an_address_of_its_own(client: FlaskClient, owner: User, kind: str) -> None:
    assert send(client, "/app/properties/new", photo=(picture(kind), "x")).status_code == 303
    prop = only()
    assert prop.photo_id
    assert f"photo?v={prop.photo_id.hex[-10:]}" in client.get(f"/app/properties/{prop.id}").get_data(as_text=True)
    photo = client.get(f"/app/properties/{prop.id}/photo?v={prop.photo_id.hex[-10:]}")
    assert photo.mimetype == "image/jpeg" and "immutable" in photo.headers["Cache-Control"]
    send(client, f"/app/properties/{prop.id}/edit", version=str(prop.version), remove_photo="y")
    assert only().photo_id is None


@pytest.mark.parametrize(
    "body", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"", b"GIF89a", b"\x89PNG\r\n\x1a\n" + b"0" * 40]
)
def test_what_is_no_photo_is_refused_in_the_form(client: FlaskClient, owner: User, body: bytes) -> None:
    response = send(client, "/app/properties/new", title="Casa mea", photo=(io.BytesIO(body), "x.png"))
    assert response.status_code == 422 and 'id="photo-error"' in response.get_data(as_text=True)
    assert "Casa mea" in response.get_data(as_text=True) and db.session.scalar(select(Property.id)) is None


def test_an_oversized_photo_is_refused_in_the_form(client: FlaskClient, owner: User) -> None:
    big = io.BytesIO(b"\xff\xd8" + b"0" * (10 * 1024 * 1024))
    response = send(client, "/app/properties/new", photo=(big, "x.jpg"))
    assert response.status_code == 422 and "10 MB" in response.get_data(as_text=True)
    response.request.environ["wsgi.input"].close()  # the test client's own temporary file


def test_an_external_id_belongs_to_one_property(client: FlaskClient, owner: User) -> None:
    make_property(owner.agency_id, owner.id, external_id="A")
    response = send(client, "/app/properties/new", external_id="A", title="Alta")
    assert response.status_code == 422 and 'id="external_id-error"' in response.get_data(as_text=True)


def test_an_agent_creates_their_own_and_cannot_give_it_away(client: FlaskClient, app: Flask, owner: User) -> None:
    agent = make_user(owner.agency_id)
    browser = app.test_client()
    login(browser, agent)
    assert 'name="agent_id"' not in browser.get("/app/properties/new").get_data(as_text=True)
    assert send(browser, "/app/properties/new").status_code == 303
    assert only().agent_id == agent.id


def test_broken_bytes_and_control_characters_are_no_500(client: FlaskClient, owner: User) -> None:
    assert send(client, "/app/properties/new", title="A\x00B\u202eC", city=b"\xff\xfe").status_code == 303
    assert only().title == "ABC"


def test_a_price_with_endless_spaces_is_refused_at_once(client: FlaskClient, owner: User) -> None:
    hostile = {name: "1" + " " * 100_000 + "x" for name in ("asking_price", "rooms", "offers_close_at", "title")}

    def six_times() -> None:
        for _ in range(6):
            assert send(client, "/app/properties/new", **hostile).status_code == 422

    assert not slow(six_times)


@pytest.mark.parametrize(("currency", "typed"), [("RON", "€230.000"), ("EUR", "700.000 lei"), ("EUR", "£ 230.000")])
def test_another_currency_than_the_chosen_one_is_said(
    client: FlaskClient, owner: User, currency: str, typed: str
) -> None:
    answer = send(client, "/app/properties/new", asking_price=typed, currency=currency)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and "Ați scris" in page and typed in page
    assert db.session.scalar(select(Property)) is None
