"""The link of a property: on, off, new, shared, archived."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import Property, User
from app.properties.representation import offer_url
from tests.factories import csrf, login, make_agency, make_property, make_user


@pytest.fixture
def owner(client: FlaskClient, app: Flask) -> User:
    user = make_user(make_agency(), "owner")
    login(client, user)
    return user


def post(client: FlaskClient, path: str, **more: Any) -> TestResponse:
    headers = more.pop("headers", None)
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    return client.post(path, data={"csrf_token": token, **more}, headers=headers)


def fresh(prop: Property) -> Property:
    db.session.rollback()
    return db.session.get_one(Property, prop.id)


def test_off_and_on_again_is_the_same_link(client: FlaskClient, prop: Property) -> None:
    path, link = f"/app/properties/{prop.id}", offer_url(prop)
    assert link in client.get(path).get_data(as_text=True)
    assert "nu se mai primesc oferte" in client.get(f"{path}/accepts").get_data(as_text=True)
    assert fresh(prop).accepts_offers, "the warning changes nothing"
    assert post(client, f"{path}/accepts", on="0").status_code == 303
    assert not fresh(prop).accepts_offers and link not in client.get(path).get_data(as_text=True)
    assert client.get(urlsplit(link).path).status_code == 410
    post(client, f"{path}/accepts", on="1")
    assert link in client.get(path).get_data(as_text=True)


def test_htmx_gets_the_property_alone(client: FlaskClient, prop: Property) -> None:
    answer = post(client, f"/app/properties/{prop.id}/accepts", on="0", headers={"HX-Request": "true"})
    assert answer.status_code == 200 and answer.get_data(as_text=True).strip().startswith('<div id="property-view"')


def test_what_is_not_for_sale_takes_no_offers(client: FlaskClient, owner: User) -> None:
    rented = make_property(owner.agency_id, owner.id, transaction_type="rent", accepts_offers=False)
    assert post(client, f"/app/properties/{rented.id}/accepts", on="1").status_code == 409
    assert not fresh(rented).accepts_offers


def test_a_new_link_stops_the_old_one_after_a_warning(client: FlaskClient, prop: Property) -> None:
    old = urlsplit(offer_url(prop)).path
    assert client.get(f"/app/properties/{prop.id}/link").status_code == 200
    assert fresh(prop).link_version == 1
    assert post(client, f"/app/properties/{prop.id}/link").status_code == 303
    assert client.get(old).status_code == 410
    assert client.get(urlsplit(offer_url(fresh(prop))).path).status_code == 200


def test_archiving_stops_the_link_and_keeps_the_page(client: FlaskClient, prop: Property) -> None:
    post(client, f"/app/properties/{prop.id}/archive")
    assert fresh(prop).archived_at and not fresh(prop).accepts_offers
    assert client.get(f"/app/properties/{prop.id}").status_code == 200
    assert post(client, f"/app/properties/{prop.id}/accepts", on="1").status_code == 409
    assert post(client, f"/app/properties/{prop.id}/restore").status_code == 303
    assert not fresh(prop).archived_at and not fresh(prop).accepts_offers
    assert prop.title in client.get("/app/properties").get_data(as_text=True)
    assert post(client, f"/app/properties/{prop.id}/accepts", on="1").status_code == 303


def test_the_link_can_be_handed_on_in_every_way(client: FlaskClient, prop: Property) -> None:
    page, link = client.get(f"/app/properties/{prop.id}").get_data(as_text=True), offer_url(prop)
    assert f"https://www.facebook.com/sharer/sharer.php?u={quote(link, safe='')}" in page
    for beginning in ("mailto:?subject=", "sms:?&amp;body=", "https://wa.me/?text="):
        assert beginning in page
    assert "data-share=" in page and "data-copy=" in page and "<svg" in page


def test_the_code_comes_as_svg_and_png_and_card(client: FlaskClient, prop: Property) -> None:
    svg, png = (client.get(f"/app/properties/{prop.id}/qr.{kind}") for kind in ("svg", "png"))
    assert svg.mimetype == "image/svg+xml" and b"<svg" in svg.data
    assert png.mimetype == "image/png" and png.data.startswith(b"\x89PNG")
    assert "attachment" in png.headers["Content-Disposition"]
    assert client.get(f"/app/properties/{prop.id}/qr.gif").status_code == 404
    assert prop.title in client.get(f"/app/properties/{prop.id}/card").get_data(as_text=True)
    post(client, f"/app/properties/{prop.id}/accepts", on="0")
    assert client.get(f"/app/properties/{prop.id}/qr.png").status_code == 404


def test_who_only_reads_changes_nothing(client: FlaskClient, app: Flask, owner: User, prop: Property) -> None:
    from app.accounts import editing as accounts
    from app.core.ledger import SYSTEM
    from app.models import Agency

    accounts.change_agency(db.session.get_one(Agency, owner.agency_id), {"colleagues_read": True}, by=SYSTEM)
    browser = app.test_client()
    login(browser, make_user(owner.agency_id))
    page = browser.get(f"/app/properties/{prop.id}")
    assert page.status_code == 200 and "/edit" not in page.get_data(as_text=True)
    for path, data in (("accepts", {"on": "0"}), ("link", {}), ("archive", {}), ("edit", {"title": "x"})):
        assert post(browser, f"/app/properties/{prop.id}/{path}", **data).status_code == 404, path
    assert fresh(prop).version == 1
