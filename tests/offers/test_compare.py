"""Offers side by side, and the order of a property's offers."""

from __future__ import annotations

import re
import uuid
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.core.money import Money
from app.extensions import db
from app.models import Offer, OfferMove, Property, User
from app.offers.document import Bidder
from tests.factories import csrf, login, make_agency, make_draft, make_offer, make_property, make_user


@pytest.fixture
def owner(client: FlaskClient) -> User:
    owner = make_user(make_agency(), "owner")
    login(client, owner)
    return owner


def offer(prop: Property, name: str, amount: int, **terms: object) -> uuid.UUID:
    bidder = Bidder(name, f"{name.split()[0].lower()}@client.example", "+40722000111")
    return make_offer(prop, make_draft(bidder=bidder, amount=Money(amount * 100, prop.currency), **terms))


def row(page: str, name: str) -> tuple[str, list[str]]:
    """The class of a row and its cells, the best one with a star."""
    found = re.search(rf'<tr class="(\w+)">\s*<th scope="row">{name}</th>(.*?)</tr>', page, re.S)
    assert found, name
    cells = re.findall(r'<td( class="best")?>(.*?)</td>', found.group(2), re.S)
    texts = [
        (best, unescape(re.sub(r"<svg.*?</svg>|<span.*?</span>|\s+", " ", text, flags=re.S)).strip())
        for best, text in cells
    ]
    return found.group(1), [f"{'*' if best else ''}{text}" for best, text in texts]


def test_rows_say_what_differs_and_what_is_best(client: FlaskClient, prop: Property) -> None:
    first = offer(prop, "Ana Pop", 118_500)
    parts = {"financing": "credit", "credit_amount": Money(120_000_00, "EUR"), "credit_preapproved": True}
    second = offer(prop, "Dan Ilie", 120_000, **parts, conditions=("bank_approval",), payment_term_days=60)
    page = client.get(f"/app/compare?offer={first}&offer={second}").get_data(as_text=True)
    assert row(page, "Suma oferită") == ("differs", ["118.500 EUR", "*120.000 EUR"])
    assert row(page, "Față de prețul cerut") == ("differs", ["−6.500 EUR (94,8%)", "−5.000 EUR (96%)"])
    assert row(page, "Finanțare") == ("differs", ["*Cash", "Credit, preaprobat"])
    assert row(page, "Termen de plată") == ("differs", ["*30 de zile", "60 de zile"])
    assert row(page, "Condiții") == ("differs", ["*Niciuna", "Aprobarea creditului de către bancă"])
    assert row(page, "Semnătură") == ("same", ["Nesemnată", "Nesemnată"])


def test_earlier_offers_are_steps(client: FlaskClient, prop: Property) -> None:
    first = offer(prop, "Ana Pop", 110_000)
    reference = db.session.get_one(Offer, first).reference
    second = offer(prop, "Ana Pop", 115_000, replaces=reference)
    reference = db.session.get_one(Offer, second).reference
    third = offer(prop, "Ana Pop", 119_000, replaces=reference)
    other = offer(prop, "Dan Ilie", 118_000)
    page = client.get(f"/app/compare?offer={third}&offer={other}").get_data(as_text=True)
    assert row(page, "Ofertele anterioare ale clientului")[1] == ["110.000 EUR → 115.000 EUR", "–"]


def test_amounts_of_two_currencies_are_not_ranked(client: FlaskClient, owner: User, prop: Property) -> None:
    lei = make_property(owner.agency_id, owner.id, currency="RON", asking_minor=600_000_00)
    page = client.get(f"/app/compare?offer={offer(prop, 'Ana Pop', 118_500)}&offer={offer(lei, 'Dan Ilie', 590_000)}")
    text = page.get_data(as_text=True)
    assert row(text, "Suma oferită")[1] == ["118.500 EUR", "590.000 RON"] and "două monede" in text


def test_strangers_offers_are_not_there(client: FlaskClient, prop: Property) -> None:
    stranger = make_user(make_agency("Alta"), "owner")
    theirs = offer(make_property(stranger.agency_id, stranger.id), "Străin Ascuns", 1_000)
    mine = offer(prop, "Ana Pop", 118_500)
    page = client.get(f"/app/compare?offer={mine}&offer={theirs}&offer={uuid.uuid4()}").get_data(as_text=True)
    assert "Ascuns" not in page and "nu e nimic de comparat" in page
    assert client.get("/app/compare").status_code == 200 and client.get("/app/compare?offer=x").status_code == 404


def test_seven_are_six(client: FlaskClient, prop: Property) -> None:
    seven = "&".join(f"offer={offer(prop, f'Client {n}', 100_000 + n)}" for n in range(7))
    page = client.get(f"/app/compare?{seven}").get_data(as_text=True)
    assert "Client 5" in page and "Client 6" not in page and "primele șase" in page
    assert page.count("data-answers=") == 6
    without = unescape(re.findall(r'id="without-[^"]+" href="([^"]+)"', page)[0])
    page = client.get(without).get_data(as_text=True)
    assert "Client 0" not in page and "Client 5" in page


def names(page: str) -> list[str]:
    return re.findall(r'class="standing-head">\s*<a[^>]*>([^<]+)<', page)


def test_the_order_is_explained_and_can_be_moved_and_taken_back(client: FlaskClient, prop: Property) -> None:
    low = offer(prop, "Ana Mic", 110_000)
    offer(prop, "Dan Mare", 120_000)
    offer(prop, "Eva Termen", 110_000, payment_term_days=10)
    where = f"/app/properties/{prop.id}/order"
    page = client.get(where).get_data(as_text=True)
    assert names(page) == ["Dan Mare", "Eva Termen", "Ana Mic"]
    assert "cu 10.000 EUR mai mult decât următoarea" in page.replace("\xa0", " ") and "termen mai scurt" in page
    data = {"csrf_token": csrf(page), "offer": str(low), "place": "1", "reason": "vecinii, plătesc sigur"}
    assert client.post(where, data=data).status_code == 303
    page = client.get(where).get_data(as_text=True)
    assert names(page) == ["Ana Mic", "Dan Mare", "Eva Termen"] and "vecinii, plătesc sigur" in page
    assert b"vecinii" not in (db.session.scalars(select(OfferMove.reason_ct)).one() or b"")
    assert client.post(where, data={**data, "place": "3", "reason": ""}).status_code == 303
    assert names(client.get(where).get_data(as_text=True)) == ["Dan Mare", "Eva Termen", "Ana Mic"]
    assert client.post(f"{where}/reset", data=data).status_code == 303
    assert db.session.scalars(select(OfferMove)).all() == []


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [("place", "0", 422), ("place", "x", 422), ("offer", "x", 422), ("reason", "x" * 301, 422)],
)
def test_a_move_that_means_nothing_changes_nothing(
    client: FlaskClient, prop: Property, name: str, value: str, status: int
) -> None:
    mine, where = offer(prop, "Ana Pop", 110_000), f"/app/properties/{prop.id}/order"
    data = {
        "csrf_token": csrf(client.get(where.removesuffix("/order")).get_data(as_text=True)),
        "offer": str(mine),
        "place": "1",
    }
    assert client.post(where, data={**data, name: value}).status_code == status
    other = make_property(prop.agency_id, prop.agent_id)
    assert client.post(f"/app/properties/{other.id}/order", data=data).status_code == 404
    assert db.session.scalars(select(OfferMove)).all() == []
