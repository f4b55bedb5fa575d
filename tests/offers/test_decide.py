"""The answer to an offer: to browsers, to htmx, stale, impossible."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.extensions import db
from app.models import Agency, Decision, Delivery, OfferState, User
from app.queries.ledger import verify_chain
from tests.factories import csrf, login, make_agency, make_offer, make_property, make_user

HTMX = {"HX-Request": "true", "HX-Request-Type": "partial"}


@pytest.fixture
def owner(app: Flask) -> User:
    return make_user(make_agency(), "owner")


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


def answer(client: FlaskClient, offer: uuid.UUID, status: str, **more: Any) -> TestResponse:
    headers = more.pop("headers", None)
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    data = {"csrf_token": token, "status": status, "version": "2", **more}
    return client.post(f"/app/offers/{offer}/status", data=data, headers=headers)


def test_a_browser_is_sent_back_to_the_offer(client: FlaskClient, offer: uuid.UUID) -> None:
    response = answer(client, offer, "accepted", reason="  prețul cerut  ")
    assert response.status_code == 303 and response.location == f"/app/offers/{offer}"
    assert state(offer).status == "accepted"
    page = client.get(response.location).get_data(as_text=True)
    assert "prețul cerut" in page and "numai la notar" in page


def test_htmx_gets_the_block_and_a_toast(client: FlaskClient, offer: uuid.UUID) -> None:
    response = answer(client, offer, "rejected", headers=HTMX)
    body = response.get_data(as_text=True)
    assert response.status_code == 200 and body.strip().startswith('<div id="offer-view"')
    assert json.loads(response.headers["HX-Trigger"])["toast"]["text"].endswith("respinsă")
    assert response.headers["HX-Trigger"].isascii()


def test_marked_as_new_it_is_unread_again(client: FlaskClient, offer: uuid.UUID) -> None:
    assert answer(client, offer, "new").location == "/app/offers"
    assert state(offer).status == "new"
    client.get(f"/app/offers/{offer}")
    assert state(offer).status == "viewed"


def test_a_stale_answer_is_refused_with_what_was_typed(client: FlaskClient, offer: uuid.UUID) -> None:
    answer(client, offer, "accepted")
    for headers in (None, HTMX):
        response = answer(client, offer, "rejected", reason="motivul meu", headers=headers)
        body = response.get_data(as_text=True)
        assert response.status_code == 409 and "motivul meu" in body and 'name="version" value="3"' in body
    assert state(offer).status == "accepted"


def test_pressing_twice_decides_once(client: FlaskClient, offer: uuid.UUID) -> None:
    assert answer(client, offer, "accepted").status_code == 303
    assert answer(client, offer, "accepted").status_code == 303
    query = select(Decision).where(Decision.offer_id == offer, Decision.to_status == "accepted")
    assert len(db.session.scalars(query).all()) == 1


@pytest.mark.parametrize("fault", [{"status": "lost"}, {"version": "x"}, {"version": ""}, {"reason": "x" * 1001}])
def test_an_unreadable_answer_is_422_and_changes_nothing(
    client: FlaskClient, offer: uuid.UUID, fault: dict[str, str]
) -> None:
    data = {"status": "accepted", **fault}
    assert answer(client, offer, data.pop("status"), **data).status_code == 422
    assert state(offer).status == "viewed"


def test_the_bidder_is_told_only_when_asked(client: FlaskClient, offer: uuid.UUID) -> None:
    def told() -> int:
        db.session.rollback()
        return len(db.session.scalars(select(Delivery).where(Delivery.template == "decision_bidder")).all())

    answer(client, offer, "accepted")
    assert told() == 0
    answer(client, offer, "rejected", version="3", notify_bidder="y")
    assert told() == 1


def test_without_the_form_token_nothing_happens(client: FlaskClient, offer: uuid.UUID) -> None:
    response = client.post(f"/app/offers/{offer}/status", data={"status": "accepted", "version": "2"})
    assert response.status_code == 400 and state(offer).status == "viewed"


def test_the_chain_holds_after_every_step(client: FlaskClient, owner: User, offer: uuid.UUID) -> None:
    answer(client, offer, "accepted")
    answer(client, offer, "viewed", version="3")
    client.get("/app/offers.csv")
    db.session.rollback()
    assert verify_chain(db.session.get_one(Agency, owner.agency_id))[1] is None
