"""Rows of the list: what strangers typed stays text, and nobody's row is put in another's words."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask import Flask
from flask.testing import FlaskClient

from app.extensions import db
from app.models import Agency, Property, User
from app.offers.document import Bidder
from tests.factories import login, make_draft, make_offer, make_property, make_user

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "Ana' onmouseover='alert(1)",
    "%(name)s %s %d 100%",
    "{{ 7 * 7 }} {% raw %}",
    "&lt;b&gt; &amp;quot;",
    "{id} {0} {who!r}",
)


PIECES = {"tr", "td", "th", "a", "label", "input", "span", "small", "strong", "time", "svg", "path"}


def bidder(name: str) -> Bidder:
    return Bidder(name, "ana@client.example", "+40712034567")


@pytest.mark.parametrize("name", HOSTILE)
def test_what_strangers_typed_stays_text_in_a_row(client: FlaskClient, owner: User, name: str) -> None:
    prop = make_property(owner.agency_id, owner.id, title=name)
    make_offer(prop, make_draft(bidder=bidder(name)))
    login(client, owner)
    for path in ("/en/app/offers", f"/en/app/properties/{prop.id}"):
        page = client.get(path).get_data(as_text=True)
        row = page[page.index('<tr role="row" class="is-link') : page.index("</tbody>")]
        assert unescape(re.search(r'<a id="offer-[^>]+>([^<]*)</a>', row)[1]) == name  # type: ignore[index]
        assert unescape(re.search(r'aria-label="(Answer[^"]*)"', row)[1]) == f"Answer the offer of {name}"  # type: ignore[index]
        assert set(re.findall(r"<(\w+)", row)) <= PIECES
        assert not re.search(r"<[^>\"]*(\"[^\"]*\"[^>\"]*)*\son\w+=", re.sub(r'"[^"]*"', '""', row))


def test_a_filter_that_spells_no_id_at_all_leads_to_the_offers_all_the_same(client: FlaskClient, owner: User) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    offer = make_offer(make_property(owner.agency_id, owner.id, external_id=nobody))
    login(client, owner)
    page = client.get(f"/app/offers?property_external_id={nobody}").get_data(as_text=True)
    assert f'href="/app/offers/{offer}?property_external_id={nobody}"' in page


def test_each_reader_gets_rows_in_their_own_language_and_zone(app: Flask, owner: User, prop: Property) -> None:
    offer = make_offer(prop)
    agent = make_user(owner.agency_id, language="en")
    agency = db.session.get_one(Agency, owner.agency_id)
    agency.colleagues_read = True
    db.session.commit()
    shown = []
    for zone, user in (("Europe/Bucharest", owner), ("Asia/Tokyo", agent), ("Europe/Bucharest", owner)):
        db.session.get_one(Agency, owner.agency_id).zone = zone
        db.session.commit()
        browser = app.test_client()
        login(browser, db.session.get_one(User, user.id))
        page = browser.get("/app/offers").get_data(as_text=True)
        assert f"offer-{offer}" in page
        shown.append((re.search(r"<time[^>]*>([^<]+)<", page)[1], re.search(r'badge--new">([^<]+)<', page)[1]))  # type: ignore[index]
        assert ('id="menu-' in page) is (user is owner)  # a colleague reads, and answers nothing
    assert shown[0] == shown[2] and shown[0][0] != shown[1][0]
    assert (shown[0][1], shown[1][1]) == ("Nouă", "New")
