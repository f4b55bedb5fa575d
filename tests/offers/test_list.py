"""The list of offers: what it shows, filters, counts, pages."""

from __future__ import annotations

import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event

from app.extensions import db
from app.models import Property, User
from app.money import Money
from app.services import decisions
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def owner(app: Flask) -> User:
    return make_user(make_agency(), "owner")


@pytest.fixture
def prop(owner: User) -> Property:
    return make_property(owner.agency_id, owner.id)


def links(page: str) -> list[str]:
    """The offers of a page, in order."""
    return re.findall(r'href="/app/offers/([0-9a-f-]{36})"', page)


def counts(page: str) -> list[int]:
    return [int(number) for number in re.findall(r'class="count">(\d+)<', page)]


def test_the_newest_offer_stands_first_and_a_new_one_is_marked(
    client: FlaskClient, owner: User, prop: Property
) -> None:
    first, second = make_offer(prop), make_offer(prop)
    login(client, owner)
    page = client.get("/app/offers").get_data(as_text=True)
    assert links(page) == [str(second), str(first)]
    assert page.count("is-new") == 2
    assert "Andrei Țurcanu" in page and "94,8%" in page


def test_status_filter_and_counters_agree(client: FlaskClient, owner: User, prop: Property) -> None:
    offers = [make_offer(prop) for _ in range(3)]
    decisions.decide(offers[0], owner.agency_id, "accepted", by=_actor(owner))
    login(client, owner)
    page = client.get("/app/offers?status=accepted").get_data(as_text=True)
    assert links(page) == [str(offers[0])]
    assert counts(page) == [3, 2, 0, 1, 0]


def test_property_and_financing_filter_what_is_counted_too(client: FlaskClient, owner: User, prop: Property) -> None:
    other = make_property(owner.agency_id, owner.id, title="Garsonieră")
    make_offer(prop)
    wanted = make_offer(other, make_draft(financing="credit"))
    make_offer(other)
    login(client, owner)
    page = client.get(f"/app/offers?property_id={other.id}&financing=credit").get_data(as_text=True)
    assert links(page) == [str(wanted)] and counts(page)[0] == 1
    assert f"offers.csv?property_id={other.id}&amp;financing=credit" in page


def test_nonsense_in_the_address_is_left_out(client: FlaskClient, owner: User, prop: Property) -> None:
    offer = make_offer(prop)
    login(client, owner)
    for query in ("status=lost", "property_id=x", "after=zz-1", "before=-", "after=" + "f" * 40 + "-" + "0" * 32):
        assert links(client.get(f"/app/offers?{query}").get_data(as_text=True)) == [str(offer)], query


def test_pages_lead_down_and_back_up_without_gap_or_repeat(client: FlaskClient, owner: User, prop: Property) -> None:
    made = [str(make_offer(prop)) for _ in range(60)][::-1]
    login(client, owner)
    seen, url, pages = [], "/app/offers", []
    while url:
        pages.append(client.get(url).get_data(as_text=True))
        seen += links(pages[-1])
        found = re.search(r'rel="next" href="([^"]+)"', pages[-1])
        url = found.group(1) if found else ""
    assert seen == made and len(pages) == 3
    back = re.search(r'rel="prev" href="([^"]+)"', pages[-1])
    assert back and links(client.get(back.group(1)).get_data(as_text=True)) == made[25:50]
    assert 'rel="prev"' not in pages[0]


def test_a_page_costs_the_same_queries_however_many_rows(client: FlaskClient, owner: User, prop: Property) -> None:
    login(client, owner)

    def cost() -> int:
        statements: list[str] = []
        listen = lambda *args: statements.append(args[2])  # noqa: E731
        event.listen(db.engine, "before_cursor_execute", listen)
        assert client.get("/app/offers").status_code == 200
        event.remove(db.engine, "before_cursor_execute", listen)
        return sum("SELECT" in statement for statement in statements)

    make_offer(prop)
    one = cost()
    for _ in range(24):
        make_offer(prop)
    assert cost() == one <= 12


def test_htmx_gets_the_list_alone_and_back_gets_the_page(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    login(client, owner)
    block = client.get("/app/offers", headers=HTMX).get_data(as_text=True)
    assert block.strip().startswith('<div id="offer-list"') and "<html" not in block
    restored = client.get("/app/offers", headers={"HX-History-Restore-Request": "true"})
    assert "<html" in restored.get_data(as_text=True) and "HX-Request" in restored.headers["Vary"]


def test_marks_stand_beside_the_status(client: FlaskClient, owner: User, prop: Property) -> None:
    first = make_offer(prop)
    reference = links_reference(client, owner)
    make_offer(prop, make_draft(amount=Money(120_000_00, "EUR"), replaces=reference))
    page = client.get("/app/offers").get_data(as_text=True)
    assert page.count("înlocuită") == 1 and str(first) in page


def links_reference(client: FlaskClient, owner: User) -> str:
    login(client, owner)
    found = re.search(r"BF-[0-9A-Z]{8}", client.get("/app/offers").get_data(as_text=True))
    assert found
    return found.group(0)


def _actor(user: User):  # type: ignore[no-untyped-def]
    from app.ledger import Actor

    return Actor("user", user.id)
