"""A great many calls replayed, or ended with their endpoint: on SQLite everybody's writes wait for each turn of it."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import insert, select

from app.core.clock import now
from app.core.errors import QuotaOfDay, TooMany
from app.core.ledger import SYSTEM
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Agency, Delivery, Event, WebhookEndpoint
from app.webhooks import editing as webhooks
from app.webhooks import owing
from tests import factories

MANY = 23


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owing, "AT_ONCE", 5)


@pytest.fixture
def endpoint(either_app: Flask) -> WebhookEndpoint:
    """One that missed what happened before it was made."""
    agency_id = factories.make_agency()
    rows = [{"agency_id": agency_id, "seq": n, "at": now(), "type": "property.updated", "body_ct": b"x"}
            for n in range(1, MANY + 1)]  # fmt: skip
    with housekeeping() as connection:
        connection.execute(insert(Event), rows)
    return webhooks.get_endpoint(agency_id, webhooks.create(agency_id, "https://crm.example/", by=SYSTEM)[0])


def calls(state: str) -> list[uuid.UUID]:
    db.session.rollback()
    return list(db.session.scalars(select(Delivery.id).where(Delivery.state == state)))


def most_in_one_turn(moment: Any) -> int:
    """The most deliveries that share a moment: all that one turn writes has the same."""
    db.session.rollback()
    return max(Counter(db.session.scalars(select(moment))).values())


def of(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    db.session.rollback()
    return db.session.scalars(select(WebhookEndpoint)).one()


def test_many_are_owed_and_ended_some_at_a_time(endpoint: WebhookEndpoint) -> None:
    since = now() - timedelta(days=1)
    assert webhooks.replay(of(endpoint), since, by=SYSTEM) == MANY
    assert len(calls("pending")) == MANY and most_in_one_turn(Delivery.created_at) == 5
    assert webhooks.replay(of(endpoint), since, by=SYSTEM) == 0
    webhooks.change(of(endpoint), on=False, by=SYSTEM)
    assert len(calls("dead")) == MANY and most_in_one_turn(Delivery.ended_at) == 5
    webhooks.change(of(endpoint), on=True, by=SYSTEM)
    assert webhooks.replay(of(endpoint), since, by=SYSTEM) == MANY
    assert len(calls("pending")) == MANY and most_in_one_turn(Delivery.due_at) == 5
    webhooks.remove(of(endpoint), by=SYSTEM)
    assert len(calls("cancelled")) == MANY and most_in_one_turn(Delivery.ended_at) == 5


def test_what_is_turned_on_again_meanwhile_keeps_what_it_is_owed(endpoint: WebhookEndpoint) -> None:
    webhooks.replay(of(endpoint), now() - timedelta(days=1), by=SYSTEM)
    owing.end_all(endpoint.agency_id, endpoint.id, lambda _tx: pytest.fail("it is on"))
    assert len(calls("pending")) == MANY


def test_what_is_turned_off_meanwhile_is_owed_nothing_more(endpoint: WebhookEndpoint) -> None:
    webhooks.change(of(endpoint), on=False, by=SYSTEM)
    owing.owe_all(endpoint.agency_id, endpoint.id, now() - timedelta(days=1))
    assert not calls("pending") and not owing.replaying


def test_an_agency_replays_one_thing_at_a_time(endpoint: WebhookEndpoint) -> None:
    """Each takes a thread of the web for as long as it lasts."""
    owing.replaying.add(endpoint.agency_id)
    try:
        with pytest.raises(TooMany):
            webhooks.replay(of(endpoint), now() - timedelta(days=1), by=SYSTEM)
    finally:
        owing.replaying.clear()
    assert not calls("pending")


def test_replays_count_towards_the_quota(endpoint: WebhookEndpoint) -> None:
    """New endpoints, each replaying all that ever happened, would else grow the database without end."""
    written = {"used_on": now().date(), "day_bytes": 10**12}
    with housekeeping() as connection:
        connection.execute(Agency.__table__.update().values(**written))
    with pytest.raises(QuotaOfDay):
        webhooks.replay(of(endpoint), now() - timedelta(days=1), by=SYSTEM)
