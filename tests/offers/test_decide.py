"""The answer to an offer: to browsers, to htmx, stale, impossible."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask.testing import FlaskClient
from sqlalchemy import select, update
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.errors import Conflict
from app.core.ledger import SYSTEM, Actor
from app.core.limits import MESSAGE, REASON
from app.core.unit_of_work import housekeeping
from app.delivery.composing import DeliveryRow
from app.delivery.registry import registry
from app.extensions import db
from app.models import Agency, Decision, Delivery, Offer, OfferState, Property, User
from app.offers import deciding, withdrawing
from app.offers.document import Bidder
from app.proof.register import verify_chain
from app.webhooks import editing as webhooks
from tests.factories import csrf, login, make_agency, make_draft, make_offer, make_property, make_user

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def offer(client: FlaskClient, owner: User) -> uuid.UUID:
    """An offer that the signed-in owner has opened: version 2, viewed."""
    offer = make_offer(make_property(owner.agency_id, owner.id))
    login(client, owner)
    client.get(f"/app/offers/{offer}")
    return offer


def state(offer: uuid.UUID) -> OfferState:
    db.session.rollback()
    return db.session.scalars(select(OfferState).where(OfferState.offer_id == offer)).one()


def answer(client: FlaskClient, *offers: uuid.UUID, status: str, version: int = 2, **more: Any) -> TestResponse:
    headers = more.pop("headers", None)
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    seen = [f"{offer}:{version}" for offer in offers]
    data = {"csrf_token": token, "status": status, "seen": seen, "next": f"/app/offers/{offers[0]}", **more}
    return client.post("/app/offers/decision", data=data, headers=headers)


def told() -> list[Delivery]:
    db.session.rollback()
    return list(db.session.scalars(select(Delivery).where(Delivery.template == "decision_bidder")))


def undo_form(client: FlaskClient, where: str) -> dict[str, str]:
    page = client.get(where).get_data(as_text=True)
    form = page[page.index('action="/app/offers/undo"') :]
    return dict(re.findall(r'name="(csrf_token|decision|next)" value="([^"]+)"', form)[:3])


def test_the_page_says_what_will_happen(client: FlaskClient, owner: User, offer: uuid.UUID) -> None:
    prop = state(offer).property_id
    other = make_offer(
        db.session.get_one(Property, prop), make_draft(bidder=Bidder("Maria Popa", "m@client.example", "+40722000112"))
    )
    page = client.get(f"/app/offers/decision?offer={offer}&status=accepted").get_data(as_text=True)
    assert "Andrei Țurcanu" in page and "Maria Popa" in page and "numai la notar" in page
    assert f'value="{offer}:2"' in page and f'value="{other}:1"' in page and 'name="close_link"' in page
    page = client.get(f"/app/offers/decision?offer={offer}&status=rejected").get_data(as_text=True)
    assert "Maria Popa" not in page and 'name="notify_bidder"' in page
    block = client.get(f"/app/offers/decision?offer={offer}&status=viewed", headers=HTMX).get_data(as_text=True)
    assert block.strip().startswith('<div id="decision"') and "notify_bidder" not in block


def test_the_page_says_whom_it_tells_and_whom_no_mail_reaches(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    mute = make_offer(prop, make_draft(bidder=Bidder("Ileana Fără", None, "+40722000113")))
    login(client, owner)
    asked = f"/app/offers/decision?offer={mute}&status=rejected"
    page = client.get(asked).get_data(as_text=True)
    assert 'name="notify_bidder"' not in page and 'href="tel:+40722000113"' in page and "CRM-ul" not in page
    webhooks.create(owner.agency_id, "https://crm.example/hook", ["offer.status_changed"], by=Actor("user", owner.id))
    page = client.get(f"{asked}&offer={make_offer(prop)}").get_data(as_text=True)
    assert "Anunță clientul prin e-mail" in page and 'href="tel:+40722000113"' in page
    assert "CRM-ul află peste zece secunde" in page


def test_a_withdrawn_offer_has_nothing_to_press_and_its_answer_is_409(
    client: FlaskClient, owner: User, offer: uuid.UUID
) -> None:
    withdrawing.withdraw(db.session.get_one(Offer, offer))
    for status in ("accepted", "rejected"):
        asked = f"/app/offers/decision?offer={offer}&status={status}"
        page = client.get(asked).get_data(as_text=True)
        assert (
            "Retrasă sau ștearsă" in page and 'name="seen"' not in page and 'action="/app/offers/decision"' not in page
        )
        refused = answer(client, offer, status=status, version=3)
        assert refused.status_code == 409 and state(offer).status == "viewed"
    stands = make_offer(db.session.get_one(Property, state(offer).property_id))
    page = client.get(f"{asked}&offer={stands}").get_data(as_text=True)
    assert re.findall(r'name="seen" value="([^"]+)"', page) == [f"{stands}:1"]
    assert "nu mai poate primi un răspuns: Andrei Țurcanu." in page


def test_an_offer_past_its_date_is_accepted_only_after_a_warning(client: FlaskClient, owner: User) -> None:
    prop = make_property(owner.agency_id, owner.id)
    late = make_offer(prop, make_draft(valid_until=now().date() + timedelta(days=1)))
    with time_machine.travel(now() + timedelta(days=3)):
        login(client, owner)
        page = client.get(f"/app/offers/decision?offer={late}&status=accepted").get_data(as_text=True)
        assert "a fost valabilă până la" in page and 'name="seen"' in page
        page = client.get(f"/app/offers/{late}").get_data(as_text=True)
        assert re.search(r"expirată</span>", page)


def test_every_page_that_says_accepted_says_once_that_it_is_no_contract(
    client: FlaskClient, owner: User, offer: uuid.UUID
) -> None:
    prop = state(offer).property_id
    other = make_offer(db.session.get_one(Property, prop))
    answer(client, offer, status="accepted")
    compared = f"/app/compare?offer={offer}&offer={other}"
    of_property = (f"/app/properties/{prop}", f"/app/properties/{prop}/order")
    asked = [f"/app/offers/decision?offer={offer}&status={status}" for status in ("accepted", "rejected")]
    for where in ("/app/offers", f"/app/offers/{offer}", compared, *of_property, "/app/stats", *asked):
        page = client.get(where).get_data(as_text=True)
        assert "Acceptată" in page and page.count("numai la notar") == 1, where


@pytest.mark.parametrize(
    "query", ["", "status=accepted", "offer=x&status=accepted", "offer={offer}", "offer={offer}&status=lost"]
)
def test_an_unreadable_question_is_404(client: FlaskClient, offer: uuid.UUID, query: str) -> None:
    assert client.get(f"/app/offers/decision?{query.format(offer=offer)}").status_code == 404


def test_a_browser_is_sent_back_to_where_it_was(client: FlaskClient, offer: uuid.UUID) -> None:
    response = answer(client, offer, status="accepted", reason="  prețul cerut  ")
    assert response.status_code == 303 and response.location == f"/app/offers/{offer}"
    assert state(offer).status == "accepted"
    page = client.get(response.location).get_data(as_text=True)
    assert "prețul cerut" in page and "numai la notar" in page
    assert answer(client, offer, status="viewed", version=3, next="//evil.example").location == "/app/offers"


def test_marked_as_new_it_is_unread_again(client: FlaskClient, offer: uuid.UUID) -> None:
    assert answer(client, offer, status="new", next="/app/offers").location == "/app/offers"
    assert state(offer).status == "new"
    client.get(f"/app/offers/{offer}")
    assert state(offer).status == "viewed"


def test_many_are_marked_as_new_where_all_were_viewed(client: FlaskClient, owner: User, offer: uuid.UUID) -> None:
    other = make_offer(db.session.get_one(Property, state(offer).property_id))
    deciding.decide(other, owner.agency_id, "accepted", by=Actor("user", owner.id))
    refused = answer(client, offer, other, status="new")
    assert refused.status_code == 409 and state(offer).status == "viewed"
    assert "Numai o ofertă marcată ca vizualizată" in refused.get_data(as_text=True)
    assert answer(client, other, status="viewed").status_code == 303
    assert answer(client, other, status="new", version=3).status_code == 303 and state(other).status == "new"


def test_a_stale_answer_is_refused_with_what_was_typed(client: FlaskClient, owner: User, offer: uuid.UUID) -> None:
    answer(client, offer, status="accepted")
    for headers in (None, HTMX):
        response = answer(client, offer, status="rejected", reason="motivul meu", headers=headers)
        body = response.get_data(as_text=True)
        assert response.status_code == 409 and "motivul meu" in body and f'value="{offer}:3"' in body
        assert f"{owner.full_name} a schimbat această ofertă" in body
    assert state(offer).status == "accepted"


def test_pressing_twice_decides_once(client: FlaskClient, offer: uuid.UUID) -> None:
    assert answer(client, offer, status="accepted").status_code == 303
    assert answer(client, offer, status="accepted").status_code == 303
    query = select(Decision).where(Decision.offer_id == offer, Decision.to_status == "accepted")
    assert len(db.session.scalars(query).all()) == 1


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"status": "lost"}, 404),
        ({"seen": "x"}, 404),
        ({"seen": []}, 404),
        ({"reason": "x" * (REASON + 1)}, 422),
        ({"message": "x" * (MESSAGE + 1)}, 422),
    ],
)
def test_an_unreadable_answer_changes_nothing(
    client: FlaskClient, offer: uuid.UUID, fault: dict[str, str], status: int
) -> None:
    assert answer(client, offer, **{"status": "accepted", **fault}).status_code == status
    assert state(offer).status == "viewed"


def test_the_bidder_is_told_only_when_asked_and_what_was_written(client: FlaskClient, offer: uuid.UUID) -> None:
    answer(client, offer, status="accepted", message="nu pleacă")
    assert told() == []
    answer(client, offer, status="rejected", version=3, notify_bidder="y", message="Mulțumim, am ales pe altcineva.")
    owed = told()[0]
    assert owed.due_at - owed.created_at == timedelta(seconds=10)
    letter = registry().compose(DeliveryRow.of(owed))
    assert "Mulțumim, am ales pe altcineva." in str(letter.body) and "am ales pe altcineva" in str(letter.html)


def test_many_are_answered_at_once_or_not_at_all(client: FlaskClient, owner: User, offer: uuid.UUID) -> None:
    prop = db.session.get_one(Property, state(offer).property_id)
    second, third = make_offer(prop), make_offer(prop)
    stale = answer(client, offer, second, third, status="rejected")  # the others are at version 1
    assert stale.status_code == 409 and {state(o).status for o in (offer, second, third)} == {"viewed", "new"}
    seen = [f"{offer}:2", f"{second}:1", f"{third}:1"]
    assert answer(client, offer, status="rejected", seen=seen, notify_bidder="y").status_code == 303
    assert {state(o).status for o in (offer, second, third)} == {"rejected"} and len(told()) == 3


def test_an_acceptance_may_decide_the_rest(client: FlaskClient, owner: User, offer: uuid.UUID) -> None:
    prop = db.session.get_one(Property, state(offer).property_id)
    others = [make_offer(prop), make_offer(prop)]
    more = {"others": "reject", "other": [f"{o}:1" for o in others], "others_message": "Ne pare rău", "close_link": "y"}
    assert answer(client, offer, status="accepted", **more).status_code == 303
    assert state(offer).status == "accepted" and {state(o).status for o in others} == {"rejected"}
    assert {d.offer_id for d in told()} == set(others)
    assert not db.session.get_one(Property, prop.id, populate_existing=True).accepts_offers
    form = undo_form(client, "/app/offers")
    assert client.post("/app/offers/undo", data=form).status_code == 303
    assert state(offer).status == "viewed" and {state(o).status for o in others} == {"new"}
    assert {d.state for d in told()} == {"cancelled"}
    assert db.session.get_one(Property, prop.id, populate_existing=True).accepts_offers
    assert verify_chain(db.session.get_one(Agency, owner.agency_id))[1] is None


def test_kept_in_reserve_the_others_stay(client: FlaskClient, offer: uuid.UUID) -> None:
    other = make_offer(db.session.get_one(Property, state(offer).property_id))
    answer(client, offer, status="accepted", others="keep", other=[f"{other}:1"], others_message="nu")
    assert state(other).status == "new" and told() == []


def test_undo_is_for_ten_seconds(client: FlaskClient, offer: uuid.UUID) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        answer(client, offer, status="accepted", notify_bidder="y")
        form = undo_form(client, "/app/offers")
        clock.shift(11)
        page = client.post("/app/offers/undo", data=form, follow_redirects=True).get_data(as_text=True)
        assert "Prea târziu" in page and state(offer).status == "accepted"
        assert [d.state for d in told()] == ["pending"]


def test_undo_never_calls_back_what_is_on_its_way(client: FlaskClient, offer: uuid.UUID) -> None:
    answer(client, offer, status="accepted", notify_bidder="y")
    form = undo_form(client, "/app/offers")
    with housekeeping() as connection:
        values = {"state": "leased", "lease_token": uuid.uuid4(), "lease_until": datetime.now(UTC)}
        connection.execute(update(Delivery).where(Delivery.template == "decision_bidder").values(values))
    client.post("/app/offers/undo", data=form)
    assert state(offer).status == "accepted"


def test_undo_is_not_for_somebody_elses_decision_or_one_overtaken(
    client: FlaskClient, owner: User, offer: uuid.UUID
) -> None:
    answer(client, offer, status="accepted")
    form = undo_form(client, "/app/offers")
    answer(client, offer, status="rejected", version=3)
    client.post("/app/offers/undo", data=form)
    assert state(offer).status == "rejected"
    last = db.session.scalars(select(Decision.id).where(Decision.to_status == "rejected")).one()
    with pytest.raises(Conflict):
        deciding.undo(last, owner.agency_id, by=SYSTEM)
    with pytest.raises(Conflict):
        deciding.undo(last, make_agency(), by=Actor("user", owner.id))
    assert client.post("/app/offers/undo", data={**form, "decision": "x"}).status_code == 404


def test_without_the_form_token_nothing_happens(client: FlaskClient, offer: uuid.UUID) -> None:
    response = client.post("/app/offers/decision", data={"status": "accepted", "seen": f"{offer}:2"})
    assert response.status_code == 400 and state(offer).status == "viewed"


def test_a_strangers_offer_spoils_the_whole_answer(client: FlaskClient, offer: uuid.UUID) -> None:
    stranger = make_user(make_agency("Alta"), "owner")
    theirs = make_offer(make_property(stranger.agency_id, stranger.id))
    assert client.get(f"/app/offers/decision?offer={offer}&offer={theirs}&status=accepted").status_code == 404
    assert answer(client, offer, status="rejected", seen=[f"{offer}:2", f"{theirs}:1"]).status_code == 404
    assert answer(client, offer, status="accepted", others="reject", other=[f"{theirs}:1"]).status_code == 404
    assert state(offer).status == "viewed" and state(theirs).status == "new"


def test_the_chain_holds_after_every_step(client: FlaskClient, owner: User, offer: uuid.UUID) -> None:
    answer(client, offer, status="accepted")
    answer(client, offer, status="viewed", version=3)
    client.get("/app/offers.csv")
    db.session.rollback()
    assert verify_chain(db.session.get_one(Agency, owner.agency_id))[1] is None
