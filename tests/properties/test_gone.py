"""A property that was sold, let or taken off the market takes no offer; its bidders are told once, or not."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.core.clock import now
from app.core.errors import Conflict, IllegalTransition, LinkClosed
from app.core.ledger import BIDDER, SYSTEM
from app.core.signed_links import OFFER_LINK, RECEIPT, REQUEST, OfferLink, sign
from app.delivery.composing import DeliveryRow, NoLongerOwed
from app.delivery.registry import registry
from app.extensions import db
from app.models import Delivery, LedgerEntry, OfferRequest, Property, User
from app.models.property import GONE
from app.offers import better_offers as asking
from app.offers import deciding, recording
from app.offers.deciding import AgencyAnswer, Chosen, Consequences
from app.offers.submitting import submit
from app.properties import editing as properties
from app.properties import gone_notices
from app.properties.representation import link_state, offer_url
from tests.factories import (
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
from tests.public.test_offer_form import hidden

WORDS = {
    "sold": ("Proprietatea s-a vândut", "The property has been sold"),
    "rented": ("Proprietatea s-a închiriat", "The property has been rented out"),
    "withdrawn": ("Proprietatea a fost retrasă de pe piață", "The property was taken off the market"),
    "unavailable": ("Proprietatea nu mai este disponibilă", "The property is no longer available"),
}


@pytest.fixture
def owner(client: FlaskClient) -> User:
    user = make_user(make_agency(), "owner")
    login(client, user)
    return user


def fresh(prop: Property) -> Property:
    db.session.rollback()
    return db.session.get_one(Property, prop.id)


def mark(prop: Property, availability: str) -> Property:
    properties.change(fresh(prop), {"availability": availability}, by=SYSTEM)
    return fresh(prop)


def post(client: FlaskClient, path: str, **more: Any) -> Any:
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    return client.post(path, data={"csrf_token": token, **more})


def owed(row: Delivery) -> DeliveryRow:
    return DeliveryRow.of(row)


def told() -> list[Delivery]:
    db.session.rollback()
    return list(db.session.scalars(select(Delivery).where(Delivery.template == gone_notices.TEMPLATE)))


@pytest.mark.parametrize("state", GONE)
def test_each_way_of_being_gone_is_said_in_both_languages(client: FlaskClient, prop: Property, state: str) -> None:
    mark(prop, state)
    for language, words in zip(("ro", "en"), WORDS[state], strict=True):
        answer = client.get(f"/{language}{urlsplit(offer_url(prop)).path}")
        page = answer.get_data(as_text=True)
        assert answer.status_code == 410 and words in page and "+40 712 034 567" in page
    mark(prop, "available")
    assert client.get(urlsplit(offer_url(prop)).path).status_code == 200, "the same link, as it was set before"


def test_a_reservation_may_fall_through(client: FlaskClient, prop: Property) -> None:
    mark(prop, "reserved")
    assert client.get(urlsplit(offer_url(prop)).path).status_code == 200


def test_what_became_of_it_says_more_than_that_the_link_is_off(prop: Property) -> None:
    properties.change(fresh(prop), {"accepts_offers": False, "availability": "sold"}, by=SYSTEM)
    assert link_state(fresh(prop), prop.link_version) == "sold"
    assert link_state(fresh(prop), prop.link_version + 1) == "rotated"


@pytest.mark.parametrize("state", GONE)
def test_no_offer_passes_that_was_begun_before(either_app: Flask, state: str) -> None:
    agency = make_agency()
    agent = make_user(agency)
    prop = make_property(agency, agent.id)
    draft, sending = make_draft(), make_sending(prop)
    mark(prop, state)
    with pytest.raises(LinkClosed) as refused:
        submit(fresh(prop), draft, sending, by=BIDDER)
    assert refused.value.state == state
    with pytest.raises(Conflict):
        recording.record(fresh(prop), draft, make_sending(prop, source="agent"), by=SYSTEM)


def test_sold_while_offers_are_being_sent(either_app: Flask) -> None:
    agency = make_agency()
    prop = make_property(agency, make_user(agency).id)
    sendings = [(make_draft(), make_sending(prop)) for _ in range(4)]
    outcomes: list[tuple[datetime, object]] = []

    def send(one: tuple[Any, Any]) -> None:
        with either_app.app_context():
            try:
                done: object = submit(db.session.get_one(Property, prop.id), *one, by=BIDDER)
            except LinkClosed as closed:
                done = closed
            outcomes.append((now(), done))

    threads = [threading.Thread(target=send, args=(one,)) for one in sendings]
    for thread in threads[:2]:
        thread.start()
    mark(prop, "sold")
    for thread in threads[2:]:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(outcomes) == 4
    sold = db.session.scalars(
        select(LedgerEntry.seq).where(LedgerEntry.kind == "property.availability", LedgerEntry.agency_id == agency)
    ).one()
    sent = db.session.scalars(
        select(LedgerEntry.seq).where(LedgerEntry.kind == "offer.submitted", LedgerEntry.agency_id == agency)
    ).all()
    assert all(seq < sold for seq in sent)
    assert len(sent) + sum(isinstance(one, LinkClosed) and one.state == "sold" for _at, one in outcomes) == 4


def test_what_was_typed_is_given_back(client: FlaskClient, prop: Property) -> None:
    where = f"/o/{sign(OFFER_LINK, OfferLink(prop.id, prop.link_version))}"
    form = hidden(client.get(where).get_data(as_text=True))
    mark(prop, "sold")
    answer = client.post(where, data={**form, "full_name": "Ana Pop", "amount": "123.456", "step": "review"})
    page = answer.get_data(as_text=True)
    assert answer.status_code == 410 and "s-a vândut" in page and "Ana Pop" in page and "123.456" in page


def test_an_answer_to_a_better_offer_meets_it_too(client: FlaskClient, owner: User, prop: Property) -> None:
    offer_id = make_offer(prop)
    asking.ask([offer_id], now() + timedelta(days=2), None, by=person_of(owner))
    asked = db.session.scalars(select(OfferRequest)).one()
    where = f"/o/{sign(REQUEST, asked.id)}"
    mail = db.session.scalars(select(Delivery).where(Delivery.template == "offer_better")).one()
    assert client.get(where).status_code == 200
    mark(prop, "rented")
    answer = client.get(where)
    assert answer.status_code == 410 and "s-a închiriat" in answer.get_data(as_text=True)
    with pytest.raises(NoLongerOwed):
        registry().compose(owed(mail))
    with pytest.raises(IllegalTransition):
        asking.ask([offer_id], now() + timedelta(days=2), None, by=person_of(owner))


def test_pages_offer_no_way_that_leads_nowhere(client: FlaskClient, owner: User, prop: Property) -> None:
    offer_id = make_offer(prop)
    receipt = f"/r/{sign(RECEIPT, offer_id)}"
    assert "replaces=" in client.get(receipt).get_data(as_text=True)
    mark(prop, "sold")
    page = client.get(receipt).get_data(as_text=True)
    assert "replaces=" not in page and "s-a vândut" in page
    shown = client.get(f"/app/properties/{prop.id}").get_data(as_text=True)
    assert "share-url" not in shown and "Vândută" in shown and "/offers/new" not in shown
    assert client.get(f"/app/properties/{prop.id}/card").status_code == 404
    assert client.get(f"/app/properties/{prop.id}/qr.svg").status_code == 404
    assert client.get(f"/app/properties/{prop.id}/offers/new").status_code == 409
    assert str(prop.id) not in client.get("/app/offers/new").get_data(as_text=True)
    assert post(client, f"/app/properties/{prop.id}/accepts", on="1").status_code == 409
    listed = client.get("/app/properties?link=sold").get_data(as_text=True)
    assert str(prop.id) in listed and str(prop.id) not in client.get("/app/properties?link=open").get_data(as_text=True)


def test_the_agent_can_mark_it_too(client: FlaskClient, prop: Property) -> None:
    form = hidden(client.get(f"/app/properties/{prop.id}/edit").get_data(as_text=True))
    data = {**form, "title": prop.title, "property_type": "house", "currency": "EUR", "availability": "sold"}
    assert client.post(f"/app/properties/{prop.id}/edit", data=data).status_code == 303
    assert fresh(prop).availability == "sold"
    assert client.post(f"/app/properties/{prop.id}/edit", data={**data, "availability": "eaten"}).status_code == 422


def test_bidders_are_told_once_in_their_language_and_only_those_who_wait(
    client: FlaskClient, owner: User, prop: Property
) -> None:
    waiting = make_offer(prop, language="en")
    accepted, rejected = make_offer(prop), make_offer(prop)
    deciding.decide(accepted, owner.agency_id, "accepted", by=person_of(owner).actor)
    deciding.decide(rejected, owner.agency_id, "rejected", by=person_of(owner).actor)
    where = f"/app/properties/{prop.id}"
    assert "/tell" not in client.get(where).get_data(as_text=True)
    assert post(client, f"{where}/tell", tell="mail").status_code == 409, "it is still to be had"
    mark(prop, "sold")
    assert "/tell" in client.get(where).get_data(as_text=True)
    assert post(client, f"{where}/tell", tell="shout").status_code == 404
    assert post(client, f"{where}/tell", tell="mail").status_code == 303
    (mail,) = told()
    assert mail.offer_id == waiting and mail.due_at - mail.created_at >= deciding.UNDO
    letter = registry().compose(owed(mail))
    assert "The property has been sold" in str(letter.body) and str(letter.body) == str(
        registry().compose(owed(mail)).body
    )
    post(client, f"{where}/tell", tell="mail")
    assert len(told()) == 1 and '/tell"' not in client.get(where).get_data(as_text=True)
    mark(prop, "withdrawn")
    assert str(registry().compose(owed(told()[0])).body) == str(letter.body), "every try says the same"
    mark(prop, "available")
    with pytest.raises(NoLongerOwed):
        registry().compose(owed(told()[0]))
    mark(prop, "sold")
    assert "/tell" in client.get(where).get_data(as_text=True), "sold anew, it is asked anew"


def test_it_is_taken_back_within_ten_seconds(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    mark(prop, "sold")
    where = f"/app/properties/{prop.id}"
    at = datetime(2030, 3, 1, 9, 0, tzinfo=UTC)
    with time_machine.travel(at, tick=False) as clock:
        login(client, owner)
        post(client, f"{where}/tell", tell="mail")
        assert f"{where}/tell/undo" in client.get(where).get_data(as_text=True)
        clock.shift(9)
        with pytest.raises(Conflict):
            gone_notices.undo(fresh(prop), by=SYSTEM)
        post(client, f"{where}/tell/undo")
        assert [one.state for one in told()] == ["cancelled"] and fresh(prop).told_at is None
        post(client, f"{where}/tell", tell="nothing")
        assert len(told()) == 1 and fresh(prop).told_at is not None
        clock.shift(11)
        post(client, f"{where}/tell/undo")
        assert fresh(prop).told_at is not None, "too late"
    kinds = db.session.scalars(select(LedgerEntry.kind).where(LedgerEntry.object_id == prop.id)).all()
    assert kinds.count(gone_notices.TOLD) == 2 and "property.telling_undone" in kinds


def test_nobody_elses_property_can_be_told_about(client: FlaskClient, owner: User) -> None:
    other = make_agency("Alta")
    theirs = make_property(other, make_user(other).id)
    mark(theirs, "sold")
    assert post(client, f"/app/properties/{theirs.id}/tell", tell="mail").status_code == 404


def test_an_archived_link_does_not_come_back_by_an_undo(either_app: Flask) -> None:
    agency = make_agency()
    owner = make_user(agency, "owner")
    prop = make_property(agency, owner.id)
    offer_id, by = make_offer(prop), person_of(owner).actor
    made = deciding.decide_all(
        agency, [Chosen(offer_id)], AgencyAnswer("accepted"), by=by, outcome=Consequences(prop.id, close_link=True)
    )
    properties.archive(fresh(prop), by=by)
    assert isinstance(made, uuid.UUID)
    deciding.undo(made, agency, by=by)
    assert not fresh(prop).accepts_offers
