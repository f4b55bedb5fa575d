"""What the page about privacy says about cookies is what buyers' and sellers' pages set."""

from __future__ import annotations

from http.cookies import SimpleCookie

from flask import Flask
from flask.testing import FlaskClient

from app.core.signed_links import BIDDER, OFFER_LINK, SELLER, OfferLink, sign
from app.extensions import db
from app.models import Offer
from app.properties import seller_links
from tests.factories import make_agency, make_offer, make_property, make_user, person_of

FORM = {"ro": "formularul nu folosește cookie-uri", "en": "the form uses no cookies"}
PAGE = {
    "ro": "un cookie strict necesar, pentru o zi și doar pentru acea pagină",
    "en": "one strictly necessary cookie, for one day and for that page alone",
}


def test_the_form_sets_none_and_a_private_page_one_for_a_day(app: Flask, client: FlaskClient) -> None:
    owner = make_user(make_agency(), "owner")
    prop = make_property(owner.agency_id, owner.id)
    offer = db.session.get_one(Offer, make_offer(prop))
    seller = seller_links.create(prop, 7, shows_names=False, by=person_of(owner))
    for language in ("ro", "en"):
        said = client.get(f"/{language}/gdpr").get_data(as_text=True)
        assert FORM[language] in said and PAGE[language] in said
    form = f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"
    assert not [answer for answer in (client.get(form), client.post(form)) if "Set-Cookie" in answer.headers]
    for door, private in (
        (f"/r/{sign(BIDDER, offer.id)}", f"/r/offer/{offer.reference}"),
        (f"/s/{sign(SELLER, seller)}", f"/s/view/{seller}"),
    ):
        assert "Set-Cookie" not in client.get(door).headers
        held = [next(iter(SimpleCookie(c).values())) for c in client.post(door).headers.getlist("Set-Cookie")]
        assert len({one.key for one in held}) == 1
        assert {one["path"] for one in held} == {f"{prefix}{private}" for prefix in ("", "/ro", "/en")}
        assert {one["max-age"] for one in held} == {"86400"}
