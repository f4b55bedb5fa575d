"""An offer is sent once, replaces only what its bidder names, and meets a closing link in one piece or not at all."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from app.core.errors import CodeWanted, Conflict, IllegalTransition, Invalid, LinkClosed
from app.core.ledger import BIDDER, SYSTEM, Actor
from app.extensions import db
from app.models import Agency, Decision, Delivery, Event, LedgerEntry, Offer, OfferBody, OfferState, Property
from app.offers import deciding
from app.offers.details import offer_by_id, open_offer
from app.offers.document import Bidder
from app.offers.submitting import submit
from app.proof.register import offer_faults
from app.properties import editing as properties
from tests.factories import make_agency, make_draft, make_offer, make_property, make_sending, make_user


@pytest.fixture
def prop(either_app: Flask) -> Property:
    agency = make_agency()
    return make_property(agency, make_user(agency).id)


def count(table: Any, *where: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(table).where(*where)) or 0


def books_balance() -> None:
    offers = count(Offer)
    assert count(OfferBody) == count(OfferState) == offers
    assert count(LedgerEntry, LedgerEntry.kind == "offer.submitted") == offers
    assert count(Event, Event.type == "offer.created") == offers
    assert count(Delivery, Delivery.template.in_(["offer_agent", "offer_bidder"])) == 2 * offers


def at_once(app: Flask, calls: list[Any]) -> list[Any]:
    """Run each call in a thread of its own; answers and errors alike."""

    def run(call: Any) -> Any:
        with app.app_context():
            try:
                return call()
            except Exception as error:
                return error

    with ThreadPoolExecutor(len(calls)) as pool:
        answers = list(pool.map(run, calls))
    db.session.rollback()
    return answers


def test_a_double_press_is_one_offer(either_app: Flask, prop: Property) -> None:
    nonce, draft, property_id = os.urandom(16), make_draft(), prop.id

    def press() -> Any:
        held = db.session.get_one(Property, property_id)
        return submit(held, draft, make_sending(held, nonce=nonce), by=BIDDER)

    answers = at_once(either_app, [press, press, press])
    assert len({a.offer_id for a in answers}) == 1 and sorted(a.fresh for a in answers) == [False, False, True]
    books_balance()
    other = submit(prop, make_draft(payment_term_days=60), make_sending(prop, nonce=nonce), by=BIDDER)
    assert other.fresh and count(Offer) == 2


def test_a_replacement_is_linked_and_only_by_its_bidder(prop: Property) -> None:
    first = db.session.get_one(Offer, make_offer(prop))
    reference = first.reference
    stranger = make_draft(replaces=reference, bidder=Bidder("Alt Cineva", "alt@client.example", "+40733000999"))
    with pytest.raises(CodeWanted):
        make_offer(prop, stranger, own_page=None)
    elsewhere = make_property(prop.agency_id, prop.agent_id)
    with pytest.raises(CodeWanted):
        make_offer(elsewhere, make_draft(replaces=reference))
    second = make_offer(prop, make_draft(replaces=reference))
    row = offer_by_id(second)
    assert row and row[0].previous_id is not None and row[1].latest
    assert db.session.scalar(select(OfferState.latest).where(OfferState.offer_id == row[0].previous_id)) is False
    with pytest.raises(Invalid):
        make_offer(prop, make_draft(replaces=reference))
    books_balance()


def test_two_replacements_at_once_one_wins(either_app: Flask, prop: Property) -> None:
    reference, property_id = db.session.get_one(Offer, make_offer(prop)).reference, prop.id

    def replace() -> Any:
        return make_offer(db.session.get_one(Property, property_id), make_draft(replaces=reference))

    answers = at_once(either_app, [replace, replace])
    assert sum(isinstance(a, Invalid) for a in answers) == 1
    books_balance()


@pytest.mark.parametrize("how", ["off", "rotate"])
def test_a_link_that_stops_in_mid_flight_saves_all_or_nothing(either_app: Flask, prop: Property, how: str) -> None:
    property_id, version = prop.id, prop.link_version

    def send() -> Any:
        return make_offer(db.session.get_one(Property, property_id), link_version=version)

    def stop() -> None:
        held = db.session.get_one(Property, property_id)
        if how == "off":
            properties.change(held, {"accepts_offers": False}, by=SYSTEM)
        else:
            properties.rotate_link(held, by=SYSTEM)

    answers = at_once(either_app, [send, send, stop, send, send])
    errors = [a for a in answers if isinstance(a, Exception)]
    assert all(isinstance(e, LinkClosed) and e.state in {"off", "rotated"} for e in errors)
    assert count(Offer) == 4 - len(errors)
    books_balance()


def test_of_two_decisions_at_once_one_wins(either_app: Flask, prop: Property) -> None:
    offer, agency, by = make_offer(prop), prop.agency_id, Actor("user", prop.agent_id)

    def decide(status: str) -> Any:
        return lambda: deciding.decide(offer, agency, status, by=by, version=1)

    answers = at_once(either_app, [decide("accepted"), decide("rejected")])
    assert sum(isinstance(a, Conflict) for a in answers) == 1 and answers.count(True) == 1
    assert count(Decision) == 1


def test_an_answer_repeated_is_none_by_somebody_else_nor_later(prop: Property) -> None:
    offer, by = make_offer(prop), Actor("user", prop.agent_id)

    def to(status: str, version: int, who: Actor = by) -> bool:
        return deciding.decide(offer, prop.agency_id, status, by=who, version=version)

    assert to("accepted", 1) and not to("accepted", 1) and not to("accepted", 2)
    with pytest.raises(Conflict):
        to("accepted", 1, Actor("api_key", None))
    assert to("rejected", 2) and to("accepted", 3)
    for stale in (-1, 1, 2):
        with pytest.raises(Conflict):
            to("accepted", stale)
    assert count(Decision) == 3


def test_statuses_move_as_the_rules_say(prop: Property) -> None:
    offer, agency, by = make_offer(prop), prop.agency_id, Actor("user", prop.agent_id)

    def to(status: str, who: Actor = by, **more: Any) -> bool:
        return deciding.decide(offer, agency, status, by=who, **more)

    assert to("viewed") and to("new") and to("viewed")
    assert not to("viewed")
    assert to("accepted", reason="bun", notify_bidder=True) and to("rejected") and to("viewed")
    with pytest.raises(IllegalTransition):
        to("new", Actor("api_key", None))
    assert count(Delivery, Delivery.template == "decision_bidder") == 1
    state = db.session.get_one(OfferState, offer)
    db.session.refresh(state)
    assert state.viewed_at is not None and state.decided_at is None


def test_a_reference_drawn_twice_is_drawn_again(prop: Property, monkeypatch: pytest.MonkeyPatch) -> None:
    first = db.session.get_one(Offer, make_offer(prop)).reference
    drawn = iter([first, first, "BF-22222222"])
    monkeypatch.setattr("app.offers.submitting.new_reference", lambda: next(drawn))
    assert db.session.get_one(Offer, make_offer(prop)).reference == "BF-22222222"
    books_balance()


def test_a_property_of_seventy_two_and_a_half_square_metres_takes_offers(either_app: Flask, prop: Property) -> None:
    sizes = {"usable_area_sqm": 72.4, "built_area_sqm": 80.05, "land_area_sqm": 0.01, "rooms": 2.5}
    agency_id = prop.agency_id
    held = make_property(agency_id, prop.agent_id, **sizes)
    sent = offer_by_id(make_offer(held))
    assert sent and (document := open_offer(*sent).document)
    assert {name: document.body["property"][name] for name in sizes} == sizes
    assert not [*offer_faults(db.session.get_one(Agency, agency_id))]
