"""Who saw what: openings, searches by person and exports, which the owner reads by person and by agent."""

from __future__ import annotations

import uuid
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from app.accounts import editing as accounts
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import Access, ApiKey, KeyAccess, Offer, OfferState, Property, User
from app.offers.document import Bidder
from app.proof import receipts
from tests.factories import login, make_agency, make_draft, make_offer, make_user
from tests.proof.conftest import drawn

ANA = "ana.popescu@client.example"


@pytest.fixture
def owner(app: Flask) -> User:
    return make_user(make_agency(), "owner", full_name="Maria Șefa", language="en")


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


def test_comparing_shows_people_and_is_noted_once_without_a_change_of_status(
    client: FlaskClient, owner: User, prop: Property
) -> None:
    ana, other = ana_of(prop), make_offer(prop)
    login(client, owner)
    for _again in range(2):
        assert client.get(f"/app/compare?offer={ana}&offer={other}").status_code == 200
    client.get(f"/app/compare?offer={ana}&offer={other}", headers={"Sec-Purpose": "prefetch"})
    assert sorted(noted()) == sorted([("viewed", ana), ("viewed", other)])
    db.session.rollback()
    assert set(db.session.scalars(select(OfferState.status))) == {"new"}


@pytest.mark.parametrize(
    ("where", "people"),
    [
        ("{ana}/receipt.pdf", 1),
        ("{ana}/signature", 1),
        ("{ana}/confirmation", 1),
        ("better?offer={ana}", 1),
        ("decision?status=rejected&offer={ana}", 1),
        ("decision?status=accepted&offer={ana}", 2),  # names those whose offers stand beside it
    ],
)
def test_whatever_shows_a_person_is_noted_once_and_never_beforehand(
    client: FlaskClient, owner: User, prop: Property, where: str, people: int
) -> None:
    draft = make_draft(bidder=Bidder("Ana Popescu", ANA, "+40722000222"), signature=drawn())
    ana, other = make_offer(prop, draft, source="agent", channel="phone"), make_offer(prop)
    if "receipt" in where:
        receipts.make(owner.agency_id, ana)
    login(client, owner)
    url = f"/app/offers/{where.format(ana=ana)}"
    assert client.head(url).status_code == 200
    assert client.get(url, headers={"Sec-Purpose": "prefetch"}).status_code == 200
    assert noted() == []
    statements: list[str] = []
    listen = lambda *args: statements.append(args[2])  # noqa: E731
    event.listen(db.engine, "before_cursor_execute", listen)
    dialog = {"HX-Request": "true"} if "?" in where else {}
    assert client.get(url, headers=dialog).status_code == 200
    event.remove(db.engine, "before_cursor_execute", listen)
    asked = [statement for statement in statements if not statement.startswith("BEGIN")]
    assert len(asked) <= 12, "\n".join(asked)
    assert client.get(url).status_code == 200
    assert noted() == [("viewed", ana), ("viewed", other)][:people]
    assert set(db.session.scalars(select(OfferState.status))) == {"new"}


def test_what_a_crm_reads_is_noted_by_key_and_by_person(client: FlaskClient, owner: User, prop: Property) -> None:
    ana, other = ana_of(prop), make_offer(prop)
    crm = client.application.test_client()
    key = accounts.create_api_key(owner.agency_id, "CRM-ul nostru", by=SYSTEM)
    bearer = {"Authorization": f"Bearer {key}"}
    accounts.create_api_key(owner.agency_id, "Altă cheie", by=SYSTEM)
    paths = (f"/api/crm/offers/{ana}", "/api/crm/offers", "/api/crm/events?after=0", f"/api/crm/offers?email={ANA}")
    for _again in range(2):
        assert [crm.get(path, headers=bearer).status_code for path in paths] == [200] * 4
    assert crm.get(f"/api/crm/offers/{uuid.uuid4()}", headers=bearer).status_code == 404
    db.session.rollback()
    rows = db.session.execute(select(KeyAccess.kind, KeyAccess.offer_id).order_by(KeyAccess.id)).all()
    assert [tuple(row) for row in rows] == [("read", ana), ("listed", None), ("searched", ana)]
    login(client, owner)
    of_ana = unescape(client.get("/app/settings/access", query_string={"email": ANA}).get_data(as_text=True))
    assert of_ana.count("<strong>CRM-ul nostru</strong>") == 3 and "read an offer over the API" in of_ana
    mine, others = (
        unescape(client.get("/app/settings/access", query_string={"agent": str(one)}).get_data(as_text=True))
        for one in db.session.scalars(select(ApiKey.id).order_by(ApiKey.created_at))
    )
    assert reference(ana) in mine and "took a list over the API" in mine and reference(other) not in mine
    assert reference(ana) not in others
