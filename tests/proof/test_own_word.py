"""What counts as the bidder's own word: a code from their mailbox. All else says that it was a held link."""

from __future__ import annotations

import csv
import io
import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.accounts import editing as accounts
from app.core.clock import now
from app.core.errors import IllegalTransition
from app.core.ledger import SYSTEM
from app.core.signed_links import RECEIPT, sign
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import (
    Agency,
    Confirmation,
    Delivery,
    EmailCode,
    Event,
    LedgerEntry,
    Offer,
    OfferState,
    Property,
    SellerLink,
)
from app.offers import codes, recording, withdrawing
from app.offers.document import Bidder
from app.offers.recording import ConfirmationInput
from app.privacy import erasure, personal_data
from app.proof import receipts
from app.proof.register import offer_faults
from app.properties import editing
from app.properties.seller_page import OpenedSellerLink, seller_page
from tests.factories import (
    login,
    mailed_code,
    make_agency,
    make_draft,
    make_offer,
    make_property,
    make_sending,
    make_user,
)
from tests.public.test_offer_form import hidden

SIGNED = {"consent": "y", "signature_kind": "typed", "signature_typed": "Ileana Inventata"}
NOBODY = Bidder("Ileana Inventata", None, "+40722000111")


def recorded(prop: Property, bidder: Bidder = NOBODY, source: str = "agent") -> Offer:
    sending = make_sending(
        prop, source=source, channel="phone" if source == "agent" else None, address=None, browser=None
    )
    sent = recording.record(prop, make_draft(bidder=bidder), sending, by=SYSTEM)
    return db.session.get_one(Offer, sent.offer_id)


def with_mail(prop: Property, email: str = "ileana@client.example") -> Offer:
    return recorded(prop, Bidder("Ileana", email, "+40722000111"))


def press(client: FlaskClient, offer: Offer, **given: str) -> int:
    where = f"/r/{sign(RECEIPT, offer.id)}"
    shown = hidden(client.get(where).get_data(as_text=True))
    return client.post(f"{where}/confirm", data={**shown, **SIGNED, **given}).status_code


def page(client: FlaskClient, offer: Offer) -> str:
    return client.get(f"/en/r/{sign(RECEIPT, offer.id)}").get_data(as_text=True)


def proof(offer: Offer) -> str | None:
    db.session.rollback()
    return db.session.scalar(select(Confirmation.proof).where(Confirmation.offer_id == offer.id))


def signs(prop: Property) -> Property:
    editing.change(prop, {"signature_required": True}, by=SYSTEM)
    return prop


def told(client: FlaskClient, offer: Offer, prop: Property, key: str) -> dict[str, bool]:
    """Whether each reader of the offer is told that it came through a link that the agency held, and not "signed"."""
    api = client.get(f"/api/crm/offers/{offer.id}", headers={"Authorization": f"Bearer {key}"}).get_json()
    export = client.get("/app/offers.csv?columns=machine&purpose=accounting").get_data(as_text=True)
    [row] = [row for row in csv.DictReader(io.StringIO(export)) if row["reference"] == offer.reference]
    receipt = " ".join(PdfReader(io.BytesIO(receipts.make(offer.agency_id, offer.id))).pages[0].extract_text().split())
    [line] = seller_page(OpenedSellerLink(SellerLink(shows_names=False), prop)).lines
    plain = make_offer(make_property(offer.agency_id, prop.agent_id))
    words = "linkul agenției"
    entry = db.session.scalars(select(LedgerEntry.body).where(LedgerEntry.kind == "offer.confirmed")).one()
    with time_machine.travel(now() + timedelta(seconds=1)):
        events = client.get("/api/crm/events", headers={"Authorization": f"Bearer {key}"}).get_json()["data"]
    event = next(one for one in events if one["type"] == "offer.confirmed")
    held = personal_data.held_about(offer.agency_id, "ileana@client.example")
    return {
        "api": api["confirmation"]["proof"] == "held_link" and api["confirmed_at"] is None and api["signature"] is None,
        "event": event["data"] == api,
        "ledger": json.loads(entry)["data"]["proof"] == "held_link",
        "export": row["confirmation"] == "held_link" and row["confirmed"] == "false" and row["signed"] == "false",
        "receipt": "printr-un link pe care îl avea agenția" in receipt and "Clientul a confirmat" not in receipt,
        "seller": line.held_link and not line.signed and not line.unconfirmed,
        "list": words in client.get("/app/offers").text,
        "page": words in client.get(f"/app/offers/{offer.id}").text,
        "timeline": "Confirmată printr-un link pe care îl avea agenția" in client.get(f"/app/offers/{offer.id}").text,
        "order": words in client.get(f"/app/properties/{prop.id}/order").text,
        "compare": "ink pe care îl avea agenția" in client.get(f"/app/compare?offer={offer.id}&offer={plain}").text,
        "filter": offer.reference not in client.get("/app/offers?confirmed=true").text,
        "state": db.session.get_one(OfferState, offer.id).signed is False,
        "bidder": "does not show that it was you" in page(client.application.test_client(), offer),
        "verify": not [*offer_faults(db.session.get_one(Agency, offer.agency_id))],
        "copy": all(one["confirmation"]["proof"] == "held_link" for one in held["offers"]),
    }


def test_an_invented_bidder_is_confirmed_by_nobody_but_the_agency(
    app: Flask, client: FlaskClient, prop: Property
) -> None:
    offer, key = recorded(signs(prop)), accounts.create_api_key(prop.agency_id, "CRM", by=SYSTEM)
    login(client, make_user(prop.agency_id, "owner"))
    shown = client.get(f"/app/offers/{offer.id}/confirmation").get_data(as_text=True)
    assert sign(RECEIPT, offer.id) in shown, "the agent holds the link"
    assert "held" in page(app.test_client(), offer), "and the page says what that means"
    assert press(app.test_client(), offer) == 303 and proof(offer) == "held_link"
    found = told(client, offer, prop, key)
    assert all(found.values()), found
    mailed = db.session.scalars(select(Delivery.template).where(Delivery.offer_id == offer.id)).all()
    assert "offer_code" not in mailed


@pytest.mark.parametrize("source", ["agent", "api"])
def test_with_a_mailbox_the_button_alone_says_nothing(
    app: Flask, client: FlaskClient, prop: Property, source: str
) -> None:
    offer = recorded(signs(prop), Bidder("Ileana", "ileana@client.example", "+40722000111"), source)
    for code in ("", "000000", "x" * 5000, "\0"):
        assert press(client, offer, code=code) == 422
    assert proof(offer) is None and not db.session.get_one(OfferState, offer.id).signed
    assert client.post(f"/r/{sign(RECEIPT, offer.id)}/code", data={"code": "1"}).status_code == 409
    assert client.post(f"/r/{sign(RECEIPT, offer.id)}/code/again").status_code == 303
    code = mailed_code(offer.id)
    assert client.post(f"/r/{sign(RECEIPT, offer.id)}/code", data={"code": code}).status_code == 409, "without a word"
    shown = hidden(page(client, offer))
    typed = client.post(f"/en/r/{sign(RECEIPT, offer.id)}/confirm", data={**shown, **SIGNED, "code": "999999x"})
    assert typed.status_code == 422 and "Ileana Inventata" in typed.get_data(as_text=True), "what was typed stays"
    assert press(client, offer, code=code) == 303 and proof(offer) == "code"
    assert db.session.get_one(OfferState, offer.id).signed
    assert "confirmed it with a code" in page(client, offer) or "With a code that was sent" in page(client, offer)
    assert press(client, offer, code=code) == 303, "in another tab it is done already"
    assert db.session.scalars(select(Event.type)).all().count("offer.confirmed") == 1


@pytest.mark.parametrize("tag", ["", "+client"])
@pytest.mark.parametrize("whose", ["staff", "house"])
def test_an_address_of_the_agencys_own_is_not_the_bidders(
    app: Flask, client: FlaskClient, prop: Property, whose: str, tag: str
) -> None:
    email = db.session.get_one(Agency, prop.agency_id).email
    if whose == "staff":
        email = make_user(prop.agency_id, "agent", email="agent.rau@agentie.example").email
    local, _, domain = email.partition("@")
    offer = with_mail(prop, f"{local.capitalize()}{tag}@{domain}")
    assert client.post(f"/r/{sign(RECEIPT, offer.id)}/code/again").status_code == 409
    assert press(client, offer) == 303 and proof(offer) == "held_link"


def test_an_address_that_became_a_colleagues_meanwhile_proves_nothing(
    app: Flask, client: FlaskClient, prop: Property
) -> None:
    offer = with_mail(prop)
    client.post(f"/r/{sign(RECEIPT, offer.id)}/code/again")
    code = mailed_code(offer.id)
    make_user(prop.agency_id, email="ileana@client.example")
    assert press(client, offer, code=code) == 303 and proof(offer) == "held_link"


def test_codes_expire_are_spent_and_cannot_be_used_up_for_ever(app: Flask, client: FlaskClient, prop: Property) -> None:
    offer = with_mail(prop)
    again = f"/r/{sign(RECEIPT, offer.id)}/code/again"
    assert client.post(again).status_code == 303
    assert client.post(again).status_code == 422, "not within a minute"
    first = mailed_code(offer.id)
    with time_machine.travel(now() + timedelta(minutes=61)):
        assert press(client, offer, code=first) == 422, "its hour is over"
    for minutes in (70, 72, 74, 76):
        with time_machine.travel(now() + timedelta(minutes=minutes)):
            assert client.post(again).status_code == 303
            for _ in range(5):
                assert press(client, offer, code="12345") == 422
            assert press(client, offer, code=mailed_code(offer.id)) == 422, "five wrong ones end it"
    with time_machine.travel(now() + timedelta(hours=3)):
        assert client.post(again).status_code == 422, "whoever held the link has used up today's"
    with time_machine.travel(now() + timedelta(days=2)):
        assert client.post(again).status_code == 303, "and not the bidder's own"
        assert press(client, offer, code=mailed_code(offer.id)) == 303 and proof(offer) == "code"


def test_one_offers_code_is_good_for_no_other(app: Flask, client: FlaskClient, prop: Property) -> None:
    one, other = with_mail(prop), with_mail(prop)
    for offer in (one, other):
        client.post(f"/r/{sign(RECEIPT, offer.id)}/code/again")
    if mailed_code(one.id) != mailed_code(other.id):  # one in a million
        assert press(client, other, code=mailed_code(one.id)) == 422 and proof(other) is None


@pytest.mark.parametrize("ended", ["withdrawn", "erased"])
def test_ended_meanwhile_there_is_nothing_to_confirm(
    app: Flask, client: FlaskClient, prop: Property, ended: str
) -> None:
    offer = with_mail(prop)
    client.post(f"/r/{sign(RECEIPT, offer.id)}/code/again")
    code = mailed_code(offer.id)
    if ended == "withdrawn":
        withdrawing.withdraw(offer)
    else:
        erasure.erase_all(prop.agency_id, [offer.id], "person", by=SYSTEM)
    assert press(client, offer, code=code) == 409 and proof(offer) is None


def test_pressed_at_once_it_is_said_once(either_app: Flask) -> None:
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    offer_id = with_mail(prop).id
    assert codes.send_another(db.session.get_one(Offer, offer_id))
    code = mailed_code(offer_id)

    def confirm(_n: int) -> str:
        with either_app.app_context():
            return recording.confirm(db.session.get_one(Offer, offer_id), ConfirmationInput("ro", {}), code).state

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(confirm, range(4))) == ["done"] * 4
    db.session.rollback()
    assert [row.proof for row in db.session.scalars(select(Confirmation))] == ["code"]
    assert len(db.session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "offer.confirmed")).all()) == 1


def test_the_database_takes_no_other_proof(either_app: Flask) -> None:
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    offer = recorded(prop)
    with pytest.raises(IntegrityError), writing(agency) as tx:
        tx.add(Confirmation, offer_id=offer.id, at=tx.at, proof="my word")
        tx.flush()


def test_what_its_bidder_sent_is_confirmed_by_no_button(app: Flask, client: FlaskClient, prop: Property) -> None:
    offer = db.session.get_one(Offer, make_offer(prop))
    with pytest.raises(IllegalTransition):
        recording.confirm(offer, ConfirmationInput("ro", {}))
    assert client.post(f"/r/{sign(RECEIPT, offer.id)}/code/again").status_code == 409
    assert db.session.scalar(select(EmailCode.n)) is None
