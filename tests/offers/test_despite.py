"""What speaks against accepting an offer is asked about, by name, and what was said is in the register."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.core.clock import now
from app.core.errors import Conflict, UnnamedConcern
from app.core.ledger import BIDDER, SYSTEM, Actor
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import Agency, LedgerEntry, Offer, OfferState, Property, User
from app.offers import deciding
from app.offers.concerns import KINDS
from app.offers.deciding import AgencyAnswer, Chosen, Consequences
from app.offers.replacing import Grounds
from app.offers.submitting import FACTS, prepare, store
from app.proof.register import offer_faults
from app.properties import editing as properties
from app.properties import syncing
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_sending, make_user

LATER = timedelta(days=9)


@pytest.fixture
def owner(either_app: Flask) -> User:
    return make_user(make_agency(), "owner")


def replacing(offer_id: uuid.UUID) -> uuid.UUID:
    """A later offer in its place, as store itself does it: who may do so is another rule."""
    offer = db.session.get_one(Offer, offer_id)
    prop = db.session.execute(FACTS.where(Property.id == offer.property_id)).one()
    sealed, sending = prepare(offer.agency_id, make_draft()), make_sending(prop, grounds=Grounds(offer_id, "code"))
    with writing(offer.agency_id) as tx:
        store(tx, prop, sealed, sending, by=BIDDER)
    return sealed.offer_id


def doubtful(owner: User, *kinds: str) -> uuid.UUID:
    """An offer against which just this speaks, once `LATER` has passed."""
    prop = make_property(owner.agency_id, owner.id)
    valid = now().date() + timedelta(days=3) if "expired" in kinds else None
    offer = make_offer(prop, make_draft(valid_until=valid))
    if "second" in kinds:
        deciding.decide(make_offer(prop), owner.agency_id, "accepted", by=SYSTEM)
    if "replaced" in kinds:
        replacing(offer)
    if "gone" in kinds:
        properties.change(db.session.get_one(Property, prop.id), {"availability": "sold"}, by=SYSTEM)
    if "archived" in kinds:
        properties.archive(db.session.get_one(Property, prop.id), by=SYSTEM)
    return offer


def status(offer: uuid.UUID) -> str:
    db.session.rollback()
    return db.session.scalars(select(OfferState.status).where(OfferState.offer_id == offer)).one()


def recorded(offer: uuid.UUID) -> Any:
    """What the register says last of an offer's decision."""
    query = select(LedgerEntry.body).where(LedgerEntry.object_id == offer, LedgerEntry.kind == "offer.decided")
    db.session.rollback()
    return json.loads(db.session.scalars(query.order_by(LedgerEntry.seq.desc())).first() or b'{"data": {}}')["data"]


@pytest.mark.parametrize("kinds", [some for n in (1, 2, 5) for some in combinations(KINDS, n)], ids="+".join)
def test_each_has_to_be_named_and_what_was_is_kept(owner: User, kinds: tuple[str, ...]) -> None:
    offer, by = doubtful(owner, *kinds), Actor("user", owner.id)
    agency = owner.agency_id
    with time_machine.travel(now() + LATER, tick=False):
        for said in ((), kinds[1:], set(KINDS) - {kinds[0]}):
            with pytest.raises(UnnamedConcern) as unsaid:
                deciding.decide(offer, agency, "accepted", by=by, despite=said)
            assert set(unsaid.value.despite) == set(kinds) and status(offer) == "new"
        assert deciding.decide(offer, agency, "accepted", by=by, despite=kinds)
    assert status(offer) == "accepted" and recorded(offer)["despite"] == sorted(kinds)
    assert [*offer_faults(db.session.get_one(Agency, agency))] == []


def test_only_accepting_is_asked_about_and_what_was_not_needed_is_not_kept(owner: User) -> None:
    by = Actor("user", owner.id)
    offer = doubtful(owner, *KINDS)
    with time_machine.travel(now() + LATER, tick=False):
        for to in ("viewed", "rejected"):
            assert deciding.decide(offer, owner.agency_id, to, by=by)
        assert "despite" not in recorded(offer)
        sound = make_offer(make_property(owner.agency_id, owner.id))
        assert deciding.decide(sound, owner.agency_id, "accepted", by=by, despite=KINDS)
        assert "despite" not in recorded(sound)


def test_an_offer_stands_on_its_last_day_at_the_agency(owner: User) -> None:
    offer = make_offer(make_property(owner.agency_id, owner.id), make_draft(valid_until=now().date()))
    assert deciding.decide(offer, owner.agency_id, "accepted", by=SYSTEM)


def test_of_two_accepted_at_once_the_second_is_asked_about(owner: User) -> None:
    prop, by = make_property(owner.agency_id, owner.id), Actor("user", owner.id)
    first, second = (Chosen(make_offer(prop)) for _ in range(2))
    with pytest.raises(UnnamedConcern):
        deciding.decide_all(owner.agency_id, [first, second], AgencyAnswer("accepted"), by=by)
    assert status(first.offer_id) == status(second.offer_id) == "new", "all or none"
    both = [replace(one, despite=frozenset({"second"})) for one in (first, second)]
    assert deciding.decide_all(owner.agency_id, both, AgencyAnswer("accepted"), by=by)
    assert "despite" not in recorded(first.offer_id) and recorded(second.offer_id)["despite"] == ["second"]


def test_one_that_was_withdrawn_after_it_was_accepted_stands_in_nobodys_way(owner: User) -> None:
    from app.offers import withdrawing

    prop = make_property(owner.agency_id, owner.id)
    first = make_offer(prop)
    deciding.decide(first, owner.agency_id, "accepted", by=SYSTEM)
    withdrawing.withdraw(db.session.get_one(Offer, first))
    assert deciding.decide(make_offer(prop), owner.agency_id, "accepted", by=SYSTEM)


def test_undo_takes_it_back_and_accepting_again_is_asked_again(owner: User) -> None:
    offer, by = doubtful(owner, "second", "archived"), Actor("user", owner.id)
    chosen = Chosen(offer, despite=frozenset({"second", "archived"}))
    made = deciding.decide_all(owner.agency_id, [chosen], AgencyAnswer("accepted"), by=by)
    assert made and deciding.undo(made, owner.agency_id, by=by) == [offer]
    assert status(offer) == "new" and "despite" not in recorded(offer)
    with pytest.raises(UnnamedConcern):
        deciding.decide(offer, owner.agency_id, "accepted", by=by)


def test_undo_makes_no_second_one_that_nobody_was_asked_about(owner: User) -> None:
    prop, by = make_property(owner.agency_id, owner.id), Actor("user", owner.id)
    first, second = make_offer(prop), make_offer(prop)
    deciding.decide(first, owner.agency_id, "accepted", by=by)
    made = deciding.decide_all(owner.agency_id, [Chosen(first)], AgencyAnswer("rejected"), by=by)
    deciding.decide(second, owner.agency_id, "accepted", by=SYSTEM)
    assert made
    with pytest.raises(Conflict):
        deciding.undo(made, owner.agency_id, by=by)
    assert (status(first), status(second)) == ("rejected", "accepted")


@pytest.mark.parametrize("meanwhile", ["archived", "sold", "sold in a batch", "expired", "nothing", "before"])
def test_undo_accepts_nothing_again_that_would_be_asked_about_now(owner: User, meanwhile: str) -> None:
    by, at = (
        Actor("user", owner.id),
        now().replace(hour=21, minute=59, second=55),
    )  # five seconds to midnight in Romania
    prop = make_property(owner.agency_id, owner.id, external_id="CRM-1")
    with time_machine.travel(at, tick=False) as clock:
        last = at.date() if meanwhile == "expired" else None
        offer = make_offer(prop, make_draft(valid_until=last))
        deciding.decide(offer, owner.agency_id, "accepted", by=by)
        clock.shift(1)
        if meanwhile == "before":  # it was accepted, and then archived: that much stood when it was rejected
            properties.archive(db.session.get_one(Property, prop.id), by=SYSTEM)
        clock.shift(1)
        made = deciding.decide_all(
            owner.agency_id, [Chosen(offer)], AgencyAnswer("rejected", notify_bidder=True), by=by
        )
        clock.shift(1)
        prop = db.session.get_one(Property, prop.id)
        if meanwhile == "archived":
            properties.archive(prop, by=SYSTEM)
        elif meanwhile == "sold":
            properties.change(prop, {"availability": "sold"}, by=SYSTEM)
        elif meanwhile == "sold in a batch":
            syncing.change(prop.id, owner.agency_id, syncing.SentProperty({"availability": "sold"}), by=SYSTEM)
        clock.shift(7 if meanwhile == "expired" else 1)
        assert made
        if meanwhile in {"nothing", "before"}:
            assert deciding.undo(made, owner.agency_id, by=by) == [offer]
        else:
            with pytest.raises(UnnamedConcern):
                deciding.undo(made, owner.agency_id, by=by)
    assert status(offer) == ("accepted" if meanwhile in {"nothing", "before"} else "rejected")


@pytest.mark.parametrize("meanwhile", ["sold", "switched"])
def test_undo_opens_no_link_that_was_closed_since_for_another_reason(owner: User, meanwhile: str) -> None:
    by, prop = Actor("user", owner.id), make_property(owner.agency_id, owner.id)
    offer = make_offer(prop)
    outcome = Consequences(prop.id, close_link=True)
    made = deciding.decide_all(owner.agency_id, [Chosen(offer)], AgencyAnswer("accepted"), by=by, outcome=outcome)
    changes: list[dict[str, Any]] = [{"accepts_offers": True}, {"accepts_offers": False}]
    for values in [{"availability": "sold"}] if meanwhile == "sold" else changes:
        properties.change(db.session.get_one(Property, prop.id), values, by=SYSTEM)
    assert made and deciding.undo(made, owner.agency_id, by=by) == [offer]
    db.session.expire_all()
    assert not db.session.get_one(Property, prop.id).accepts_offers


def form_of(page: str) -> dict[str, list[str]]:
    """What a press of the dialog's button sends."""
    form = page[page.index('/app/offers/decision"') :]
    sent: dict[str, list[str]] = {}
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form):
        sent.setdefault(name, []).append(value)
    return sent


def asked(client: FlaskClient, *offers: uuid.UUID, lang: str = "/en") -> str:
    named = "".join(f"&offer={offer}" for offer in offers)
    return client.get(f"{lang}/app/offers/decision?status=accepted{named}").get_data(as_text=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_dialog_asks_by_name_and_does_nothing_without_the_tick(app: Flask, client: FlaskClient, kind: str) -> None:
    owner = make_user(make_agency(), "owner")
    offer = doubtful(owner, kind)
    with time_machine.travel(now() + LATER):
        login(client, owner)
        page = asked(client, offer)
        assert page.count('name="despite"') == 1 and f'value="{kind}"' in page
        assert (
            "Before you accept" in page and " checked" not in page[page.index('id="despite"') :].split("</fieldset>")[0]
        )
        assert "Înainte de a accepta" in asked(client, offer, lang="/ro")
        sent = form_of(page)
        assert sent["asked"] == [f"{kind}:{offer}"]
        refused = client.post("/en/app/offers/decision", data=sent)
        assert refused.status_code == 422 and "Nothing was decided" in refused.get_data(as_text=True)
        others = [other for other in KINDS if other != kind]
        assert client.post("/app/offers/decision", data={**sent, "despite": others}).status_code == 422
        assert status(offer) != "accepted"
        assert client.post("/app/offers/decision", data={**sent, "despite": [kind]}).status_code == 303
        assert status(offer) == "accepted" and recorded(offer)["despite"] == [kind]
        shown = client.get(f"/en/app/offers/{offer}").get_data(as_text=True)
        assert "accepted, although" in shown


def test_a_tick_is_good_only_for_the_offers_it_was_asked_of(app: Flask, client: FlaskClient) -> None:
    """Two in one dialog; one of them is replaced after it was shown, before the button is pressed."""
    owner = make_user(make_agency(), "owner")
    first, second = doubtful(owner, "archived"), make_offer(make_property(owner.agency_id, owner.id))
    login(client, owner)
    sent = form_of(asked(client, first, second))
    assert sent["asked"] == [f"archived:{first}"]
    prop = db.session.get_one(Property, db.session.get_one(Offer, second).property_id)
    properties.archive(prop, by=SYSTEM)
    answer = client.post("/en/app/offers/decision", data={**sent, "despite": "archived"})
    assert answer.status_code == 422 and status(first) == status(second) == "new"
    again = form_of(answer.get_data(as_text=True))
    assert len(again["asked"]) == 2
    assert client.post("/app/offers/decision", data={**again, "despite": "archived"}).status_code == 303
    assert status(first) == status(second) == "accepted"


def test_of_two_people_who_accept_one_each_the_later_is_asked(app: Flask, client: FlaskClient) -> None:
    owner = make_user(make_agency(), "owner")
    prop = make_property(owner.agency_id, owner.id)
    first, second = make_offer(prop), make_offer(prop)
    login(client, owner)
    page = asked(client, second)
    assert 'id="despite"' not in page
    deciding.decide(first, owner.agency_id, "accepted", by=SYSTEM)
    answer = client.post("/en/app/offers/decision", data=form_of(page))
    assert answer.status_code == 422 and 'value="second"' in answer.get_data(as_text=True)
    assert status(second) == "new"


def test_many_at_once_are_asked_about_together(app: Flask, client: FlaskClient) -> None:
    owner = make_user(make_agency(), "owner")
    prop = make_property(owner.agency_id, owner.id)
    offers = [make_offer(prop) for _ in range(3)]
    login(client, owner)
    page = asked(client, *offers)
    sent = form_of(page)
    assert page.count('name="despite"') == 1 and len(sent["asked"]) == 3
    assert client.post("/app/offers/decision", data=sent).status_code == 422
    assert {status(one) for one in offers} == {"new"}
    assert client.post("/app/offers/decision", data={**sent, "despite": "second"}).status_code == 303
    assert {status(one) for one in offers} == {"accepted"}
