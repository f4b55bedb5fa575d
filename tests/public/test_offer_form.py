"""The buyer's journey through the form, without scripts."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import timedelta
from hashlib import sha256
from html import unescape
from io import BytesIO

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.signed_links import OFFER_LINK, OfferLink, sign
from app.extensions import db
from app.models import Delivery, LedgerEntry, Offer, Property
from app.offers.details import offer_by_id, open_offer
from app.offers.sections import sections
from app.proof import texts
from app.properties import editing as properties
from tests.factories import make_property

GOOD = {
    "full_name": "Măriuca Țepeș-Ionescu",
    "email": "mariuca@client.example",
    "phone": "0712 034 567",
    "amount": "118.500",
    "financing": "cash",
    "payment_term_days": "30",
    "consent": "y",
}


def path_of(prop: Property) -> str:
    return f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"


def hidden(page: str) -> dict[str, list[str]]:
    """The hidden inputs of a page, as a browser would post them."""
    found: dict[str, list[str]] = {}
    for tag in re.findall(r"<input[^>]*type=\"hidden\"[^>]*>", page):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if name:
            found.setdefault(name.group(1), []).append(unescape(value.group(1)) if value else "")
    return found


def fill(client: FlaskClient, path: str, **values: str | list[str]) -> tuple[int, str]:
    """Open the form, fill it in, ask for the review."""
    stamp = hidden(client.get(path).get_data(as_text=True))["stamp"]
    answer = client.post(path, data={**GOOD, "stamp": stamp, "step": "review", **values})
    return answer.status_code, answer.get_data(as_text=True)


def send(client: FlaskClient, path: str, **values: str | list[str]) -> TestResponse:
    """All the way: the form, its review, and the press of the button there."""
    status, review = fill(client, path, **values)
    assert status == 200, review
    return client.post(path, data={**hidden(review), "step": "send"})


def offers() -> int:
    return db.session.scalar(select(func.count()).select_from(Offer)) or 0


def test_an_offer_goes_from_form_over_review_to_receipt(client: FlaskClient, prop: Property) -> None:
    status, review = fill(client, path_of(prop), message="Ne place mult. „Suntem” gata să semnăm.")
    assert status == 200
    assert "118.500" in review and "Măriuca Țepeș-Ionescu" in review and "+40 712 034 567" in review
    assert offers() == 0
    sent = client.post(path_of(prop), data={**hidden(review), "step": "send"})
    assert sent.status_code == 303
    receipt = client.get(sent.location)
    assert receipt.status_code == 200
    offer = db.session.scalars(select(Offer)).one()
    page = receipt.get_data(as_text=True)
    assert offer.reference in page and offer.commitment.hex() in page and "„Suntem”" in page
    assert offer.amount_minor == 118_500_00
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 3
    assert db.session.scalar(select(func.count()).where(LedgerEntry.kind == "offer.submitted")) == 1
    assert not client.get_cookie("bidflux")


def test_what_the_review_shows_is_what_is_hashed_texts_and_versions_included(
    app: Flask, client: FlaskClient, prop: Property
) -> None:
    """Also when the agency writes another notice between the form and its sending."""
    signed = make_property(prop.agency_id, prop.agent_id, signature_required=True)
    texts.set_notice(prop.agency_id, "ro", "Nota noastră, prima.", by=SYSTEM)
    with time_machine.travel(now() + timedelta(minutes=1)):
        stamp = hidden(client.get(path_of(signed)).get_data(as_text=True))["stamp"]
    with time_machine.travel(now() + timedelta(minutes=2)):
        texts.set_notice(prop.agency_id, "ro", "Nota noastră, a doua.", by=SYSTEM)
    with time_machine.travel(now() + timedelta(minutes=3)):
        typed = {**GOOD, "stamp": stamp, "signature_kind": "typed", "signature_typed": "Măriuca Țepeș-Ionescu"}
        wrong = client.post(path_of(signed), data={**typed, "amount": ""}).get_data(as_text=True)
        assert "Nota noastră, prima." in wrong and "a doua" not in wrong
        review = client.post(path_of(signed), data={**typed, "step": "review"}).get_data(as_text=True)
        assert client.post(path_of(signed), data={**hidden(review), "step": "send"}).status_code == 303
    found = offer_by_id(db.session.scalars(select(Offer.id)).one())
    assert found
    document = open_offer(*found).document
    assert document
    held = document.body["texts"]
    assert held["notice"] == sha256("Nota noastră, prima.".encode()).hexdigest() and set(held) == {"notice", "rules"}
    shown = unescape(review)
    assert "Nota noastră, prima." in shown and texts.rules("ro").splitlines()[0] in shown
    for digest in held.values():
        assert digest in shown
    with app.test_request_context():
        told = [row.value for section in sections(document.terms) for row in section.rows]
    assert told and all(value in shown for value in told) and document.terms["signature"]["text"] in shown


def test_everything_typed_is_kept_when_something_is_wrong(client: FlaskClient, prop: Property) -> None:
    status, page = fill(client, path_of(prop), amount="o sută", message="Un mesaj <b>anume</b>", full_name="")
    assert status == 422
    assert 'value="o sută"' in page and "Un mesaj &lt;b&gt;anume&lt;/b&gt;" in page
    assert 'value="mariuca@client.example"' in page
    assert 'href="#amount"' in page and 'href="#full_name"' in page


def test_a_resent_form_is_one_offer_and_other_content_is_another(client: FlaskClient, prop: Property) -> None:
    _, review = fill(client, path_of(prop))
    form = hidden(review)
    first = client.post(path_of(prop), data={**form, "step": "send"})
    again = client.post(path_of(prop), data={**form, "step": "send"})
    assert first.location == again.location and offers() == 1
    changed = client.post(path_of(prop), data={**form, "amount": "119.000", "step": "send"})
    assert changed.status_code == 422 and offers() == 1, "what was not reviewed is not sent"
    other = client.post(path_of(prop), data={**hidden(changed.get_data(as_text=True)), "step": "send"})
    assert other.status_code == 303 and other.location != first.location and offers() == 2


def test_doubts_are_asked_about_and_answered_by_a_tick(client: FlaskClient, prop: Property) -> None:
    status, page = fill(client, path_of(prop), email="ana@gmial.com", phone="+44 7700 900123", amount="125")
    assert status == 422
    assert "ana@gmail.com" in page
    keys = [unescape(key) for key in re.findall(r'name="confirmed"\s+value="([^"]*)"', page)]
    assert len(keys) == 3
    status, page = fill(
        client, path_of(prop), email="ana@gmial.com", phone="+44 7700 900123", amount="125", confirmed=keys
    )
    assert status == 200
    sent = client.post(path_of(prop), data={**hidden(page), "step": "send"})
    assert sent.status_code == 303


def test_change_brings_the_form_back_with_everything_in_it(client: FlaskClient, prop: Property) -> None:
    _, review = fill(client, path_of(prop), conditions=["bank_approval", "home_sale"])
    page = client.post(path_of(prop), data={**hidden(review), "step": "edit"})
    text = page.get_data(as_text=True)
    assert page.status_code == 200 and 'value="118.500"' in text
    assert re.search(r'value="bank_approval"[^>]* checked', text)


def test_mixed_financing_must_add_up(client: FlaskClient, prop: Property) -> None:
    status, _ = fill(client, path_of(prop), financing="mixed", own_funds_amount="18.500", credit_amount="90.000")
    assert status == 422
    status, page = fill(client, path_of(prop), financing="mixed", own_funds_amount="18.500")
    assert status == 200 and "100.000" in page


def test_a_required_signature_is_enforced_by_the_server(client: FlaskClient, prop: Property) -> None:
    signed = make_property(prop.agency_id, prop.agent_id, signature_required=True)
    assert fill(client, path_of(signed))[0] == 422
    status, review = fill(client, path_of(signed), signature_kind="typed", signature_typed="Măriuca Țepeș-Ionescu")
    assert status == 200
    sent = client.post(path_of(signed), data={**hidden(review), "step": "send"})
    assert sent.status_code == 303
    row = offer_by_id(db.session.scalars(select(Offer.id)).one())
    assert row
    document = open_offer(*row).document
    assert document and document.terms["signature"]["text"] == "Măriuca Țepeș-Ionescu"


def test_a_form_left_open_past_the_close_keeps_what_was_typed_to_copy(client: FlaskClient, prop: Property) -> None:
    from app.core.ledger import SYSTEM

    _, review = fill(client, path_of(prop), message="de păstrat")
    properties.change(prop, {"accepts_offers": False}, by=SYSTEM)
    late = client.post(path_of(prop), data={**hidden(review), "step": "send"})
    text = late.get_data(as_text=True)
    assert late.status_code == 410 and "de păstrat" in text and offers() == 0
    assert "Ioana Ștefănescu" in text


def test_hidden_fields_are_neither_shown_nor_taken(client: FlaskClient, prop: Property) -> None:
    quiet = make_property(prop.agency_id, prop.agent_id, field_rules={"message": "hidden", "valid_until": "required"})
    assert 'name="message"' not in client.get(path_of(quiet)).get_data(as_text=True)
    assert fill(client, path_of(quiet), message="strecurat")[0] == 422
    status, review = fill(client, path_of(quiet), message="strecurat", valid_until="2040-01-01")
    assert status == 422
    from datetime import date, timedelta

    day = (date.today() + timedelta(days=20)).isoformat()
    status, review = fill(client, path_of(quiet), message="strecurat", valid_until=day)
    assert status == 200 and "strecurat" not in review.split("<form")[0]
    client.post(path_of(quiet), data={**hidden(review), "step": "send"})
    row = offer_by_id(db.session.scalars(select(Offer.id)).one())
    assert row
    document = open_offer(*row).document
    assert document and document.terms["message"] is None


def test_a_link_previews_with_title_and_picture_and_nothing_else(client: FlaskClient, prop: Property) -> None:
    page = client.get(path_of(prop)).get_data(as_text=True)
    tags = dict(re.findall(r'<meta property="og:(\w+)" content="([^"]*)"', page))
    assert tags["title"] == prop.title
    assert set(tags) <= {"title", "image", "type", "site_name"}


def test_the_page_speaks_the_language_of_its_address(client: FlaskClient, prop: Property) -> None:
    assert '<html lang="ro">' in client.get(path_of(prop)).get_data(as_text=True)
    english = client.get("/en" + path_of(prop)).get_data(as_text=True)
    assert '<html lang="en">' in english and f'action="/en{path_of(prop)}"' in english


def test_a_changed_property_or_agent_shows_at_once(client: FlaskClient, prop: Property) -> None:
    from app.core.ledger import SYSTEM

    path = path_of(prop)
    assert "Mănăștur" in client.get(path).get_data(as_text=True)
    properties.change(prop, {"title": "Casă cu livadă în Feleacu"}, by=SYSTEM)
    assert "Casă cu livadă" in client.get(path).get_data(as_text=True)
    db.session.execute(db.text("UPDATE user SET full_name = 'Radu Mihai'"))
    db.session.commit()
    assert "Radu Mihai" in client.get(path).get_data(as_text=True)


def test_each_form_has_a_stamp_of_its_own(client: FlaskClient, prop: Property) -> None:
    stamps = {hidden(client.get(path_of(prop)).get_data(as_text=True))["stamp"][0] for _ in range(3)}
    assert len(stamps) == 3


def test_a_signature_that_is_only_a_dot_is_asked_about_and_may_stay(client: FlaskClient, prop: Property) -> None:
    properties.change(prop, {"signature_required": True}, by=SYSTEM)
    out = BytesIO()
    image = Image.new("RGB", (600, 200), "white")
    image.paste("black", (300, 100, 304, 104))
    image.save(out, "PNG")
    signed = {
        "signature_kind": "drawn",
        "signature_drawn": f"data:image/png;base64,{b64encode(out.getvalue()).decode()}",
    }
    status, page = fill(client, path_of(prop), **signed)
    assert status == 422 and "doar un punct" in page
    key = re.search(r'name="confirmed"\s+value="(signature_drawn:[^"]+)"', page)
    assert key
    assert fill(client, path_of(prop), **signed, confirmed=key.group(1))[0] == 200


@pytest.mark.parametrize(
    ("field", "typed"),
    [
        ("amount", "590.000 lei"), ("amount", "RON 118.000"), ("amount", "$ 118.000"), ("amount", "118 mii de lei"),
        ("advance_amount", "5.000 lei"), ("own_funds_amount", "50.000 RON"), ("credit_amount", "60.000 CHF"),
    ],
)  # fmt: skip
def test_another_currency_is_said_and_not_dropped(client: FlaskClient, prop: Property, field: str, typed: str) -> None:
    given = {"financing": "mixed", "own_funds_amount": "58.000", "credit_amount": "60.000", field: typed}
    status, page = fill(client, path_of(prop), **given)
    assert status == 422 and "; oferta este în euro" in page and not offers()
    assert typed in page, "it is kept as it was typed"


@pytest.mark.parametrize(
    ("typed", "asked"), [("60 zile", ""), ("60 de zile", ""), ("2 luni", "60 de zile"), ("1 an", "365 de zile")]
)
def test_a_term_is_read_with_its_unit(client: FlaskClient, prop: Property, typed: str, asked: str) -> None:
    status, page = fill(client, path_of(prop), payment_term_days=typed)
    assert status == (422 if asked else 200) and asked in page


@pytest.mark.parametrize("typed", ["10.5%", "10,5", "10,5 la sută", "0", "0%"])
def test_a_share_is_read_and_shown_as_romanians_write_it(client: FlaskClient, prop: Property, typed: str) -> None:
    status, page = fill(client, path_of(prop), advance_percent=typed)
    assert status == 200
    assert (">0%<" if typed.startswith("0") else "10,5%") in re.sub(r"\s*([<>])\s*", r"\1", page)
