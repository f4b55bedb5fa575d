"""What is signed is what was reviewed: the terms, the property as it was shown, and the texts."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import Agency, Offer, Property, User
from app.offers.details import offer_by_id, open_offer
from app.properties import editing as properties
from tests.factories import make_agency, make_property, make_user
from tests.public.test_offer_form import GOOD, fill, hidden, offers, path_of


@pytest.fixture
def prop(app: Flask) -> Property:
    agency = make_agency()
    return make_property(agency, make_user(agency).id, buyer_commission="2%")


# What the agent may change while a bidder reads the review: each is on the page that they opened.
CHANGES: list[tuple[str, Any, str]] = [
    ("currency", "RON", "EUR"),
    ("asking_minor", 777_000_00, "777.000"),
    ("asking_minor", None, "Preț cerut"),
    ("buyer_commission", "9% plus TVA", "9% plus TVA"),
    ("price_vat", "excluded", "TVA"),
    ("title", "Cu totul alt apartament", "Cu totul alt apartament"),
    ("description", "O altă descriere", "Descriere"),
    ("city", "Turda", "Turda"),
    ("usable_area_sqm", 11, "11 m²"),
    ("land_area_sqm", 12, "12 m²"),
    ("built_area_sqm", 13, "13 m²"),
    ("rooms", 14, "14"),
    ("property_type", "land", "Teren"),
    ("code_required", True, "Cod"),
    ("field_rules", {"message": "hidden"}, "formular"),
]


@pytest.mark.parametrize(("column", "value", "told"), CHANGES, ids=[f"{name}={value}" for name, value, _ in CHANGES])
def test_what_changed_since_the_review_is_said_and_nothing_is_sent(
    client: FlaskClient, prop: Property, column: str, value: Any, told: str
) -> None:
    _, review = fill(client, path_of(prop), payment_term_note="după vânzarea casei")
    properties.change(prop, {column: value}, by=SYSTEM)
    answer = client.post(path_of(prop), data={**hidden(review), "step": "send"})
    page = unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422 and offers() == 0
    banner = page.partition('class="changes"')[2].partition("</ul>")[0]
    assert told in banner and "după vânzarea casei" in page
    sent = client.post(path_of(prop), data={**hidden(page), "step": "send"})
    assert sent.status_code == 303 and offers() == 1, "who presses once more takes it as it is now"


def test_the_one_who_answers_for_it_is_part_of_what_was_shown(client: FlaskClient, prop: Property) -> None:
    where = path_of(prop)
    for table, column in ((User, "full_name"), (User, "phone"), (Agency, "name")):
        _, review = fill(client, where)
        db.session.execute(update(table).values({column: "+40722111333" if column == "phone" else "Altcineva SRL"}))
        db.session.commit()
        answer = client.post(where, data={**hidden(review), "step": "send"})
        assert answer.status_code == 422 and 'class="changes"' in answer.text, column
    assert offers() == 0


def test_what_the_document_keeps_is_all_that_was_shown(client: FlaskClient, prop: Property) -> None:
    _, review = fill(client, path_of(prop))
    client.post(path_of(prop), data={**hidden(review), "step": "send"})
    found = offer_by_id(db.session.scalars(select(Offer.id)).one())
    assert found
    document = open_offer(*found).document
    assert document
    held = document.body["property"]
    shown = unescape(client.get(path_of(prop)).get_data(as_text=True))
    assert held["title"] in shown and held["address"] in shown and held["agent"]["email"] in shown
    assert held["buyer_commission"] == "2%" and held["currency"] == "EUR" and held["agency"] in shown
    assert {"description", "signature_required", "code_required", "field_rules", "opens_at", "closes_at"} <= set(held)


@pytest.mark.parametrize(
    ("name", "value"),
    [("amount", "121.000"), ("financing", "credit"), ("email", "alta@client.example"), ("message", "strecurat"),
     ("full_name", "Altă Persoană"), ("conditions", "bank_approval"), ("payment_term_days", "90")],
)  # fmt: skip
def test_terms_that_were_not_reviewed_are_reviewed_first(
    client: FlaskClient, prop: Property, name: str, value: str
) -> None:
    _, review = fill(client, path_of(prop))
    answer = client.post(path_of(prop), data={**hidden(review), name: value, "step": "send"})
    assert answer.status_code == 422 and offers() == 0
    assert client.post(path_of(prop), data={**hidden(answer.text), "step": "send"}).status_code == 303


def test_a_form_is_never_sent_without_its_review(client: FlaskClient, prop: Property) -> None:
    form = hidden(client.get(path_of(prop)).get_data(as_text=True))
    answer = client.post(path_of(prop), data={**GOOD, **form, "step": "send"})
    assert answer.status_code == 422 and offers() == 0 and "118.500" in answer.text
    assert client.post(path_of(prop), data={**hidden(answer.text), "step": "send"}).status_code == 303


def test_the_review_says_what_changed_since_the_form_was_opened(client: FlaskClient, prop: Property) -> None:
    form = hidden(client.get(path_of(prop)).get_data(as_text=True))
    properties.change(prop, {"currency": "RON", "asking_minor": 600_000_00}, by=SYSTEM)
    review = client.post(path_of(prop), data={**GOOD, **form, "amount": "590.000", "step": "review"})
    page = unescape(review.get_data(as_text=True)).replace("\xa0", " ")
    banner = page.partition('class="changes"')[2].partition("</ul>")[0]
    assert review.status_code == 200 and "EUR" in banner and "RON" in banner and "600.000" in banner
    assert client.post(path_of(prop), data={**hidden(page), "step": "send"}).status_code == 303


def test_a_rule_that_came_meanwhile_shows_the_form_and_says_so(client: FlaskClient, prop: Property) -> None:
    _, review = fill(client, path_of(prop), message="de păstrat")
    properties.change(prop, {"signature_required": True}, by=SYSTEM)
    answer = client.post(path_of(prop), data={**hidden(review), "step": "send"})
    page = unescape(answer.get_data(as_text=True))
    assert answer.status_code == 422 and offers() == 0
    assert 'class="changes"' in page and "de păstrat" in page and 'id="signature_' in page


@pytest.mark.parametrize("snapshot", ["", "x", "%00", "A" * 30_000, "eJyrVspIzcnJBwAJ_AKT"])
def test_a_forged_snapshot_tells_nothing_and_hides_nothing(client: FlaskClient, prop: Property, snapshot: str) -> None:
    _, review = fill(client, path_of(prop))
    properties.change(prop, {"currency": "RON"}, by=SYSTEM)
    answer = client.post(path_of(prop), data={**hidden(review), "shown": snapshot, "step": "send"})
    assert answer.status_code == 422 and offers() == 0 and 'role="alert"' in answer.text


def test_a_review_of_another_form_is_no_review(client: FlaskClient, prop: Property) -> None:
    """The stamp of a review of other terms, of another property, or in another language."""
    other = make_property(prop.agency_id, prop.agent_id)
    _, review = fill(client, path_of(prop))
    _, foreign = fill(client, path_of(other))
    moved = client.post(path_of(prop), data={**hidden(review), "stamp": hidden(foreign)["stamp"], "step": "send"})
    english = client.post("/en" + path_of(prop), data={**hidden(review), "step": "send"})
    assert (moved.status_code, english.status_code) == (422, 422) and offers() == 0


def test_who_sent_it_already_is_led_to_the_receipt_whatever_changed_since(client: FlaskClient, prop: Property) -> None:
    _, review = fill(client, path_of(prop))
    first = client.post(path_of(prop), data={**hidden(review), "step": "send"})
    properties.change(prop, {"title": "Alt titlu", "buyer_commission": "5%"}, by=SYSTEM)
    again = client.post(path_of(prop), data={**hidden(review), "step": "send"})
    assert again.location == first.location and offers() == 1


def test_a_change_while_the_offer_is_being_written_is_seen(either_app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The property changes after the page was checked and before the lock."""
    from app.blueprints.public import routes
    from app.offers.submitting import submit

    agency = make_agency()
    here, client = make_property(agency, make_user(agency).id), either_app.test_client()
    where = path_of(here)
    _, review = fill(client, where)

    def late(prop: Property, *rest: Any, **more: Any) -> Any:
        with either_app.app_context():
            properties.change(db.session.get_one(Property, here_id), {"currency": "RON"}, by=SYSTEM)
        return submit(prop, *rest, **more)

    here_id = here.id
    monkeypatch.setattr(routes, "submit", late)
    answer = client.post(where, data={**hidden(review), "step": "send"})
    assert answer.status_code == 422 and offers() == 0 and "RON" in answer.text
    assert re.search(r'class="changes"', answer.text)
