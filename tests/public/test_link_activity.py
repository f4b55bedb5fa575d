"""Openings are counted by what the page says after a while, never by a request for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.signed_links import OFFER_LINK, OfferLink, sign
from app.extensions import db
from app.models import LinkActivity, Property, User
from app.properties import editing as properties
from app.properties import link_activity
from tests.factories import login, make_agency, make_offer, make_property, make_user


def url(prop: Property) -> str:
    return f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"


def counted() -> list[tuple[int, int]]:
    return [(row.opened, row.begun) for row in db.session.scalars(select(LinkActivity)).all()]


def test_looking_counts_nothing_until_the_page_says_so(client: FlaskClient, prop: Property) -> None:
    link = url(prop)
    for _ in range(20):
        client.get(link)
        client.head(link)
        client.get(f"{link}/seen")
    assert counted() == []
    for what in ("opened", "opened", "begun", "sent", ""):
        answer = client.post(f"{link}/seen", data={"what": what})
        assert answer.status_code == 204 and not answer.headers.getlist("Set-Cookie")
    assert counted() == [(2, 1)]


def test_one_address_makes_no_link_look_sought_after(client: FlaskClient, prop: Property) -> None:
    for number in range(25):
        assert client.post(f"{url(prop)}/seen", data={"what": "opened"}).status_code == 204
        if number % 5 == 0:  # another link, and another address, have counts of their own
            client.post(f"{url(prop)}/seen", data={"what": "begun"}, environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert counted() == [(10, 5)]


def test_a_link_that_takes_nothing_counts_nothing(client: FlaskClient, prop: Property) -> None:
    link = url(prop)
    properties.change(prop, {"accepts_offers": False}, by=SYSTEM)
    for where in (link, "/o/nonsense"):
        assert client.post(f"{where}/seen", data={"what": "opened"}).status_code == 204
    assert counted() == []


def test_the_agent_reads_how_often(client: FlaskClient, prop: Property) -> None:
    link = url(prop)
    for what in ("opened", "opened", "opened", "begun", "begun"):
        client.post(f"{link}/seen", data={"what": what})
    make_offer(prop)
    login(client, db.session.get_one(User, prop.agent_id))
    page = client.get(f"/app/properties/{prop.id}").get_data(as_text=True)
    for name, figure in (("Deschideri", 3), ("Începute", 2), ("Trimise", 1)):
        assert f"<dt>{name}</dt><dd>{figure}</dd>" in page


def test_twenty_at_once_are_twenty(either_app: Flask) -> None:
    agency = make_agency()
    prop_id, day = make_property(agency, make_user(agency).id).id, now().date()

    def one(_: int) -> None:
        with either_app.app_context():
            link_activity.count(agency, prop_id, day, "opened")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(20)))
    db.session.rollback()
    assert counted() == [(20, 0)]
