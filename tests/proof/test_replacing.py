"""Only the bidder of an offer puts another in its place: from their page, by a code, by a link mailed to them alone."""

from __future__ import annotations

import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import event, select

from app.core.clock import now
from app.core.errors import CodeWanted, Invalid
from app.core.ledger import SYSTEM
from app.core.signed_links import OFFER_LINK, STAMP, OfferLink, read, sign
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import (
    Agency,
    Delivery,
    LedgerEntry,
    Offer,
    OfferState,
    Property,
    ReplaceCode,
)
from app.offers import recording, replacing, withdrawing
from app.offers.document import Bidder
from app.privacy import erasure
from app.proof import receipts
from app.proof.register import offer_faults
from tests.factories import (
    make_agency,
    make_draft,
    make_offer,
    make_property,
    make_sending,
    make_user,
)
from tests.mail_server import MailServer
from tests.public.test_offer_form import hidden

VICTIM = "andrei.turcanu@client.example"
FORGED = {
    "full_name": "Andrei Țurcanu",
    "email": "rau@strain.example",
    "phone": "0722 000 111",  # the victim's
    "amount": "95.000",
    "financing": "cash",
    "payment_term_days": "30",
    "consent": "y",
}


class Form:
    """One form of the public link, filled in to replace an offer."""

    def __init__(self, client: FlaskClient, prop: Property, reference: str, **typed: str) -> None:
        self.client, self.prop = client, prop
        self.where = f"/en/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"
        stamp = hidden(client.get(self.where).get_data(as_text=True))["stamp"][0]
        data = {**FORGED, "replaces": reference, "stamp": stamp, "step": "review", **typed}
        answer = client.post(self.where, data=data)
        self.page = answer.get_data(as_text=True)
        assert answer.status_code == 200, self.page

    def press(self, step: str = "send", **more: str) -> int:
        answer = self.client.post(self.where, data={**hidden(self.page), "step": step, **more})
        if answer.status_code != 303:
            self.page = answer.get_data(as_text=True)
        return answer.status_code

    @property
    def nonce(self) -> bytes:
        return read(STAMP, hidden(self.page)["stamp"][0], self.prop.id).nonce

    def code(self) -> str:
        db.session.rollback()
        return digits(self.nonce)


def digits(nonce: bytes) -> str:
    """The code that went out last for a form."""
    db.session.rollback()
    return replacing.digits_of(db.session.scalars(select(ReplaceCode).where(ReplaceCode.nonce == nonce)).one())


def stands(offer: Offer) -> bool:
    db.session.rollback()
    return db.session.scalars(select(OfferState.latest).where(OfferState.offer_id == offer.id)).one()


def newest(prop: Property) -> Offer:
    db.session.rollback()
    query = select(Offer).where(Offer.property_id == prop.id).order_by(Offer.submitted_at.desc(), Offer.id.desc())
    return db.session.scalars(query.limit(1)).one()


def mails(offer: Offer, template: str) -> int:
    db.session.rollback()
    query = select(Delivery.id).where(Delivery.offer_id == offer.id, Delivery.template == template)
    return len(db.session.scalars(query).all())


def origin(offer: Offer) -> str:
    pdf = receipts.make(offer.agency_id, offer.id)
    return " ".join(PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split())


# --- by its reference, on the form that everybody has ----------------------------------------------------------------


def test_a_reference_and_a_phone_replace_nothing(
    app: Flask, client: FlaskClient, smtp: MailServer, prop: Property, victim: Offer
) -> None:
    form = Form(client, prop, victim.reference)
    assert form.press() == 200 and "Nothing has been sent yet" in form.page
    first = re.findall(r'<button[^>]*type="submit"[^>]*>', form.page)[0]
    assert 'value="send"' in first, "what Enter in the code's field presses"
    assert "95" in form.page
    assert stands(victim) and newest(prop).id == victim.id
    dispatch()
    [letter] = [one for one in smtp.to(VICTIM) if "înlocuirea" in one.message["Subject"]]
    assert form.code() in letter.body("plain") and not smtp.to("rau@strain.example")
    for wrong in ("", "000000x", "1" * 9000):
        assert form.press(code=wrong) in {200, 422} and stands(victim)


def test_with_the_code_it_takes_the_place_and_the_address_is_told(
    app: Flask, client: FlaskClient, smtp: MailServer, prop: Property, victim: Offer
) -> None:
    form = Form(client, prop, victim.reference)
    form.press()
    assert form.press(code=form.code()) == 303
    new = newest(prop)
    assert new.previous_id == victim.id and not stands(victim)
    assert mails(victim, "offer_replaced") == 1
    dispatch()
    assert any(new.reference in letter.body("plain") for letter in smtp.to(VICTIM))
    entry = db.session.scalars(
        select(LedgerEntry.body).where(LedgerEntry.object_id == new.id, LedgerEntry.kind == "offer.replaced")
    ).one()
    grounds = {"link_shown": False, "previous": str(victim.id), "proof": "code", "request": None}
    assert json.loads(entry)["data"] == grounds
    assert "by a code sent to the address of that offer" in origin(new)
    assert not [*offer_faults(db.session.get_one(Agency, prop.agency_id))]
    assert form.press() == 303 and newest(prop).id == new.id, "pressed again it is the same offer"


def test_nobody_is_told_which_references_exist(app: Flask, client: FlaskClient, prop: Property, victim: Offer) -> None:
    gone = db.session.get_one(Offer, make_offer(prop))
    withdrawing.withdraw(gone)
    unreachable = db.session.get_one(
        Offer,
        recording.record(
            prop, make_draft(bidder=Bidder("Fără", None, "+40722000111")), make_sending(prop, source="agent"), by=SYSTEM
        ).offer_id,
    )
    elsewhere = db.session.get_one(Offer, make_offer(make_property(prop.agency_id, prop.agent_id)))
    Form(client, prop, "BF-23232323").press()  # the texts shown are kept once
    pages, counts = set(), set()
    for reference in [one.reference for one in (victim, gone, unreachable, elsewhere)] + ["BF-22222222"]:
        form, written = Form(client, prop, reference), []

        def count(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
            if statement.startswith(("INSERT", "UPDATE", "DELETE")):
                written.append(statement)  # noqa: B023  the list of this round

        event.listen(db.engine, "before_cursor_execute", count)
        try:
            shown = [form.press(), form.press(code="123"), form.press("send_code")]
        finally:
            event.remove(db.engine, "before_cursor_execute", count)
        blank = re.sub(r'name="(stamp|shown)" value="[^"]*"', "", form.page).replace(reference, "REF")
        pages.add((str(shown), re.sub(r"nonce-\S+|request_id\S+", "", blank)))
        counts.add(tuple(written))
    assert len(pages) == 1
    assert len(counts) == 1, [len(one) for one in counts]


def test_codes_end_and_are_few(app: Flask, client: FlaskClient, prop: Property, victim: Offer) -> None:
    form = Form(client, prop, victim.reference)
    form.press()
    right = form.code()
    for _ in range(3):
        assert form.press(code="12345") == 422
    assert form.press(code=right) == 422 and stands(victim), "three wrong ones end it"
    with time_machine.travel(now() + timedelta(minutes=2)):
        assert form.press("send_code") == 200
        late = form.code()
        assert late != right
    with time_machine.travel(now() + timedelta(minutes=63)):
        assert form.press(code=late) == 422 and stands(victim), "an hour"
    for _ in range(8):
        Form(client, prop, victim.reference).press()
    assert mails(victim, "replace_code") <= 5, "nobody is flooded, and nobody guesses for long"


def test_a_code_is_good_for_its_form_and_its_offer_alone(
    app: Flask, client: FlaskClient, prop: Property, victim: Offer
) -> None:
    mine = db.session.get_one(
        Offer, make_offer(prop, make_draft(bidder=Bidder("Rău", "rau@strain.example", "+40733000999")))
    )
    form, other = Form(client, prop, mine.reference), Form(client, prop, victim.reference)
    form.press()
    other.press()
    assert other.press(code=form.code()) == 422 and stands(victim)
    assert form.press("send_code", code=form.code()) == 200
    form.press(code=form.code() + "x")
    with time_machine.travel(now() + timedelta(minutes=2)):
        assert replacing.enter(prop, form.nonce, form.code()), "the address of one's own offer is shown"
        draft = make_draft(replaces=victim.reference)
        with pytest.raises(CodeWanted):
            make_offer(prop, draft, nonce=form.nonce, own_page=None)
    assert stands(victim)


def test_what_ones_own_mailbox_was_told_says_nothing_of_anothers(
    app: Flask, client: FlaskClient, prop: Property, victim: Offer
) -> None:
    """A form is counted anew after a day; were its digits the same again, whoever had them sent to themselves first
    would know what the next mailbox is told."""
    mine = make_offer(prop, make_draft(bidder=Bidder("Rău", "rau@strain.example", "+40733000999")))
    form = Form(client, prop, db.session.get_one(Offer, mine).reference)
    form.press()
    known = form.code()
    with time_machine.travel(now() + timedelta(days=2)):
        answer = client.post(form.where, data={**hidden(form.page), "replaces": victim.reference, "step": "review"})
        form.page = answer.get_data(as_text=True)
        assert form.press() == 200 and mails(victim, "replace_code") == 1, "the very form takes another reference"
        assert form.press(code=known) == 422 and stands(victim)


def test_it_can_be_sent_beside(app: Flask, client: FlaskClient, prop: Property, victim: Offer) -> None:
    form = Form(client, prop, victim.reference)
    form.press()
    assert form.press("send_new") == 303
    new = newest(prop)
    assert new.previous_id is None and stands(victim) and mails(victim, "offer_replaced") == 0
    assert form.press("send_new") == 303 and newest(prop).id == new.id


@pytest.mark.parametrize("meanwhile", ["withdrawn", "replaced", "erased"])
def test_what_ended_meanwhile_is_not_replaced(
    app: Flask, client: FlaskClient, prop: Property, victim: Offer, meanwhile: str
) -> None:
    form = Form(client, prop, victim.reference)
    form.press()
    code = form.code()
    if meanwhile == "withdrawn":
        withdrawing.withdraw(victim)
    elif meanwhile == "replaced":
        make_offer(prop, make_draft(replaces=victim.reference))
    else:
        erasure.erase_all(prop.agency_id, [victim.id], "person", by=SYSTEM)
    before = newest(prop).id
    assert form.press(code=code) == 422 and newest(prop).id == before


def test_two_forms_at_once_replace_once(either_app: Flask) -> None:
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    reference, property_id = db.session.get_one(Offer, make_offer(prop)).reference, prop.id
    nonces = [bytes([n]) * 16 for n in (1, 2)]
    for nonce in nonces:
        replacing.ask(prop, nonce, replaces=reference, asked=None)
        assert replacing.enter(prop, nonce, digits(nonce))

    def send(nonce: bytes) -> str:
        with either_app.app_context():
            held = db.session.get_one(Property, property_id)
            try:
                make_offer(held, make_draft(replaces=reference), nonce=nonce, own_page=None)
            except Invalid:
                return "taken"
            return "sent"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(send, nonces)) == ["sent", "taken"]


# --- by the link of a request for a better offer -------------------------------------------------------------------


# --- by recording it -----------------------------------------------------------------------------------------------
