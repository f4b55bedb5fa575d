"""Only the bidder of an offer puts another in its place: from their page, by a code, by a link mailed to them alone."""

from __future__ import annotations

import io
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import event, select

from app.accounts import editing as accounts
from app.core.clock import now
from app.core.errors import CodeWanted, Invalid
from app.core.ledger import SYSTEM
from app.core.signed_links import OFFER_LINK, REQUEST, STAMP, OfferLink, read, sign
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import (
    Agency,
    Confirmation,
    Delivery,
    LedgerEntry,
    Offer,
    OfferRequest,
    OfferState,
    Property,
    ReplaceCode,
    Supersession,
)
from app.offers import better_offers, recording, replacing, withdrawing
from app.offers.details import offer_by_id, open_offer
from app.offers.document import Bidder
from app.offers.recording import ConfirmationInput
from app.offers.timeline import chain_of
from app.privacy import erasure
from app.proof import receipts
from app.proof.register import offer_faults
from app.properties.representation import rfc3339
from app.properties.seller_page import OpenedSellerLink, seller_page
from tests.factories import (
    confirm,
    csrf,
    login,
    make_agency,
    make_draft,
    make_offer,
    make_property,
    make_sending,
    make_user,
    person_of,
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


@pytest.fixture
def victim(prop: Property) -> Offer:
    return db.session.get_one(Offer, make_offer(prop))


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


# --- by recording it -----------------------------------------------------------------------------------------------


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
