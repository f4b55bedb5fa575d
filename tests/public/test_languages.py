"""A change of language in the middle of an offer, without scripts: every value stays, hidden ones too."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.signed_links import BIDDER, REQUEST, sign
from app.extensions import db
from app.models import Offer, OfferRequest, OfferState, Property, User
from app.offers import better_offers
from app.properties import editing as properties
from tests.factories import make_offer, make_property, person_of
from tests.fields import Page
from tests.public.test_offer_form import path_of


@pytest.fixture
def prop(owner: User) -> Property:
    return make_property(owner.agency_id, owner.id, title_en="Flat", description="Frumos", description_en="Nice")


@pytest.fixture
def offer(prop: Property) -> Offer:
    return db.session.get_one(Offer, make_offer(prop))


GOOD = {
    "full_name": "Ana „Șic” & Co", "email": "ana@client.example", "phone": "0722000111", "amount": "121000",
    "financing": "cash", "payment_term_days": "30", "message": "două\r\nrânduri <b>", "consent": "y",
}  # fmt: skip


def press(client: FlaskClient, page: TestResponse, step: str = "", **typed: Any) -> TestResponse:
    """A button of the page's form, or, without a step, the switch of language."""
    shown = Page(page.get_data(as_text=True))
    data, way = shown.fields("offer-form", **typed), shown.switch()
    if step:
        data.add("step", step)
        return client.post(shown.form("offer-form").get("action") or "", data=data)
    assert way.get("form") == "offer-form"
    data.add(way.get("name") or "", way.get("value") or "")
    return client.post(way.get("formaction") or "", data=data)


def lang(page: TestResponse) -> str:
    return Page(page.get_data(as_text=True)).root.get("lang") or ""


def typed_on(page: TestResponse) -> dict[str, Any]:
    fields = Page(page.get_data(as_text=True)).fields("offer-form")
    return {k: fields.getlist(k) for k in fields if k not in {"stamp", "shown"} and fields.getlist(k) != [""]}


def standing() -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(OfferState).where(OfferState.latest)) or 0


def enter(client: FlaskClient, offer: Offer) -> str:
    client.post(f"/r/{sign(BIDDER, offer.id)}")
    return f"/r/offer/{offer.reference}/again"


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("when", ["form", "review", "changed"])
def test_a_better_or_corrected_offer_replaces_the_earlier_one_in_any_language(
    client: FlaskClient, owner: User, offer: Offer, asked: bool, when: str
) -> None:
    if asked:
        better_offers.ask([offer.id], now() + timedelta(days=1), None, by=person_of(owner))
    page = client.get(enter(client, offer), headers={"Accept-Language": "ro"})
    typed: dict[str, Any] = {**GOOD, "amount": "130.000"}
    if when == "form":
        page, typed = press(client, page, **typed), {}
        assert lang(page) == "en"
    page = press(client, page, "review", **typed)
    assert page.status_code == 200
    if when != "form":
        page = press(client, page)
        assert lang(page) == "en" and "Send the offer of" in page.get_data(as_text=True)
    if when == "changed":
        page = press(client, page, "edit")
        page = press(client, press(client, press(client, page), "review"))
        assert lang(page) == "en"
    assert typed_on(page)["replaces"] == [offer.reference]
    assert press(client, page, "send").status_code == 303
    assert standing() == 1


def test_the_link_of_a_request_keeps_what_it_answers(client: FlaskClient, owner: User, offer: Offer) -> None:
    better_offers.ask([offer.id], now() + timedelta(days=1), None, by=person_of(owner))
    asked = db.session.scalars(select(OfferRequest)).one()
    page = client.get(f"/ro/o/{sign(REQUEST, asked.id)}")
    page = press(client, press(client, press(client, page), **{**GOOD, "amount": "1"}), **GOOD)
    page = press(client, press(client, page, "review"))
    assert press(client, page, "send").status_code == 303
    assert standing() == 1


def test_every_value_stays_on_the_way_there_and_back(client: FlaskClient, prop: Property) -> None:
    page = client.get(f"/ro{path_of(prop)}")
    typed = {
        **GOOD, "financing": "mixed", "own_funds_amount": "1.000", "credit_amount": "120.000",
        "conditions": ["inspection", "bank_approval"], "type": "company", "company_name": "X", "tax_id": "RO1",
        "replaces": "BF-AAAAAAAA",
        "co_buyers": "Unu\r\nDoi", "valid_until": "nu e dată",
    }  # fmt: skip
    there = press(client, page, **typed)
    back = press(client, there)
    expected = {name: value if isinstance(value, list) else [value] for name, value in typed.items()}
    for one in (there, back):
        shown = typed_on(one)
        assert {name: sorted(shown[name]) for name in expected} == {k: sorted(v) for k, v in expected.items()}
    assert (lang(there), lang(back)) == ("en", "ro")


def test_another_language_is_no_change_of_the_property(client: FlaskClient, prop: Property) -> None:
    """The words differ; neither is it said that something changed, nor is the notice to be read again."""
    page = press(client, client.get(f"/ro{path_of(prop)}"), **GOOD)
    assert 'class="changes"' not in page.text
    review = press(client, press(client, page, "review"))
    assert review.status_code == 200 and 'class="changes"' not in review.text
    assert typed_on(review)["consent"] == ["y"]
    assert press(client, review, "send").status_code == 303


def test_a_real_change_is_said_in_the_other_language_too(client: FlaskClient, prop: Property) -> None:
    review = press(client, client.get(f"/ro{path_of(prop)}"), "review", **GOOD)
    properties.change(prop, {"asking_minor": 999_000_00, "title": "Altul", "title_en": "Other"}, by=SYSTEM)
    page = press(client, review)
    changes = page.text.partition('class="changes"')[2].partition("</ul>")[0]
    assert "999,000" in changes and "Other" in changes


def test_an_answer_to_a_question_stays_answered(client: FlaskClient, prop: Property) -> None:
    page = press(client, client.get(f"/ro{path_of(prop)}"), "review", **{**GOOD, "email": "ana@gmial.com"})
    key = next(one.get("value") for one in Page(page.text).root.iter("input") if one.get("name") == "confirmed")
    review = press(client, page, "review", confirmed=key)
    assert review.status_code == 200
    again = press(client, press(client, press(client, review), "edit"), "review")
    assert again.status_code == 200 and lang(again) == "en"


def test_a_link_that_closed_keeps_what_was_typed_in_any_language(client: FlaskClient, prop: Property) -> None:
    page = client.get(f"/ro{path_of(prop)}")
    properties.change(prop, {"accepts_offers": False}, by=SYSTEM)
    closed = press(client, page, "review", **GOOD)
    assert closed.status_code == 410
    shown = Page(closed.text)
    data, way = shown.fields("kept-form"), shown.switch()
    data.add(way.get("name") or "", way.get("value") or "")
    other = client.post(way.get("formaction") or "", data=data)
    assert other.status_code == 410 and lang(other) == "en" and "121,000" in other.text
