"""Who else may replace an offer: the bidder who was asked for a better one, and whoever records one for a bidder."""

from __future__ import annotations

import json
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts import editing as accounts
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.signed_links import REQUEST, STAMP, read, sign
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import (
    Agency,
    Confirmation,
    LedgerEntry,
    Offer,
    OfferRequest,
    Property,
    Supersession,
)
from app.offers import better_offers, recording
from app.offers.details import offer_by_id, open_offer
from app.offers.document import Bidder
from app.offers.recording import ConfirmationInput
from app.offers.timeline import chain_of
from app.proof.register import offer_faults
from app.properties.representation import rfc3339
from app.properties.seller_page import OpenedSellerLink, seller_page
from tests.factories import (
    confirm,
    csrf,
    login,
    make_draft,
    make_offer,
    make_sending,
    make_user,
    person_of,
)
from tests.mail_server import MailServer
from tests.proof.test_replacing import FORGED, VICTIM, digits, mails, newest, origin, stands
from tests.public.test_offer_form import hidden


def asked(client: FlaskClient, prop: Property, offer: Offer) -> tuple[str, FlaskClient]:
    """Ask for a better offer; the link, and the agent who asked, signed in."""
    owner = make_user(prop.agency_id, "owner")
    login(client, owner)
    better_offers.ask([offer.id], now() + timedelta(days=2), None, by=person_of(owner))
    request_id = db.session.scalars(select(OfferRequest.id).where(OfferRequest.offer_id == offer.id)).one()
    return f"/en/o/{sign(REQUEST, request_id)}", client


def look(agent: FlaskClient, offer: Offer) -> None:
    """Look at the link, to pass it on."""
    page = agent.get(f"/app/offers/{offer.id}").get_data(as_text=True)
    assert 'id="pass-on-url"' not in page, "opening the page shows nobody the link"
    pressed = agent.post(f"/app/offers/{offer.id}/better/link", data={"csrf_token": csrf(page)})
    assert pressed.status_code == 303
    assert 'id="pass-on-url"' in agent.get(f"/app/offers/{offer.id}").get_data(as_text=True)


def answer(client: FlaskClient, where: str, **typed: str) -> tuple[int, str]:
    stamp = hidden(client.get(where).get_data(as_text=True))
    review = client.post(where, data={**stamp, **FORGED, "amount": "130.000", "step": "review", **typed})
    assert review.status_code == 200, unescape(review.get_data(as_text=True))
    sent = client.post(where, data={**hidden(review.get_data(as_text=True)), "step": "send"})
    return sent.status_code, sent.get_data(as_text=True)


def bidder_in(offer: Offer) -> Bidder:
    found = offer_by_id(offer.id)
    assert found
    document = open_offer(*found).document
    assert document
    return document.bidder


def test_an_answer_keeps_its_bidder_whatever_is_posted(
    app: Flask, client: FlaskClient, prop: Property, victim: Offer
) -> None:
    where, _agent = asked(client, prop, victim)
    buyer = app.test_client()
    assert "rau@strain" not in buyer.get(where).get_data(as_text=True)
    other = {
        "full_name": "Altul",
        "type": "company",
        "company_name": "Rău SRL",
        "tax_id": "RO1",
        "replaces": "BF-22222222",
    }
    status, _page = answer(buyer, where, **other)
    new = newest(prop)
    assert status == 303 and new.previous_id == victim.id
    assert bidder_in(new) == bidder_in(victim)
    assert mails(victim, "offer_replaced") == 1 and mails(new, "offer_bidder") == 1
    assert db.session.get(Confirmation, new.id) is None
    assert "and to nobody else" in origin(new)


def test_a_link_that_an_agent_saw_wants_a_code(
    app: Flask, client: FlaskClient, smtp: MailServer, prop: Property, victim: Offer
) -> None:
    where, agent = asked(client, prop, victim)
    look(agent, victim)
    status, page = answer(agent, where)
    assert status == 200 and "was shown to somebody else" in page and "send_new" not in page
    assert stands(victim) and newest(prop).id == victim.id
    nonce = read(STAMP, hidden(page)["stamp"][0], prop.id).nonce
    wrong = agent.post(where, data={**hidden(page), "step": "send", "code": "1"})
    assert wrong.status_code == 422 and stands(victim)
    assert agent.post(where, data={**hidden(page), "step": "send_new"}).status_code in {200, 422} and stands(victim)
    code = digits(nonce)
    dispatch()
    assert any(code in letter.body("plain") for letter in smtp.to(VICTIM))
    assert agent.post(where, data={**hidden(page), "step": "send", "code": code}).status_code == 303
    new = newest(prop)
    assert new.previous_id == victim.id and db.session.get_one(Confirmation, new.id).proof == "code"
    says = origin(new)
    assert "the client entered a code" in says
    assert "shown to Ioana Ștefănescu of the agency" in says
    entry = db.session.scalars(
        select(LedgerEntry.body).where(LedgerEntry.object_id == new.id, LedgerEntry.kind == "offer.replaced")
    ).one()
    assert json.loads(entry)["data"]["link_shown"] is True
    document = open_offer(*(offer_by_id(new.id) or ())).document
    shown_at = db.session.scalars(select(OfferRequest.shown_at)).one()
    assert document and shown_at
    assert not [*offer_faults(db.session.get_one(Agency, prop.agency_id))]
    assert document.body["link_shown"] == {"to": "Ioana Ștefănescu", "at": rfc3339(shown_at)}


def test_an_answer_for_who_cannot_be_written_to_says_that_the_agency_held_the_link(
    app: Flask, client: FlaskClient, prop: Property
) -> None:
    draft = make_draft(bidder=Bidder("Ileana Fără", None, "+40722000113"))
    sent = recording.record(prop, draft, make_sending(prop, source="agent"), by=SYSTEM)
    first = db.session.get_one(Offer, sent.offer_id)
    where, agent = asked(client, prop, first)
    assert 'id="pass-on-url"' in agent.get(f"/app/offers/{first.id}").get_data(as_text=True)
    status, page = answer(agent, where)
    assert status == 303, page
    new = newest(prop)
    assert bidder_in(new) == bidder_in(first) and db.session.get_one(Confirmation, new.id).proof == "held_link"
    key = accounts.create_api_key(prop.agency_id, "CRM", by=SYSTEM)
    api = agent.get(f"/api/crm/offers/{new.id}", headers={"Authorization": f"Bearer {key}"}).get_json()
    assert api["confirmation"]["proof"] == "held_link" and api["confirmed_at"] is None
    assert "linkul agenției" in agent.get("/app/offers").get_data(as_text=True)
    assert "does not show that the client sent it" in origin(new)
    line = next(one for one in seller_page(OpenedSellerLink(_names(), prop)).lines if one.latest)
    assert line.held_link


def _names() -> Any:
    from app.models import SellerLink

    return SellerLink(shows_names=False)


def record(
    prop: Property, reference: str, email: str | None, source: str = "agent", phone: str = "+40722000111"
) -> Offer:
    draft = make_draft(bidder=Bidder("Andrei", email, phone), replaces=reference)
    sending = make_sending(prop, source=source, address=None, browser=None)
    return db.session.get_one(Offer, recording.record(prop, draft, sending, by=SYSTEM).offer_id)


@pytest.mark.parametrize("source", ["agent", "api"])
def test_what_is_recorded_replaces_when_its_bidder_confirms(
    app: Flask, prop: Property, victim: Offer, source: str
) -> None:
    new = record(prop, victim.reference, VICTIM, source)
    assert stands(victim) and new.previous_id is None
    confirm(new.id, ConfirmationInput("ro", {}))
    assert not stands(victim) and mails(victim, "offer_replaced") == 1
    assert db.session.scalars(select(Supersession.previous_id)).one() == victim.id
    assert [link.id for link in chain_of(victim)] == [victim.id, new.id] == [link.id for link in chain_of(new)]
    lines = seller_page(OpenedSellerLink(_names(), prop)).lines
    assert len({line.bidder for line in lines}) == 1
    assert not [*offer_faults(db.session.get_one(Agency, prop.agency_id))]


@pytest.mark.parametrize("email", ["rau@strain.example", None])
def test_another_mailbox_confirms_for_nobody_else(app: Flask, prop: Property, victim: Offer, email: str | None) -> None:
    new = record(prop, victim.reference, email)
    confirm(new.id, ConfirmationInput("ro", {}))
    assert stands(victim) and stands(new) and db.session.scalars(select(Supersession)).all() == []


def test_a_mailbox_that_only_folds_alike_is_another(app: Flask, prop: Property) -> None:
    mine = Bidder("Ana", "ana@strasse.example", "+40722000111")
    old = db.session.get_one(Offer, make_offer(prop, make_draft(bidder=mine)))
    new = record(prop, old.reference, "ana@straße.example")
    confirm(new.id, ConfirmationInput("ro", {}))
    assert stands(old) and db.session.scalars(select(Supersession)).all() == []


def test_a_recording_without_a_mailbox_gives_way_to_the_next(app: Flask, prop: Property) -> None:
    first = recording.record(
        prop, make_draft(bidder=Bidder("Ana", None, "+40722000111")), make_sending(prop, source="agent"), by=SYSTEM
    ).offer_id
    old = db.session.get_one(Offer, first)
    new = record(prop, old.reference, None)
    assert stands(old)
    confirm(new.id, ConfirmationInput("ro", {}))
    assert not stands(old) and db.session.get_one(Confirmation, new.id).proof == "held_link"


def test_a_claim_holds_no_place(app: Flask, client: FlaskClient, prop: Property, victim: Offer) -> None:
    """The bidder corrects their offer themselves while an agent's recording claims to replace it."""
    claim = record(prop, victim.reference, VICTIM)
    own = make_offer(prop, make_draft(replaces=victim.reference))
    confirm(claim.id, ConfirmationInput("ro", {}))
    assert stands(db.session.get_one(Offer, own)) and stands(claim)
