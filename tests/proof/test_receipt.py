"""A receipt says everything, reads elsewhere, comes after the confirmation, and is forgotten with its bidder."""

from __future__ import annotations

import email
import email.policy
import hashlib
import io
import json
import uuid
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import delete, select, update

from app.core.clock import now
from app.core.signed_links import RECEIPT, sign
from app.core.unit_of_work import housekeeping
from app.delivery.composing import NoLongerOwed
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import Delivery, LedgerEntry, Offer, OfferFile, OfferKey, Property
from app.offers import recording
from app.offers.recording import ConfirmationInput
from app.proof import receipts
from app.proof.receipt_reading import stored
from tests.factories import confirm, csrf, login, make_draft, make_offer, make_sending, make_user
from tests.mail_server import MailServer
from tests.proof.conftest import full_offer


def words(pdf: bytes) -> str:
    """All text, spaces made one, as another library reads it."""
    pages = PdfReader(io.BytesIO(pdf)).pages
    return " ".join(" ".join(page.extract_text() for page in pages).replace("\u00a0", " ").split())


def later() -> None:
    """Ten seconds on: receipts are due."""
    with housekeeping() as connection:
        due = update(Delivery).where(Delivery.kind == "receipt")
        connection.execute(due.values(due_at=now() - timedelta(seconds=1)))


def test_another_library_reads_everything_that_was_sent_on_one_page(app: Flask, prop: Property) -> None:
    offer_id = full_offer(app, prop)
    pdf = receipts.make(prop.agency_id, offer_id)
    reader, text = PdfReader(io.BytesIO(pdf)), words(pdf)
    offer = db.session.get_one(Offer, offer_id)
    assert len(reader.pages) == 1 and reader.metadata and offer.reference in str(reader.metadata.title)
    for said in (
        "Andrei Țurcanu", "andrei.turcanu@client.example", "+40 722 000 111", "Țurcanu Invest SRL", "RO12345678",
        "Maria Țurcanu", "Dan Broker", "118.500 EUR", "50.000,50 EUR", "68.499,50 EUR", "45 de zile", "17 mai 2030",
        "10%", "fără mobilă", "ne place mult", "după aprobarea creditului", "Identitatea nu a fost verificată",
        "Semnătură electronică simplă", offer.reference, offer.commitment.hex(), "Mănăștur", "Casa Bună",
        "ANSPDCP", "la notar", "Oferta a fost primită",
    ):  # fmt: skip
        assert said in text, said
    assert "ş" not in text and "ţ" not in text
    assert len(reader.pages[0].images) == 1
    held = {name: content[0] for name, content in reader.attachments.items()}
    assert hashlib.sha256(held["offer.json"]).digest() == offer.commitment
    assert json.loads(held["offer.json"])["offer"]["message"] == "Bună ziua,\nne place mult."
    entry = db.session.scalars(select(LedgerEntry).where(LedgerEntry.kind == "offer.submitted")).one()
    assert json.loads(held["ledger.json"])["hash"] == entry.hash.hex() and f"{entry.seq}" in text
    for digest in json.loads(held["offer.json"])["texts"].values():
        assert digest in text


def test_in_english_and_over_more_pages_where_it_must(app: Flask, prop: Property) -> None:
    draft = make_draft(message="Dear agent, " * 160, conditions_text="Only with the cellar. " * 200)
    pdf = receipts.make(prop.agency_id, make_offer(prop, draft, language="en"))
    text = words(pdf)
    assert len(PdfReader(io.BytesIO(pdf)).pages) > 1
    assert text.count("Dear agent,") == 160 and "Three-room apartment" in text and "Identity not verified" in text


def test_letters_that_the_font_lacks_do_not_stop_it(app: Flask, prop: Property) -> None:
    pdf = receipts.make(prop.agency_id, make_offer(prop, make_draft(message="王伟 \U0001f3e0\u202e ‮ \t fine")))
    assert "fine" in words(pdf)


def test_the_mail_comes_after_the_confirmation_with_the_very_file(app: Flask, smtp: MailServer, prop: Property) -> None:
    offer_id = full_offer(app, prop)
    later()
    with housekeeping() as connection:
        held_back = update(Delivery).where(Delivery.template == "offer_bidder")
        connection.execute(held_back.values(due_at=now() + timedelta(hours=1)))
    assert dispatch() == 1 and stored(prop.agency_id, offer_id) is None, "it waits for the confirmation"
    with housekeeping() as connection:
        connection.execute(held_back.values(due_at=now()))
    dispatch()
    dispatch()
    first, second = smtp.to("andrei.turcanu@client.example")
    message = email.message_from_bytes(second.raw, policy=email.policy.default)
    enclosed = [part for part in message.iter_attachments()]
    reference = db.session.get_one(Offer, offer_id).reference
    assert enclosed[0].get_filename() == f"{reference}.pdf" and reference in str(message["Subject"])
    assert enclosed[0].get_content() == stored(prop.agency_id, offer_id)
    assert "/verify" in second.body("plain") and first.body("plain")
    states = db.session.scalars(select(Delivery.state)).all()
    assert states == ["delivered"] * 3
    assert dispatch() == 0


def test_every_try_sends_the_same_bytes(app: Flask, prop: Property) -> None:
    offer_id = make_offer(prop)
    assert receipts.make(prop.agency_id, offer_id) == receipts.make(prop.agency_id, offer_id)
    sealed = select(LedgerEntry.body).where(LedgerEntry.kind == "receipt.sealed")
    entry = json.loads(db.session.scalars(sealed).one())
    assert entry["data"]["sha256"] == hashlib.sha256(stored(prop.agency_id, offer_id) or b"").hexdigest()


def test_who_was_forgotten_gets_none_and_leaves_none(app: Flask, smtp: MailServer, prop: Property) -> None:
    offer_id = make_offer(prop)
    with housekeeping() as connection:
        connection.execute(delete(OfferKey))
    with pytest.raises(NoLongerOwed):
        receipts.make(prop.agency_id, offer_id)
    later()
    dispatch()
    dispatch()
    assert db.session.scalar(select(OfferFile.kind)) is None and not smtp.to("andrei.turcanu@client.example")
    assert db.session.scalar(select(Delivery.state).where(Delivery.template == "receipt_bidder")) == "cancelled"


def test_one_recorded_for_a_bidder_is_made_anew_when_they_confirm(app: Flask, prop: Property) -> None:
    from app.core.ledger import Actor

    sent = recording.record(prop, make_draft(), make_sending(prop, source="api"), by=Actor("system"))
    before = receipts.make(prop.agency_id, sent.offer_id)
    assert "Clientul nu a confirmat-o" in words(before)
    confirm(sent.offer_id, ConfirmationInput("ro", {}))
    after = receipts.make(prop.agency_id, sent.offer_id)
    assert "Clientul a confirmat-o" in words(after) and after != before
    assert receipts.make(prop.agency_id, sent.offer_id) == after
    owed = db.session.scalars(select(Delivery.template).where(Delivery.kind == "receipt")).all()
    assert sorted(owed) == ["receipt_bidder", "receipt_kept"]


def test_it_is_downloaded_from_the_bidders_page_the_dashboard_and_the_api(
    app: Flask, client: FlaskClient, prop: Property
) -> None:
    from app.accounts import editing as accounts
    from app.core.ledger import SYSTEM

    owner, offer_id = make_user(prop.agency_id, "owner"), make_offer(prop)
    headers = {"Authorization": f"Bearer {accounts.create_api_key(prop.agency_id, 'CRM', by=SYSTEM)}"}
    mine, theirs = f"/r/{sign(RECEIPT, offer_id)}", f"/app/offers/{offer_id}"
    api = f"/api/crm/offers/{offer_id}/receipt"
    assert client.get(api, headers=headers).status_code == 409
    assert client.get(f"{mine}/receipt.pdf").status_code == 404
    assert "se întocmește" in client.get(mine).get_data(as_text=True).casefold()
    pdf = receipts.make(prop.agency_id, offer_id)
    login(client, owner)
    assert "receipt.pdf" in client.get(mine).get_data(as_text=True)
    assert "receipt.pdf" in client.get(theirs).get_data(as_text=True)
    for where in (f"{mine}/receipt.pdf", f"{theirs}/receipt.pdf", api):
        answer = client.get(where, headers=headers if where == api else None)
        assert answer.data == pdf and answer.mimetype == "application/pdf"
        assert answer.headers["Cache-Control"] == "no-store"
    assert client.get(f"/r/{sign(RECEIPT, uuid.uuid4())}/receipt.pdf").status_code == 404


def test_where_none_was_made_it_can_be_asked_for(app: Flask, client: FlaskClient, prop: Property) -> None:
    owner, offer_id = make_user(prop.agency_id, "owner"), make_offer(prop)
    with housekeeping() as connection:
        connection.execute(delete(Delivery))
    login(client, owner)
    page = client.get(f"/app/offers/{offer_id}").get_data(as_text=True)
    where = f"/app/offers/{offer_id}/receipt.pdf"
    for _ in range(2):
        assert client.post(where, data={"csrf_token": csrf(page)}).status_code == 303
    assert client.post(f"/r/{sign(RECEIPT, offer_id)}/receipt.pdf").status_code == 303
    assert db.session.scalars(select(Delivery.template)).all() == ["receipt_kept"]
    dispatch()
    assert client.get(where).status_code == 200
