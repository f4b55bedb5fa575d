"""The list of properties."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.money import Money
from app.models import User
from app.offers import deciding
from app.properties import editing as properties
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user, person_of

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def owner(client: FlaskClient, app: Flask) -> User:
    user = make_user(make_agency(), "owner")
    login(client, user)
    return user


def test_offers_and_new_ones_are_counted(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    offer = make_offer(prop)
    make_offer(prop)
    client.get(f"/app/offers/{offer}")
    page = client.get("/app/properties").get_data(as_text=True)
    assert (
        f'/app/offers?property_id={prop.id}">2<' in page
        and "<small>1 nouă</small>" in page
        and "Primește oferte" in page
    )


def test_search_looks_in_title_place_and_crm_id(client: FlaskClient, owner: User) -> None:
    make_property(owner.agency_id, owner.id, title="Vilă la munte", city="Sinaia", external_id="X-77")
    make_property(owner.agency_id, owner.id, title="Garsonieră", city="Iași", external_id="X-78")
    for q in ("munte", "SINAIA vil", "X-77"):
        page = client.get("/app/properties", query_string={"q": q}).get_data(as_text=True)
        assert "Vilă la munte" in page and "Garsonieră" not in page, q
    for q in ("%", "_", "nimic"):
        assert "Garsonieră" not in client.get("/app/properties", query_string={"q": q}).get_data(as_text=True)


def test_the_archived_stand_apart(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id, title="Casă veche")
    properties.archive(prop, by=SYSTEM)
    assert "Casă veche" not in client.get("/app/properties").get_data(as_text=True)
    assert "Casă veche" in client.get("/app/properties?archived=1").get_data(as_text=True)


def test_it_is_filtered_by_link_and_agent_as_one_types(client: FlaskClient, owner: User) -> None:
    other, at = make_user(owner.agency_id), now()
    make = {
        "open": {"offers_close_at": at + timedelta(days=2)},
        "not_open": {"offers_open_at": at + timedelta(days=1)},
        "closed": {"offers_close_at": at - timedelta(days=1)},
        "off": {"accepts_offers": False},
    }
    for state, values in make.items():
        agent = other.id if state == "off" else owner.id
        make_property(owner.agency_id, agent, title=f"Casa {state}.", **values)
    for link in make:
        page = client.get(f"/app/properties?link={link}").get_data(as_text=True)
        assert re.findall(r"Casa (\w+)\.", page) == [link]
    page = client.get(f"/app/properties?agent={other.id}").get_data(as_text=True)
    assert set(re.findall(r"Casa (\w+)\.", page)) == {"off"} and other.full_name in page
    block = client.get("/app/properties?q=&link=off&agent=", headers=HTMX)
    assert block.get_data(as_text=True).strip().startswith('<div id="property-results" data-said="1 proprietate"')
    assert block.headers["HX-Replace-Url"] == "/app/properties?link=off"
    for nonsense in ("link=lost", "agent=x"):
        assert client.get(f"/app/properties?{nonsense}").get_data(as_text=True).count("Casa ") >= 4


def test_pages_follow_one_another(client: FlaskClient, owner: User) -> None:
    for number in range(27):
        make_property(owner.agency_id, owner.id, title=f"Lot {number:02d}")
    first = client.get("/app/properties").get_data(as_text=True)
    second = client.get("/app/properties?page=2").get_data(as_text=True)
    assert "Lot 26" in first and "Lot 01" not in first and "Lot 01" in second
    for nonsense in ("0", "-3", "x", "99999999999999999999"):
        assert client.get("/app/properties", query_string={"page": nonsense}).status_code == 200


def test_a_crms_own_id_leads_to_the_property(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id, external_id="crm/7 ș")
    page = client.get("/app/properties/external/crm/7 ș").get_data(as_text=True)
    assert f"/app/properties/{prop.id}" in page and "Salvează și copiază linkul" in page
    assert client.get("/app/properties/external/none").status_code == 404


def test_the_best_offer_that_stands_leads_to_the_order_it_tops(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    made = [make_offer(prop, make_draft(amount=Money(euro * 100, "EUR"))) for euro in (90_000, 99_000, 120_000)]
    client.get(f"/app/offers/{made[2]}")
    deciding.decide(made[2], owner.agency_id, "rejected", by=person_of(owner).actor)
    page = unescape(client.get("/app/properties").get_data(as_text=True)).replace("\N{NO-BREAK SPACE}", " ")
    where, shown = re.findall(r'<a [^>]*href="(/app/properties/[^"]+/order)">([^<]+)</a>', page)[0]
    assert shown == "99.000 EUR" and "79,2%" in page
    listed = client.get(where).get_data(as_text=True)
    assert listed.index(str(made[1])) < listed.index(str(made[0])) and str(made[2]) not in listed
    head = unescape(client.get(f"/app/properties/{prop.id}").get_data(as_text=True)).replace("\N{NO-BREAK SPACE}", " ")
    assert "99.000 EUR</a></dd>" in head and "79,2% din prețul cerut" in head


def test_days_left_are_counted(client: FlaskClient, owner: User) -> None:
    for days, text in (
        (0, "se încheie azi"),
        (1, "mai este 1 zi"),
        (3, "mai sunt 3 zile"),
        (21, "mai sunt 21 de zile"),
    ):
        make_property(
            owner.agency_id, owner.id, offers_close_at=now() + timedelta(days=days, hours=1), title=f"Casa {days}"
        )
        assert text in client.get("/app/properties").get_data(as_text=True), text


def test_a_copy_begins_with_everything_but_what_is_its_own(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id, title="Vilă cu grădină", external_id="X-1", zone="Andrei Mureșanu")
    page = client.get(f"/app/properties/new?like={prop.id}").get_data(as_text=True)
    assert "Vilă cu grădină" in page and "Andrei Mureșanu" in page and "X-1" not in page
    assert re.search(r'id="accepts_offers"[^>]*checked', page) is None
    stranger = make_user(make_agency("Alta"), "owner")
    foreign = make_property(stranger.agency_id, stranger.id)
    assert client.get(f"/app/properties/new?like={foreign.id}").status_code == 404
