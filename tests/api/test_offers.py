"""Offers over the API: listed, read, decided upon, recorded for a bidder."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import select

from app.accounts import editing as accounts
from app.core.clock import now, rfc3339
from app.core.ledger import SYSTEM
from app.core.money import Money
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Decision, Delivery, LedgerEntry, Offer, OfferKey, Property
from app.offers import deciding, withdrawing
from app.offers.document import Bidder, Signature
from app.offers.recording import ConfirmationInput
from tests.api.conftest import Crm
from tests.factories import confirm, mailed_code, make_draft, make_offer, make_property, make_user
from tests.public.test_offer_form import hidden

TAKEN: dict[str, Any] = {
    "property_external_id": "CRM-1",
    "amount": "118500.50",
    "financing": "mixed",
    "own_funds_amount": "18500.50",
    "payment_term_days": 45,
    "conditions": {"kinds": ["bank_approval"], "text": "fără mobilă"},
    "bidder": {"full_name": "Andrei Țurcanu", "email": "andrei@client.example", "phone": "0722 000 111"},
    "co_buyers": ["Maria Țurcanu"],
}


@pytest.fixture
def prop(crm: Crm) -> Property:
    return make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-1")


def test_an_offer_is_read_whole_and_reading_does_not_make_it_viewed(crm: Crm, prop: Property) -> None:
    offer = make_offer(prop, make_draft(message="Ne place mult."))
    read = crm.get(f"/offers/{offer}")
    assert read.status_code == 200 and read.headers["ETag"] == '"1"'
    shown = read.json
    assert shown["status"] == "new" and shown["amount"] == "118500.00" and shown["message"] == "Ne place mult."
    assert shown["bidder"]["full_name"] == "Andrei Țurcanu" and shown["property_external_id"] == "CRM-1"
    assert crm.get("/offers").json["data"] == [shown] == [crm.get("/events").json["data"][-1]["data"]]


def test_every_filter_of_the_contract_finds_what_it_names_and_nothing_else(either_crm: Crm) -> None:
    """Two offers that differ in everything: each filter finds one of them, and its opposite the other."""
    crm = either_crm
    agency, start = crm.owner.agency_id, now()
    one = make_property(agency, crm.owner.id, external_id="CRM-1")
    colleague = make_user(agency)
    two = make_property(agency, colleague.id, external_id="CRM-2", currency="RON", asking_minor=500_000_00)
    with time_machine.travel(start - timedelta(days=2), tick=False):
        first = str(make_offer(one))
        signed = make_draft(
            bidder=Bidder("Ioana Pop", "ioana@client.example", "+40722000222"),
            amount=Money(400_000_00, "RON"),
            financing="credit",
            payment_term_days=90,
            signature=Signature("typed", "Ioana Pop"),
        )
    second = str(make_offer(two, signed, source="api"))
    crm.call("PATCH", f"/offers/{second}/status", {"status": "accepted"})
    middle = rfc3339(start - timedelta(days=1))
    found = {
        f"property_id={one.id}": first, f"property_id={two.id}": second,
        "property_external_id=CRM-1": first, "property_external_id=CRM-2": second,
        "status=new": first, "status=accepted": second,
        "financing=cash": first, "financing=credit": second,
        "currency=EUR": first, "currency=RON": second,
        "max_amount=118500&currency=EUR": first, "min_amount=400000&currency=RON": second,
        f"submitted_before={middle}": first, f"submitted_after={middle}": second, f"updated_since={middle}": second,
        "max_term=30": first, "min_term=31": second,
        f"agent={crm.owner.email}": first, f"agent={colleague.id}": second,
        "source=link": first, "source=api": second,
        "signed=false": first, "signed=true": second,
        "confirmed=true": first, "confirmed=false": second,
        "ratio_from=94": first, "ratio_below=94": second,
        "email=ANDREI.TURCANU%40client.example": first, "email=ioana%40client.example": second,
    }  # fmt: skip
    references = {crm.get(f"/offers/{offer}").json["reference"]: offer for offer in (first, second)}
    found |= {f"reference={text}": offer for text, offer in references.items()}
    answers = {query: [offer["id"] for offer in crm.get(f"/offers?{query}").json["data"]] for query in found}
    assert answers == {query: [offer] for query, offer in found.items()}
    for nothing in ("min_amount=118500.01&currency=EUR", "email=nimeni@client.example", "reference=BF-AAAAAAAA"):
        assert crm.get(f"/offers?{nothing}").json["data"] == [], nothing
    replacing = str(make_offer(one, make_draft(replaces=next(iter(references)))))
    assert [o["id"] for o in crm.get("/offers?latest=false").json["data"]] == [first]
    assert {o["id"] for o in crm.get("/offers?latest=true").json["data"]} == {second, replacing}


def test_a_list_is_in_the_order_that_was_asked_for(crm: Crm, prop: Property) -> None:
    late, soon = (str(make_offer(prop, make_draft(payment_term_days=days))) for days in (90, 10))
    for sort, order in {"payment_term_days": [soon, late], "-payment_term_days": [late, soon]}.items():
        assert [offer["id"] for offer in crm.get(f"/offers?sort={sort}").json["data"]] == order
    assert [offer["id"] for offer in crm.get("/offers").json["data"]] == [soon, late], "the newest first"


@pytest.mark.parametrize(
    "wrong",
    [
        "min_amount=5",
        "status=sold",
        "limit=0",
        "limit=101",
        "sort=bidder",
        "nimic=1",
        "status=new&status=new",
        "email=x@",
    ],
)
def test_a_filter_that_means_nothing_is_refused_by_name(crm: Crm, wrong: str) -> None:
    answer = crm.get(f"/offers?{wrong}")
    name = "currency" if "amount" in wrong else wrong.partition("=")[0]
    assert answer.status_code == 422 and [error["parameter"] for error in answer.json["errors"]] == [name]


def test_pages_of_offers_hold_every_one_once_while_others_arrive(crm: Crm, prop: Property) -> None:
    made = [str(make_offer(prop)) for _ in range(7)]
    seen, cursor = [], ""
    while True:
        page = crm.get(f"/offers?limit=2{cursor}").json
        seen += [offer["id"] for offer in page["data"]]
        make_offer(prop)
        if not page["has_more"]:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == made[::-1]


def test_what_speaks_against_accepting_is_named_and_has_to_be_sent(crm: Crm, prop: Property) -> None:
    first, second = make_offer(prop), make_offer(prop, make_draft(valid_until=now().date() + timedelta(days=1)))
    assert crm.call("PATCH", f"/offers/{first}/status", {"status": "accepted"}).status_code == 200
    with time_machine.travel(now() + timedelta(days=3)):
        path = f"/offers/{second}/status"
        for despite in ([], ["expired"], ["second"], ["replaced", "archived"]):
            refused = crm.call("PATCH", path, {"status": "accepted", "despite": despite})
            assert refused.status_code == 409 and refused.json["despite"] == ["expired", "second"]
            assert refused.json["type"].endswith("/docs/errors/not-explicit")
        assert crm.get(f"/offers/{second}").json["status"] == "new"
        for wrong in (["whatever"], "expired", [1], None):
            assert crm.call("PATCH", path, {"status": "accepted", "despite": wrong}).status_code == 422
        done = crm.call("PATCH", path, {"status": "accepted", "despite": ["second", "expired"]})
        assert done.status_code == 200 and done.json["status"] == "accepted"
        assert crm.call("PUT", path, {"status": "accepted"}).status_code == 200, "it is so already"
    decided = select(LedgerEntry.body).where(LedgerEntry.object_id == second, LedgerEntry.kind == "offer.decided")
    assert b'"despite":["expired","second"]' in db.session.scalars(decided).one()


def test_a_status_is_set_with_its_reason_and_illegal_ones_say_what_is_legal(crm: Crm, prop: Property) -> None:
    offer = make_offer(prop)
    done = crm.call("PATCH", f"/offers/{offer}/status", {"status": "accepted", "reason": "Cea mai bună"})
    assert done.status_code == 200, done.text
    assert done.json["status"] == "accepted" and done.json["decision_reason"] == "Cea mai bună"
    assert done.json["decided_at"] and done.headers["ETag"] == '"2"'
    assert crm.call("PUT", f"/offers/{offer}/status", {"status": "accepted"}).headers["ETag"] == '"2"'
    refused = crm.call("PATCH", f"/offers/{offer}/status", {"status": "new"})
    assert refused.status_code == 409 and refused.json["legal"] == ["viewed", "rejected"]
    stale = crm.call("PATCH", f"/offers/{offer}/status", {"status": "rejected"}, If_Match='"1"')
    assert stale.status_code == 412
    fresh = crm.call("PATCH", f"/offers/{offer}/status", {"status": "rejected"}, If_Match='"2"')
    assert fresh.status_code == 200 and fresh.json["decision_reason"] is None
    lost = crm.call("PATCH", f"/offers/{offer}/status", {"status": "rejected"}, If_Match='"2"')
    assert (lost.status_code, lost.headers["ETag"]) == (200, '"3"'), "the same call, because its answer got lost"
    assert crm.call("PATCH", f"/offers/{offer}/status", {"status": "rejected"}, If_Match='"1"').status_code == 412
    event = crm.get("/events").json["data"][-1]
    assert event["type"] == "offer.status_changed" and event["previous_status"] == "accepted"
    assert event["actor"]["type"] == "api_key" and event["data"] == fresh.json
    withdrawing.withdraw(db.session.get_one(Offer, offer))
    refused = crm.call("PATCH", f"/offers/{offer}/status", {"status": "accepted"})
    assert refused.status_code == 409 and refused.json["legal"] == [], "withdrawn"


def test_a_receipt_that_is_not_made_yet_says_when_to_ask_again(crm: Crm, prop: Property) -> None:
    refused = crm.get(f"/offers/{make_offer(prop)}/receipt")
    assert refused.status_code == 409 and refused.json["type"].endswith("/docs/errors/not-ready")
    assert int(refused.headers["Retry-After"]) > 0


def test_bidders_are_told_only_when_asked_for(crm: Crm, prop: Property) -> None:
    offer = make_offer(prop)
    crm.call("PATCH", f"/offers/{offer}/status", {"status": "accepted"})
    told = select(Delivery).where(Delivery.template == "decision_bidder")
    assert db.session.scalar(told) is None
    crm.call("PATCH", f"/offers/{offer}/status", {"status": "rejected", "notify_bidder": True})
    assert db.session.scalar(told) is not None


def test_an_offer_taken_elsewhere_is_unconfirmed_until_its_bidder_confirms(crm: Crm, prop: Property) -> None:
    made = crm.call("POST", "/offers", TAKEN)
    assert made.status_code == 201, made.text
    offer = made.json
    assert offer["source"] == "api" and offer["confirmed_at"] is None and offer["credit_amount"] == "100000.00"
    assert offer["bidder"]["phone"] == "+40722000111" and made.headers["Location"].endswith(offer["id"])
    owed = set(db.session.scalars(select(Delivery.template)))
    assert owed == {"offer_agent", "offer_confirm", "receipt_kept"}
    from app.core.signed_links import RECEIPT, sign

    with crm.app.app_context():
        token = sign(RECEIPT, db.session.scalars(select(OfferKey.offer_id)).one())
    client = crm.app.test_client()
    page = client.get(f"/r/{token}").get_data(as_text=True)
    action = re.search(r'action="([^"]+/confirm)"', page)
    assert action and crm.get(f"/offers/{offer['id']}").json["confirmed_at"] is None, "opening confirms nothing"
    assert client.post(action.group(1)).status_code == 422, "the notice was not read"
    given = {**hidden(page), "consent": "y"}
    assert client.post(action.group(1), data=given).status_code == 422, "a button is nobody's word"
    assert client.post(f"/r/{token}/code/again").status_code == 303
    given["code"] = mailed_code(uuid.UUID(offer["id"]))
    assert client.post(action.group(1), data=given).status_code == 303
    confirmed = crm.get(f"/offers/{offer['id']}").json
    assert confirmed["confirmation"] == {"at": confirmed["confirmed_at"], "proof": "code"}
    assert confirmed["confirmed_at"] and "/confirm" not in client.get(f"/r/{token}").get_data(as_text=True)
    event = crm.get("/events").json["data"][-1]
    assert event["type"] == "offer.confirmed" and event["data"] == confirmed


@pytest.mark.parametrize(
    ("change", "pointers"),
    [
        ({"own_funds_amount": "1.00"}, {"/own_funds_amount"}),
        ({"credit_amount": "1.00", "credit_program": "standard"}, {"/credit_amount", "/credit_program"}),
        ({"credit_preapproved": True}, {"/credit_preapproved"}),
        ({"financing": "mixed", "own_funds_amount": "118500.51"}, {"/own_funds_amount"}),
        ({"financing": "credit", "credit_amount": "999999"}, {"/credit_amount"}),
        ({"bidder": {**TAKEN["bidder"], "company_name": "Casa SRL"}}, {"/bidder/company_name"}),
        ({"bidder": {**TAKEN["bidder"], "tax_id": "RO12345678"}}, {"/bidder/tax_id"}),
        ({"co_buyers": ["Ion Pop", "\u200b\u00ad"]}, {"/co_buyers/1"}),
    ],
)
def test_what_an_offer_has_no_room_for_is_refused_and_not_dropped(
    crm: Crm, prop: Property, change: dict[str, Any], pointers: set[str]
) -> None:
    whole = {name: value for name, value in TAKEN.items() if name != "own_funds_amount"}
    refused = crm.call("POST", "/offers", {**whole, "financing": "cash", **change})
    assert refused.status_code == 422, refused.text
    assert {error["pointer"] for error in refused.json["errors"]} == pointers


def test_what_says_nothing_more_is_taken(crm: Crm, prop: Property) -> None:
    nothing = {"financing": "cash", "own_funds_amount": None, "credit_program": None, "credit_preapproved": False}
    person = {**TAKEN["bidder"], "full_name": "Ana\u00ad\u200b Pop", "company_name": "", "tax_id": None}
    taken = crm.call("POST", "/offers", {**TAKEN, **nothing, "bidder": person, "co_buyers": ["Ion\u00adel Pop"]})
    assert taken.status_code == 201, taken.text
    assert (taken.json["bidder"]["full_name"], taken.json["co_buyers"]) == ("Ana Pop", ["Ionel Pop"])


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"amount": "0"}, "/amount"),
        ({"amount": 118500}, "/amount"),
        ({"currency": "RON"}, "/currency"),
        ({"credit_amount": "1"}, "/credit_amount"),
        ({"valid_until": "2001-01-01"}, "/valid_until"),
        ({"property_external_id": "alta"}, "/property_external_id"),
        ({"bidder": {**TAKEN["bidder"], "email": "nu e"}}, "/bidder/email"),
        ({"bidder": {**TAKEN["bidder"], "cnp": "1"}}, "/bidder/cnp"),
        ({"conditions": {"kinds": ["altceva"]}}, "/conditions/kinds/0"),
    ],
)
def test_a_wrong_offer_points_at_what_is_wrong(crm: Crm, prop: Property, change: dict[str, Any], pointer: str) -> None:
    refused = crm.call("POST", "/offers", {**TAKEN, **change})
    assert refused.status_code == 422, refused.text
    assert pointer in [error["pointer"] for error in refused.json["errors"]]


def test_a_replaced_offer_is_announced_as_it_now_is(crm: Crm, prop: Property) -> None:
    first = crm.call("POST", "/offers", TAKEN).json
    again = {**TAKEN, "amount": "120000", "own_funds_amount": "20000", "replaces": first["reference"]}
    second = crm.call("POST", "/offers", again).json
    assert second["previous_offer_id"] is None and crm.get(f"/offers/{first['id']}").json["is_latest"]
    confirm(uuid.UUID(second["id"]), ConfirmationInput("ro", {}))
    assert crm.get(f"/offers/{second['id']}").json["previous_offer_id"] == first["id"]
    event = crm.get("/events").json["data"][-2]
    assert event["type"] == "offer.superseded" and event["data"] == crm.get(f"/offers/{first['id']}").json
    assert event["data"]["is_latest"] is False


def test_what_is_said_with_the_same_status_is_not_dropped(crm: Crm, prop: Property) -> None:
    where = f"/offers/{make_offer(prop)}/status"
    first = crm.call("PATCH", where, {"status": "accepted"})
    decided = first.json["decided_at"]
    steps: list[tuple[dict[str, Any], str, int]] = [
        ({"reason": "Prima"}, "Prima", 3),
        ({"reason": "Prima"}, "Prima", 3),  # sent twice
        ({}, "Prima", 3),
        ({"reason": "A doua"}, "A doua", 4),
        ({"message": "Felicitări"}, "A doua", 5),
        ({"message": "Felicitări"}, "A doua", 5),
        ({"notify_bidder": True}, "A doua", 6),
        ({"notify_bidder": True}, "A doua", 6),
        ({"notify_bidder": True, "message": "Veniți luni", "reason": "A doua"}, "A doua", 7),
    ]
    for said, reason, version in steps:
        done = crm.call("PATCH", where, {"status": "accepted", **said})
        assert done.status_code == 200, done.text
        assert (done.json["decision_reason"], done.headers["ETag"]) == (reason, f'"{version}"'), said
        assert done.json["decided_at"] == decided
    with time_machine.travel(now() + timedelta(minutes=1)):
        event = crm.get("/events").json["data"][-1]
        assert event["type"] == "offer.status_changed" and event["previous_status"] == "accepted"
        assert event["data"]["version"] == 7
    told = db.session.scalars(select(Decision).order_by(Decision.at)).all()
    assert len(told) == 6
    mails = db.session.scalars(select(Delivery).where(Delivery.template == "decision_bidder")).all()
    assert len(mails) == 2 and {one.created_at for one in mails} == {told[-1].at, told[-2].at}
    assert told[-2].message_ct, "what was written before anybody was told goes with the mail"
    assert crm.call("PATCH", where, {"status": "rejected"}).json["decision_reason"] is None
    back = crm.call("PATCH", where, {"status": "accepted"})
    assert back.json["decision_reason"] is None, "a new decision has a reason of its own"


def test_another_reason_with_a_stale_tag_is_refused_and_with_another_key_is_the_same(crm: Crm, prop: Property) -> None:
    where = f"/offers/{make_offer(prop)}/status"
    said = {"status": "accepted", "reason": "Prima"}
    assert crm.call("PATCH", where, said, If_Match='"1"').status_code == 200
    new = replace(crm, key=accounts.create_api_key(crm.owner.agency_id, "New", by=SYSTEM))
    assert new.call("PATCH", where, said, If_Match='"1"').status_code == 200, "its answer got lost while keys changed"
    other = new.call("PATCH", where, {**said, "reason": "A doua"}, If_Match='"1"')
    assert other.status_code == 412 and crm.get(where.removesuffix("/status")).json["decision_reason"] == "Prima"


def test_a_reason_for_what_is_withdrawn_is_refused_and_not_dropped(crm: Crm, prop: Property) -> None:
    offer = make_offer(prop)
    where = f"/offers/{offer}/status"
    crm.call("PATCH", where, {"status": "accepted"})
    withdrawing.withdraw(db.session.get_one(Offer, offer))
    assert crm.call("PATCH", where, {"status": "accepted"}).status_code == 200
    assert crm.call("PATCH", where, {"status": "accepted", "reason": "Prima"}).status_code == 409


def test_after_undo_the_earlier_reason_stands_again(crm: Crm, prop: Property) -> None:
    offer = make_offer(prop)
    crm.call("PATCH", f"/offers/{offer}/status", {"status": "accepted", "reason": "Prima"})
    answer = deciding.AgencyAnswer("rejected", reason="A doua")
    by = deciding.Actor("user", crm.owner.id)
    made = deciding.decide_all(crm.owner.agency_id, [deciding.Chosen(offer)], answer, by=by)
    assert made and crm.get(f"/offers/{offer}").json["decision_reason"] == "A doua"
    deciding.undo(made, crm.owner.agency_id, by=by)
    read = crm.get(f"/offers/{offer}").json
    assert read["decision_reason"] == "Prima" and crm.get("/events").json["data"][-1]["data"] == read


def test_a_forgotten_bidder_is_gone_from_offers_and_events(crm: Crm, prop: Property) -> None:
    offer = make_offer(prop)
    with housekeeping() as connection:
        connection.execute(OfferKey.__table__.delete().where(OfferKey.offer_id == offer))
    shown = crm.get(f"/offers/{offer}").json
    assert shown["bidder"] is None and shown["amount"] == "118500.00"
    assert crm.get("/offers").json["data"] == [shown]
    event = crm.get("/events").json["data"][-1]
    assert event["erased"] and event["data"] == {"id": str(offer), "property_id": str(prop.id)}
    assert "Țurcanu" not in crm.get("/events").text


def test_a_test_key_reaches_a_test_agency_that_writes_to_nobody(crm: Crm, prop: Property) -> None:
    from app.accounts import editing as accounts
    from app.accounts.test_agency import test_agency_of
    from app.core.ledger import SYSTEM

    held = test_agency_of(crm.owner.agency_id)
    assert test_agency_of(crm.owner.agency_id) == held
    tester = Crm(crm.app, crm.owner, accounts.create_api_key(held, "Test", by=SYSTEM, test=True))
    assert tester.key.startswith("bfx_test_") and len(tester.get("/offers").json["data"]) == 20
    assert tester.get(f"/properties/{prop.id}").status_code == 404
    made = tester.call("POST", "/offers", {**TAKEN, "property_external_id": "TEST-001", "currency": None})
    assert made.status_code == 201, made.text
    owed = db.session.scalars(select(Delivery.template)).all()
    assert owed == ["receipt_kept"], "its receipt is made, and mailed to nobody"
