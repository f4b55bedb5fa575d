"""An owner forgets a client who asked by phone: all their offers, and they are told."""

from __future__ import annotations

from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import Access, LedgerEntry, OfferKey, PrivacyRequest, Property, User
from app.offers.document import Bidder
from app.privacy import data_requests
from tests.factories import csrf, login, make_agency, make_draft, make_offer, make_property, make_user
from tests.mail_server import MailServer

EMAIL = "andrei.turcanu@client.example"


@pytest.fixture
def owner(client: FlaskClient) -> User:
    owner = make_user(make_agency(), "owner")
    login(client, owner)
    return owner


def erase(client: FlaskClient, where: str) -> int:
    page = unescape(client.get(where).get_data(as_text=True))
    return client.post(where, data={"csrf_token": csrf(page)}).status_code


def keys() -> set[object]:
    db.session.rollback()
    return set(db.session.scalars(select(OfferKey.offer_id)))


def test_all_offers_of_the_address_go_and_the_client_is_told(
    client: FlaskClient, smtp: MailServer, owner: User, prop: Property
) -> None:
    first = make_offer(prop)
    make_offer(make_property(owner.agency_id, owner.id))
    other = make_offer(prop, make_draft(bidder=Bidder("Dan Pop", "dan@client.example", "+40722000333")))
    assert f"/app/offers/{first}/erase" in client.get(f"/app/offers/{first}").get_data(as_text=True)
    page = unescape(client.get(f"/app/offers/{first}/erase").get_data(as_text=True))
    assert EMAIL in page and "2 oferte" in page and len(keys()) == 3, "opening erases nobody"
    seen = select(Access.kind).where(Access.kind == "searched")
    assert len(db.session.scalars(seen).all()) == 2, "the owner saw whose offers they are"
    assert erase(client, f"/app/offers/{first}/erase") == 303
    assert keys() == {other}
    dispatch()
    (letter,) = [one for one in smtp.letters if one.to[0].casefold() == EMAIL]
    assert "au fost șterse" in letter.message["Subject"]
    assert "Andrei" not in client.get(f"/app/offers/{first}").get_data(as_text=True)
    done = client.get("/app/settings/requests").get_data(as_text=True)
    assert EMAIL in done and "2 oferte" in done
    by = db.session.scalars(select(LedgerEntry.actor_id).where(LedgerEntry.kind == "offer.erased")).all()
    assert set(by) == {owner.id}
    assert erase_again(client, f"/app/offers/{first}/erase") == 409


def erase_again(client: FlaskClient, where: str) -> int:
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    return client.post(where, data={"csrf_token": token}).status_code


def test_what_the_client_asked_here_is_answered_by_it(client: FlaskClient, smtp: MailServer, prop: Property) -> None:
    offer = make_offer(prop)
    data_requests.ask_as_bidder(prop.agency_id, EMAIL, "ro")
    assert erase(client, f"/app/offers/{offer}/erase") == 303
    (held,) = db.session.scalars(select(PrivacyRequest)).all()
    assert (held.outcome, held.offers) == ("done", 1)


def test_without_an_address_only_this_offer_goes(client: FlaskClient, smtp: MailServer, prop: Property) -> None:
    nobody = Bidder("Ion Fără", None, "+40722000444")
    offer = make_offer(prop, make_draft(bidder=nobody), source="agent")
    kept = make_offer(prop, make_draft(bidder=nobody), source="agent")
    assert erase(client, f"/app/offers/{offer}/erase") == 303
    assert keys() == {kept}
    assert db.session.scalars(select(PrivacyRequest)).all() == []


def test_an_agent_does_not(client: FlaskClient, prop: Property) -> None:
    agent = make_user(prop.agency_id)
    own = make_property(prop.agency_id, agent.id)
    offer = make_offer(own)
    other = client.application.test_client()
    login(other, agent)
    shown = other.get(f"/app/offers/{offer}")
    assert shown.status_code == 200 and "/erase" not in shown.get_data(as_text=True)
    assert other.get(f"/app/offers/{offer}/erase").status_code == 404
    assert erase_again(other, f"/app/offers/{offer}/erase") == 404
    assert len(keys()) == 1
