"""Every page of the dashboard, empty and full, for owner and agent."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from app.core.ids import new_id
from app.models import Property, User
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user

PAGES = (
    "/app/offers", "/app/offers?status=accepted&financing=cash", "/app/properties", "/app/properties?q=nimic",
    "/app/properties/new", "/app/settings", "/app/settings/agency", "/app/settings/users", "/app/settings/api",
)  # fmt: skip


@pytest.mark.parametrize("path", PAGES)
def test_every_page_shows_when_there_is_nothing(client: FlaskClient, owner: User, path: str) -> None:
    login(client, owner)
    assert client.get(path).status_code == 200
    assert client.get("/en" + path).status_code == 200


def test_every_page_shows_an_offer_and_its_property(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    first = make_offer(prop)
    from app.offers.details import offer_by_id

    row = offer_by_id(first)
    assert row
    make_offer(prop, make_draft(replaces=row[0].reference))
    login(client, owner)
    for path in ("/app/offers", "/app/properties", f"/app/properties/{prop.id}", f"/app/properties/{prop.id}/edit"):
        page = client.get(path)
        assert page.status_code == 200 and prop.title in page.get_data(as_text=True), path
    for path in ("card", "link", "archive", "accepts"):
        assert client.get(f"/app/properties/{prop.id}/{path}").status_code == 200
    offer = client.get(f"/app/offers/{first}").get_data(as_text=True)
    assert "Andrei Țurcanu" in offer and "Vizualizată" in offer


def test_strangers_and_the_unknown_get_404(client: FlaskClient, owner: User) -> None:
    other = make_user(make_agency("Alta"), "owner")
    prop: Property = make_property(other.agency_id, other.id)
    offer = make_offer(prop)
    login(client, owner)
    for path in (f"/app/offers/{offer}", f"/app/properties/{prop.id}", f"/app/offers/{new_id()}"):
        assert client.get(path).status_code == 404


def test_an_error_keeps_the_dashboard_around_it_and_leads_on(client: FlaskClient, owner: User) -> None:
    nowhere = f"/app/offers/{new_id()}"
    outside = client.get("/nu-este").get_data(as_text=True)
    assert 'class="app-nav"' not in outside and ">La prima pagină</a>" in outside
    login(client, owner)
    inside = client.get(nowhere).get_data(as_text=True)
    assert 'class="app-nav"' in inside and ">La oferte</a>" in inside and "Casa Bună Imobiliare" in inside
