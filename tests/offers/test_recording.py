"""An offer taken by phone or on WhatsApp: recorded by the agent, unconfirmed until its bidder presses their button."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.signed_links import SELLER, sign
from app.extensions import db
from app.models import Confirmation, ConfirmationBody, Delivery, LedgerEntry, Offer, Property, User
from app.properties import editing as properties
from app.properties import seller_links
from tests.factories import csrf, login, mailed_code, make_agency, make_offer, make_property, make_user, person_of
from tests.public.test_offer_form import hidden

TYPED = {
    "channel": "whatsapp",
    "full_name": "Ileana Cosânzeana",
    "phone": "0722 000 111",
    "email": "ileana@client.example",
    "language": "ro",
    "type": "person",
    "amount": "97.500",
    "financing": "cash",
    "payment_term_days": "30",
}


@pytest.fixture
def owner(client: FlaskClient) -> User:
    owner = make_user(make_agency(), "owner")
    login(client, owner)
    return owner


def page_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, answer.status_code
    return unescape(answer.get_data(as_text=True))


def send(client: FlaskClient, prop: Property, stamp: str = "", **changed: Any) -> TestResponse:
    where = f"/app/properties/{prop.id}/offers/new"
    page = page_of(client, where)
    stamp = stamp or re.findall(r'name="stamp" value="([^"]+)"', page)[0]
    return client.post(where, data={**TYPED, "csrf_token": csrf(page), "stamp": stamp, **changed})


def recorded(client: FlaskClient, prop: Property, **changed: Any) -> uuid.UUID:
    answer = send(client, prop, **changed)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return uuid.UUID(answer.headers["Location"].split("/")[-2])


def link_of(client: FlaskClient, offer_id: uuid.UUID) -> str:
    url = re.findall(r'id="pass-on-url" value="([^"]+)"', page_of(client, f"/app/offers/{offer_id}/confirmation"))[0]
    return url[url.index("/", 8) :]


def owed() -> list[str]:
    return list(db.session.scalars(select(Delivery.template).where(Delivery.kind == "mail").order_by(Delivery.id)))


def test_it_is_marked_and_filtered_until_its_bidder_confirms(client: FlaskClient, owner: User, prop: Property) -> None:
    offer_id = recorded(client, prop)
    sent_by_link = make_offer(prop)
    listed = page_of(client, "/app/offers?confirmed=false")
    assert str(offer_id) in listed and str(sent_by_link) not in listed and "neconfirmată" in listed
    shown = page_of(client, f"/app/offers/{offer_id}")
    assert "Clientul nu a confirmat această ofertă" in shown and "primită pe whatsapp" in shown.casefold()
    assert "neconfirmată" in page_of(client, f"/app/properties/{prop.id}/order")
    assert {"offer_agent", "offer_confirm"} <= set(owed())

    seller = client.application.test_client()
    link = seller_links.create(prop, 7, shows_names=False, by=person_of(owner))
    seller.post(f"/s/{sign(SELLER, link)}")
    assert page_of(seller, f"/s/view/{link}").count("neconfirmată</span>") == 1, "not the one sent by the link"

    bidder = client.application.test_client()
    where = link_of(client, offer_id)
    page = page_of(bidder, where)
    assert "97.500" in page and db.session.scalars(select(Confirmation)).all() == [], "opening confirms nothing"
    action = re.findall(r'action="([^"]+/confirm)"', page)[0]
    unread = bidder.post(action, data={})
    assert unread.status_code == 422 and "Bifați" in unread.get_data(as_text=True)
    assert bidder.post(f"{where}/code/again").status_code == 303
    given = {**hidden(page), "consent": "y", "code": mailed_code(offer_id)}
    assert bidder.post(action, data=given).status_code == 303
    assert bidder.post(action, data=given).status_code == 303, "said twice, kept once"
    assert db.session.scalar(select(func.count()).select_from(Confirmation)) == 1
    assert owed().count("offer_confirmed") == 1
    assert "neconfirmată" not in page_of(client, "/app/offers?confirmed=true")
    assert "neconfirmată" not in page_of(seller, f"/s/view/{link}")
    assert str(offer_id) in page_of(client, "/app/offers?confirmed=true")
    assert "Confirmată de client cu un cod" in page_of(client, f"/app/offers/{offer_id}")


def test_the_link_is_passed_on_in_the_clients_language(client: FlaskClient, prop: Property) -> None:
    offer_id = recorded(client, prop, email="", language="en", channel="phone")
    assert "offer_confirm" not in owed()
    page = page_of(client, f"/app/offers/{offer_id}/confirmation")
    assert "nu a dat o adresă de e-mail" in page
    where = link_of(client, offer_id)
    assert where.startswith("/en/r/")
    text = re.findall(r'readonly lang="en">(.*?)</textarea>', page, re.S)[0]
    assert where in text and text.startswith("Hello.")
    assert f"https://wa.me/40722000111?text={quote(text)}" in page and "sms:+40722000111?&body=" in page


def test_where_the_property_asks_for_a_signature_its_bidder_signs_when_they_confirm(
    client: FlaskClient, owner: User
) -> None:
    prop = make_property(owner.agency_id, owner.id, signature_required=True)
    offer_id = recorded(client, prop)
    bidder = client.application.test_client()
    where = link_of(client, offer_id)
    action = f"{where}/confirm"
    shown = hidden(page_of(bidder, where))
    assert bidder.post(action, data={**shown, "consent": "y"}).status_code == 422
    bidder.post(f"{where}/code/again")
    signed = {**shown, "consent": "y", "signature_kind": "typed", "signature_typed": "Ileana Cosânzeana"}
    signed["code"] = mailed_code(offer_id)
    assert bidder.post(action, data=signed).status_code == 303
    kept = db.session.scalars(select(ConfirmationBody)).one()
    entry = db.session.scalars(select(LedgerEntry.body).where(LedgerEntry.kind == "offer.confirmed")).one()
    assert kept.signature == "typed" and kept.commitment.hex().encode() in entry
    assert b"Ileana" not in kept.body_ct
    assert "Ileana Cosânzeana" in page_of(bidder, where)
    assert db.session.get_one(Offer, offer_id).signed is False, "what the agent recorded was not signed"


def test_it_is_asked_again_but_not_every_minute(client: FlaskClient, prop: Property) -> None:
    offer_id = recorded(client, prop)
    where = f"/app/offers/{offer_id}/confirmation"
    token = csrf(page_of(client, where))
    soon = client.post(where, data={"csrf_token": token})
    assert soon.status_code == 409 and "Așteptați" in soon.get_data(as_text=True)
    with time_machine.travel(now() + timedelta(minutes=3)):
        assert client.post(where, data={"csrf_token": token}).status_code == 303
    assert owed().count("offer_confirm") == 2


def test_pressed_twice_it_is_one_offer(client: FlaskClient, prop: Property) -> None:
    page = page_of(client, f"/app/properties/{prop.id}/offers/new")
    stamp = re.findall(r'name="stamp" value="([^"]+)"', page)[0]
    assert [send(client, prop, stamp).status_code for _ in range(2)] == [303, 303]
    assert db.session.scalar(select(func.count()).select_from(Offer)) == 1


@pytest.mark.parametrize(
    "wrong", [{"channel": "pigeon"}, {"language": "xx"}, {"amount": "mult"}, {"phone": ""}, {"financing": ""}]
)
def test_what_is_wrong_is_said_and_the_rest_stays_typed(
    client: FlaskClient, prop: Property, wrong: dict[str, str]
) -> None:
    answer = send(client, prop, **wrong)
    page = unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422 and 'value="Ileana Cosânzeana"' in page
    assert f'href="#{next(iter(wrong))}"' in page, "the summary leads to the field"
    assert db.session.scalars(select(Offer)).all() == []


def test_a_property_for_rent_or_put_away_takes_none(client: FlaskClient, owner: User) -> None:
    rented = make_property(owner.agency_id, owner.id, transaction_type="rent", accepts_offers=False)
    assert client.get(f"/app/properties/{rented.id}/offers/new").status_code == 409
    assert str(rented.id) not in page_of(client, "/app/offers/new")


def test_a_colleague_who_may_only_read_records_nothing(client: FlaskClient, owner: User, prop: Property) -> None:
    offer_id = recorded(client, prop)
    colleague = client.application.test_client()
    login(colleague, make_user(owner.agency_id))
    for path in (f"/app/properties/{prop.id}/offers/new", f"/app/offers/{offer_id}/confirmation"):
        assert colleague.get(path).status_code == 404


def test_what_is_confirmed_is_what_was_shown(client: FlaskClient, owner: User) -> None:
    """The agent changes the property while its bidder reads the page on which they confirm."""
    prop = make_property(owner.agency_id, owner.id)
    offer_id = recorded(client, prop)
    where = link_of(client, offer_id)
    bidder = client.application.test_client()
    bidder.post(f"{where}/code/again")
    code = mailed_code(offer_id)
    shown = hidden(page_of(bidder, where))
    properties.change(prop, {"buyer_commission": "9%"}, by=SYSTEM)
    for given in ({}, shown, {**shown, "stamp": "x"}):
        answer = bidder.post(f"{where}/confirm", data={**given, "consent": "y", "code": code})
        assert answer.status_code == 422 and db.session.scalars(select(Confirmation)).all() == []
        assert ("9%" in answer.text) == (given == shown)
        assert not re.search(r'name="consent"[^>]*checked', answer.text)
    assert (
        bidder.post(f"{where}/confirm", data={**hidden(answer.text), "consent": "y", "code": code}).status_code == 303
    )


def test_an_amount_typed_in_one_currency_is_not_recorded_in_another(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    page = page_of(client, f"/app/properties/{prop.id}/offers/new")
    stamp = re.findall(r'name="stamp" value="([^"]+)"', page)[0]
    properties.change(prop, {"currency": "RON"}, by=SYSTEM)
    answer = send(client, prop, stamp)
    assert answer.status_code == 422 and "RON" in answer.text and db.session.scalars(select(Offer)).all() == []
    assert send(client, prop, hidden(answer.text)["stamp"][0]).status_code == 303
