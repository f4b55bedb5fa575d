"""A signature counts once the code from the bidder's mailbox was entered: without a cookie, with few tries."""

from __future__ import annotations

import csv
import io
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from pypdf import PdfReader
from sqlalchemy import delete, select, update

from app.accounts import editing as accounts
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.signed_links import RECEIPT, sign
from app.core.unit_of_work import housekeeping
from app.delivery.dispatcher import dispatch
from app.extensions import db
from app.models import (
    Agency,
    Confirmation,
    Delivery,
    EmailCode,
    Event,
    LedgerEntry,
    Offer,
    OfferKey,
    OfferState,
    Property,
    SellerLink,
)
from app.offers import codes, recording
from app.offers.document import Signature
from app.offers.recording import ConfirmationInput
from app.proof import receipts
from app.proof.register import offer_faults
from app.properties import editing as properties
from app.properties.seller_page import OpenedSellerLink, seller_page
from tests.factories import confirm, login, make_draft, make_offer, make_property, make_sending, make_user
from tests.mail_server import MailServer

SIGNED = Signature("typed", "Andrei Țurcanu")


@pytest.fixture
def offer(prop: Property) -> Offer:
    """A signed offer for a property that asks for a code."""
    properties.change(prop, {"signature_required": True, "code_required": True}, by=SYSTEM)
    return db.session.get_one(Offer, make_offer(prop, make_draft(signature=SIGNED)))


def code_in(smtp: MailServer) -> str:
    """The digits of the last mail that holds some."""
    dispatch()
    held = [
        re.findall(r"^(\d{6})\r?$", letter.body("plain"), re.M) for letter in smtp.to("andrei.turcanu@client.example")
    ]
    return [found[0] for found in held if found][-1]


def page_of(client: FlaskClient, offer: Offer) -> str:
    return client.get(f"/en/r/{sign(RECEIPT, offer.id)}").get_data(as_text=True)


def post(client: FlaskClient, offer: Offer, code: str, path: str = "code") -> int:
    return client.post(f"/en/r/{sign(RECEIPT, offer.id)}/{path}", data={"code": code}).status_code


def confirmed(offer: Offer) -> bool:
    db.session.rollback()
    return db.session.scalar(select(Confirmation.at).where(Confirmation.offer_id == offer.id)) is not None


def another(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def test_the_code_from_the_mail_confirms(app: Flask, client: FlaskClient, smtp: MailServer, offer: Offer) -> None:
    assert "Code of six digits" in page_of(client, offer)
    code = code_in(smtp)
    assert post(client, offer, f" {code[:3]} {code[3:]} ") == 303 and confirmed(offer)
    assert "Code of six digits" not in page_of(client, offer) and not client.get_cookie("bidflux")
    kinds = db.session.scalars(select(LedgerEntry.kind).where(LedgerEntry.object_id == offer.id)).all()
    assert "offer.code_confirmed" in kinds
    assert db.session.scalars(select(Event.type).order_by(Event.seq.desc())).first() == "offer.confirmed"
    assert post(client, offer, another(code)) == 303, "once confirmed it stays so"


def test_five_wrong_codes_end_it_and_the_right_one_comes_too_late(
    app: Flask, client: FlaskClient, smtp: MailServer, offer: Offer
) -> None:
    code = code_in(smtp)
    for left in (4, 3, 2, 1):
        answer = client.post(f"/en/r/{sign(RECEIPT, offer.id)}/code", data={"code": another(code)})
        assert answer.status_code == 422 and f"{left} tr" in answer.get_data(as_text=True)
    assert post(client, offer, another(code)) == 422
    assert "Too many wrong codes" in page_of(client, offer)
    assert post(client, offer, code) == 422 and not confirmed(offer)
    assert db.session.get_one(Offer, offer.id).signed, "the offer is kept all the same"


def test_another_code_may_be_sent_a_few_times_and_ends_the_one_before(
    app: Flask, client: FlaskClient, smtp: MailServer, offer: Offer
) -> None:
    first = code_in(smtp)
    assert post(client, offer, "", "code/again") == 422, "not within a minute"
    for minutes in (2, 4, 6, 8):
        with time_machine.travel(now() + timedelta(minutes=minutes)):
            assert post(client, offer, "", "code/again") == 303
    with time_machine.travel(now() + timedelta(minutes=20)):
        last = code_in(smtp)
        assert post(client, offer, "", "code/again") == 422, "five in all"
        assert "No more codes" in page_of(client, offer)
        if first != last:
            assert post(client, offer, first) == 422
        assert post(client, offer, last) == 303 and confirmed(offer)


def test_a_code_is_good_for_an_hour(app: Flask, client: FlaskClient, smtp: MailServer, offer: Offer) -> None:
    code = code_in(smtp)
    with time_machine.travel(now() + timedelta(minutes=61)):
        assert post(client, offer, code) == 422 and not confirmed(offer)
        assert "hour is over" in page_of(client, offer)


@pytest.mark.parametrize("typed", ["", "abcdef", "12345", "1" * 500, "\0", "１２３４５６"])
def test_what_is_no_code_is_refused_plainly(app: Flask, client: FlaskClient, offer: Offer, typed: str) -> None:
    assert post(client, offer, typed) == 422 and not confirmed(offer)


def test_tries_at_once_are_counted_one_by_one(either_app: Flask) -> None:
    from tests.factories import make_agency, make_property

    agency = make_agency()
    prop = make_property(agency, make_user(agency).id, signature_required=True, code_required=True)
    offer_id = make_offer(prop, make_draft(signature=SIGNED))

    def wrong(_n: int) -> str:
        with either_app.app_context():
            return codes.enter(db.session.get_one(Offer, offer_id), "000000x").state

    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(wrong, range(8)))
    db.session.rollback()
    if "done" not in states:  # one in a million
        assert db.session.scalars(select(EmailCode.tries)).one() == 5 and states.count("waiting") == 4


def test_the_sealed_receipt_is_mailed_once_confirmed_and_says_so(
    app: Flask, client: FlaskClient, smtp: MailServer, offer: Offer, prop: Property
) -> None:
    before = receipts.make(prop.agency_id, offer.id)
    owed = select(Delivery.template).where(Delivery.template == "receipt_bidder")
    assert not db.session.scalar(owed)
    assert post(client, offer, code_in(smtp)) == 303
    assert db.session.scalar(owed)
    after = receipts.make(prop.agency_id, offer.id)
    says = [" ".join(PdfReader(io.BytesIO(pdf)).pages[0].extract_text().split()) for pdf in (before, after)]
    assert "Semnătura contează" in says[0] and "confirmată printr-un cod" not in says[0]
    assert "confirmată printr-un cod" in says[1]


def test_the_agent_reads_whether_it_counts(app: Flask, client: FlaskClient, offer: Offer, prop: Property) -> None:
    owner = make_user(prop.agency_id, "owner", language="en")
    login(client, owner)
    assert "Not confirmed yet" in client.get(f"/app/offers/{offer.id}").get_data(as_text=True)


def test_unsigned_or_not_asked_for_there_is_no_code(app: Flask, client: FlaskClient, prop: Property) -> None:
    plain = db.session.get_one(Offer, make_offer(prop, make_draft(signature=SIGNED)))
    assert db.session.scalar(select(EmailCode.n)) is None
    assert post(client, plain, "123456") == 409 and post(client, plain, "", "code/again") == 409
    assert client.post("/r/x/code", data={"code": "1"}).status_code == 404


@pytest.mark.parametrize("ended", ["withdrawn", "erased"])
def test_after_withdrawing_or_erasing_there_is_nothing_to_confirm(
    app: Flask, client: FlaskClient, smtp: MailServer, offer: Offer, ended: str
) -> None:
    with housekeeping() as connection:
        if ended == "erased":
            connection.execute(delete(OfferKey))
        else:
            connection.execute(update(OfferState).values(withdrawn_at=now()))
    assert post(client, offer, "123456") == 409 and not confirmed(offer)
    if ended == "erased":
        dispatch()
        assert not smtp.to("andrei.turcanu@client.example")


def test_the_code_is_in_no_log_and_sealed_in_the_database(app: Flask, smtp: MailServer, offer: Offer) -> None:
    code = code_in(smtp).encode()
    row = db.session.scalars(select(EmailCode)).one()
    assert code not in row.code_ct and len(code) == 6


def listed(client: FlaskClient, key: str, **chosen: str) -> list[dict[str, Any]]:
    answer = client.get("/api/crm/offers", query_string=chosen, headers={"Authorization": f"Bearer {key}"})
    found: list[dict[str, Any]] = answer.get_json()["data"]
    return found


def said(client: FlaskClient, offer: Offer, prop: Property, plain: uuid.UUID, key: str) -> dict[str, Any]:
    """What every reader of the offer is told of its signature; `plain` is another that has none."""
    db.session.rollback()
    by_id = {one["id"]: one for one in listed(client, key)}
    export = client.get("/app/offers.csv?columns=machine&purpose=accounting").get_data(as_text=True)
    exported = {row["reference"]: row["signed"] for row in csv.DictReader(io.StringIO(export))}
    receipt = PdfReader(io.BytesIO(receipts.make(offer.agency_id, offer.id)))
    pages = {
        "list": "/app/offers",
        "page": f"/app/offers/{offer.id}",
        "compare": f"/app/compare?offer={offer.id}&offer={plain}",
    }
    shown = {name: "încă nesemnată" not in client.get(path).text.casefold() for name, path in pages.items()}
    return shown | {
        "api": by_id[str(offer.id)]["signature"] is not None and not by_id[str(offer.id)]["signature_pending"],
        "signed=true": [one["id"] for one in listed(client, key, signed="true")] == [str(offer.id)],
        "signed=false": [one["id"] for one in listed(client, key, signed="false")] == [str(plain)],
        "filter": offer.reference in client.get("/app/offers?signed=true").text,
        "export": exported[offer.reference] == "true",
        "receipt": "încă nesemnată" not in " ".join(receipt.pages[0].extract_text().split()),
        "seller": any(line.signed for line in seller_page(OpenedSellerLink(SellerLink(shows_names=False), prop)).lines),
        "mine": "Not signed yet" not in page_of(client, offer),
    }


def test_until_the_code_is_entered_everybody_is_told_that_it_is_not_signed(
    app: Flask, client: FlaskClient, smtp: MailServer, prop: Property, offer: Offer
) -> None:
    key = accounts.create_api_key(offer.agency_id, "CRM", by=SYSTEM)
    login(client, make_user(offer.agency_id, "owner"))
    agency = db.session.get_one(Agency, offer.agency_id)
    plain = make_offer(make_property(offer.agency_id, prop.agent_id))
    before = said(client, offer, prop, plain, key)
    assert not any(before.values()), before
    assert not [*offer_faults(agency)]
    was = db.session.get_one(OfferState, offer.id).version
    code = code_in(smtp)
    mails = [" ".join(letter.body("plain").split()) for letter in smtp.letters]
    assert sum(offer.reference in mail and "încă nesemnată" in mail for mail in mails) == 2, "agent and bidder"
    assert codes.enter(offer, code).state == "done"
    after = said(client, offer, prop, plain, key)
    assert all(after.values()), after
    state = db.session.get_one(OfferState, offer.id)
    assert state.version > was and state.updated_at > offer.submitted_at, "a CRM that asks for changes sees it"
    assert not [*offer_faults(agency)]
    db.session.execute(update(OfferState).values(signed=False))
    assert [*offer_faults(agency)], "the list may not say otherwise than the rows that it follows from"


def test_a_recorded_offer_is_signed_once_its_bidder_confirms_it_with_a_signature(
    app: Flask, client: FlaskClient, prop: Property
) -> None:
    key = accounts.create_api_key(prop.agency_id, "CRM", by=SYSTEM)
    sent = recording.record(prop, make_draft(), make_sending(prop, source="api"), by=SYSTEM)
    assert listed(client, key)[0]["signature"] is None and listed(client, key, signed="true") == []
    confirm(sent.offer_id, ConfirmationInput("ro", {}, SIGNED))
    [shown] = listed(client, key, signed="true")
    assert shown["signature"] == {"kind": "typed", "signed_at": shown["confirmed_at"]}
    assert not shown["signature_pending"]
    assert not [*offer_faults(db.session.get_one(Agency, prop.agency_id))]
