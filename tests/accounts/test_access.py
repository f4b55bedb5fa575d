"""Who saw what: openings, searches by person and exports, which the owner reads by person and by agent."""

from __future__ import annotations

import uuid
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.models import Access, Offer, Property, User
from app.offer_document import Bidder
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user

ANA = "ana.popescu@client.example"


@pytest.fixture
def owner(app: Flask) -> User:
    return make_user(make_agency(), "owner", full_name="Maria Șefa", language="en")


@pytest.fixture
def prop(owner: User) -> Property:
    return make_property(owner.agency_id, owner.id)


def ana_of(prop: Property) -> uuid.UUID:
    return make_offer(prop, make_draft(bidder=Bidder("Ana Popescu", ANA, "+40722000222")))


def reference(offer: uuid.UUID) -> str:
    return db.session.scalars(select(Offer.reference).where(Offer.id == offer)).one()


def noted() -> list[tuple[str, uuid.UUID | None]]:
    db.session.rollback()
    return [(row.kind, row.offer_id) for row in db.session.scalars(select(Access).order_by(Access.id))]


@pytest.mark.parametrize("query", [{"q": "popescu"}, {"q": ANA}, {"email": ANA}, {"q": "0722 000 222"}])
def test_a_search_by_person_notes_what_it_found_once(
    client: FlaskClient, owner: User, prop: Property, query: dict[str, str]
) -> None:
    ana, _other = ana_of(prop), make_offer(prop)
    login(client, owner)
    for _again in range(2):
        assert client.get("/app/offers", query_string=query).status_code == 200
    assert noted() == [("searched", ana)]


def test_neither_a_filter_without_a_person_nor_a_prefetch_is_noted(
    client: FlaskClient, owner: User, prop: Property
) -> None:
    ana_of(prop)
    login(client, owner)
    client.get("/app/offers?status=new")
    client.get("/app/offers?q=nobody")
    client.head("/app/offers?q=popescu")
    client.get("/app/offers?q=popescu", headers={"Sec-Purpose": "prefetch"})
    assert noted() == []


def test_the_owner_reads_it_by_person_and_by_agent(client: FlaskClient, owner: User, prop: Property) -> None:
    ana, other = ana_of(prop), make_offer(prop)
    login(client, owner)
    client.get(f"/app/offers/{ana}")
    client.get(f"/app/offers/{other}")
    client.get("/app/offers.csv").get_data()
    agent = make_user(owner.agency_id, full_name="Dan Agentul")
    whole = unescape(client.get("/app/settings/access").get_data(as_text=True))
    assert reference(ana) in whole
    assert reference(other) in whole
    of_ana = client.get("/app/settings/access", query_string={"email": ANA}).get_data(as_text=True)
    assert reference(ana) in of_ana
    assert reference(other) not in of_ana
    assert "took out a list" in of_ana
    assert noted()[-1] == ("searched", ana)  # looking someone up here is a search too
    of_agent = client.get("/app/settings/access", query_string={"agent": str(agent.id)}).get_data(as_text=True)
    assert reference(ana) not in of_agent


def test_what_is_no_address_is_answered_with_422_and_nobody_else(
    client: FlaskClient, owner: User, prop: Property
) -> None:
    ana = ana_of(prop)
    login(client, owner)
    client.get(f"/app/offers/{ana}")
    answer = client.get("/app/settings/access?email=ana")
    assert answer.status_code == 422
    assert reference(ana) not in answer.get_data(as_text=True)


def test_an_owner_of_another_agency_sees_none_of_it(client: FlaskClient, owner: User, prop: Property) -> None:
    ana = ana_of(prop)
    login(client, owner)
    client.get(f"/app/offers/{ana}")
    stranger = client.application.test_client()
    login(stranger, make_user(make_agency("Alta"), "owner"))
    for query in ("", f"?email={ANA}", f"?agent={owner.id}"):
        assert reference(ana) not in stranger.get(f"/app/settings/access{query}").get_data(as_text=True)
