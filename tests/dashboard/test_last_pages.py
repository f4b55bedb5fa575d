"""A page that emptied meanwhile, or a cursor past the end, shows the nearest page that has rows."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from html import unescape

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete, insert, select

from app.core.access import Person
from app.core.clock import now
from app.core.ids import new_id
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Access, OfferState, Property, User
from app.offers import deciding
from app.offers.deciding import AgencyAnswer, Chosen
from app.offers.document import Bidder
from app.offers.list import pages
from app.offers.list.filter import OfferFilter
from app.privacy import access_list
from app.properties import listing
from app.properties.listing import PropertyFilter
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user, person_of


@pytest.fixture
def owner(client: FlaskClient) -> User:
    user = make_user(make_agency(), "owner")
    login(client, user)
    return user


@pytest.fixture
def by(owner: User) -> Person:
    return person_of(owner)


def offers(owner: User, count: int) -> Property:
    prop = make_property(owner.agency_id, owner.id)
    for n in range(count):
        make_offer(prop, make_draft(bidder=Bidder(f"Ana Pop {n}", f"ana{n}@x.example", f"+4072200{n:04d}")))
    return prop


@pytest.mark.parametrize("sort", ["-submitted_at", "submitted_at", "-amount", "amount"])
@pytest.mark.parametrize("q", ["", "Ana"])
def test_rejecting_all_of_the_last_page(either_app: object, sort: str, q: str) -> None:
    owner = make_user(make_agency(), "owner")
    by = person_of(owner)
    offers(owner, 8)
    chosen = OfferFilter(status="new", sort=sort, q=q)
    first = pages.list_offers(by, chosen, limit=5)
    last = pages.list_offers(by, chosen, after=first.older, limit=5)
    assert (len(first.lines), len(last.lines)) == (5, 3)
    gone = [Chosen(line.id) for line in last.lines]
    deciding.decide_all(by.agency_id, gone, AgencyAnswer("rejected"), by=by.actor)
    again = pages.list_offers(by, chosen, after=first.older, limit=5)
    assert [line.id for line in again.lines] == [line.id for line in first.lines]
    assert again.newer is None and again.older is None and again.counts["new"] == 5
    assert pages.list_offers(by, chosen, before=first.newer or last.newer, limit=5).lines


def test_the_last_of_several_pages_leads_back(owner: User, by: Person) -> None:
    offers(owner, 12)
    chosen = OfferFilter(status="new")
    second = pages.list_offers(by, chosen, after=pages.list_offers(by, chosen, limit=5).older, limit=5)
    third = pages.list_offers(by, chosen, after=second.older, limit=5)
    deciding.decide_all(by.agency_id, [Chosen(line.id) for line in third.lines], AgencyAnswer("rejected"), by=by.actor)
    again = pages.list_offers(by, chosen, after=second.older, limit=5)
    assert [line.id for line in again.lines] == [line.id for line in second.lines]
    assert again.older is None and again.newer is not None
    top = pages.list_offers(by, chosen, before=again.newer, limit=5)
    assert len(top.lines) == 5 and top.newer is None


def test_nothing_at_all_is_still_nothing(owner: User, by: Person) -> None:
    prop = offers(owner, 6)
    chosen = OfferFilter(status="new", property_id=prop.id)
    first = pages.list_offers(by, chosen, limit=5)
    everything = db.session.scalars(select(OfferState.offer_id)).all()
    deciding.decide_all(by.agency_id, [Chosen(one) for one in everything], AgencyAnswer("rejected"), by=by.actor)
    again = pages.list_offers(by, chosen, after=first.older, limit=5)
    assert again.lines == [] and again.newer is None and again.older is None


def test_the_page_shows_it(client: FlaskClient, owner: User, by: Person) -> None:
    offers(owner, 27)
    page = unescape(client.get("/app/offers?status=new").get_data(as_text=True))
    (older,) = set(re.findall(r'href="(/app/offers\?[^"]*after=[^"]*)"', page))
    rows = db.session.scalars(select(OfferState.offer_id).order_by(OfferState.submitted_at).limit(2)).all()
    deciding.decide_all(by.agency_id, [Chosen(one) for one in rows], AgencyAnswer("rejected"), by=by.actor)
    shown = client.get(older).get_data(as_text=True)
    assert "Ana Pop 26" in shown and "Ana Pop 2<" in shown.replace("\n", "")


@pytest.mark.parametrize("number", [2, 3, 4, 10_000])
def test_properties(either_app: object, number: int) -> None:
    owner = make_user(make_agency(), "owner")
    for n in range(30):
        make_property(owner.agency_id, owner.id, title=f"Casa {n}")
    found = listing.list_properties(person_of(owner), PropertyFilter(), number=number)
    assert (found.number, len(found.lines), found.more) == (2, 5, False)
    few = listing.list_properties(person_of(owner), PropertyFilter(q="29"), number=number)
    assert (few.number, len(few.lines)) == (1, 1)
    none = listing.list_properties(person_of(owner), PropertyFilter(q="nimic"), number=number)
    assert (none.number, none.lines) == (1, [])


def test_accesses(owner: User) -> None:
    agency = owner.agency_id
    with housekeeping() as connection:
        for n in range(3):
            row = {"id": new_id(), "agency_id": agency, "user_id": owner.id, "kind": "exported", "at": now()}
            connection.execute(insert(Access), {**row, "at": now() - timedelta(hours=3 - n)})
    oldest = db.session.scalars(select(Access.id).order_by(Access.id)).first()
    shown, older = access_list.accesses(agency, before=oldest)
    assert len(shown) == 3 and older is None
    assert access_list.accesses(agency, before=oldest)[0] == access_list.accesses(agency)[0]
    with housekeeping() as connection:
        connection.execute(delete(Access))
    assert access_list.accesses(agency, before=uuid.UUID(int=1)) == ([], None)
