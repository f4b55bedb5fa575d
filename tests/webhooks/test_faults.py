"""Whatever fails on our side, or is said on theirs: every call is made, and no attempt counted without one."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.unit_of_work import housekeeping
from app.delivery import webhook_dispatcher as jobs
from app.delivery import webhook_sender
from app.extensions import db
from app.models import Attempt, Delivery, Property
from app.webhooks import editing as webhooks
from tests import factories
from tests.outbound.servers import Receiver, Request, receiving, reply

CALLS = 6
AWAY = OperationalError("UPDATE", {}, Exception("the database is away"))


@pytest.fixture
def prop(running: Flask) -> Property:
    user = factories.make_user(factories.make_agency(), "owner")
    return factories.make_property(user.agency_id, user.id)


def owe(prop: Property, receiver: Receiver, calls: int = CALLS) -> None:
    webhooks.create(prop.agency_id, receiver.url, ("offer.created",), by=SYSTEM)
    for _ in range(calls):
        factories.make_offer(prop)
    db.session.rollback()


def fail_once(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    """Have a function fail the first time that it has something to do."""
    real: Callable[..., Any] = getattr(module, name)
    left = [AWAY]

    def act(*given: Any) -> Any:
        if left and all(given):
            raise left.pop()
        return real(*given)

    monkeypatch.setattr(module, name, act)


def found() -> list[tuple[str, int]]:
    """The state of every call, and how many attempts it counts."""
    db.session.rollback()
    query = select(Delivery.state, Delivery.attempts).where(Delivery.kind == "webhook")
    return [(row.state, row.attempts) for row in db.session.execute(query)]


def attempts() -> int:
    return db.session.scalar(select(func.count()).select_from(Attempt)) or 0


def wait_for(done: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while not done() and time.monotonic() < until:
        time.sleep(0.02)
    assert done()


def test_a_database_that_is_away_when_outcomes_are_written_down(
    either_app: Flask, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, jobs, "record")
    with receiving() as receiver:
        owe(prop, receiver)
        jobs.webhook_dispatcher().notify()
        wait_for(lambda: found() == [("delivered", 1)] * CALLS)
    assert len(receiver.requests) == attempts() == CALLS


def test_a_database_that_is_away_for_the_last_outcomes(
    running: Flask, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = jobs.webhook_dispatcher()._stopping

    def dawdle(_request: Request) -> bytes:
        assert stopping.wait(60)
        return reply()

    fail_once(monkeypatch, jobs, "record")
    with receiving(dawdle) as receiver:
        owe(prop, receiver, 2)
        jobs.webhook_dispatcher().notify()
        wait_for(lambda: len(receiver.requests) == 2)
        jobs.close_webhook_dispatcher(running)
    assert found() == [("delivered", 1)] * 2 and attempts() == 2


def test_a_database_that_is_away_for_what_the_endpoint_makes_of_it(
    prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_once(monkeypatch, jobs, "_note")
    with receiving() as receiver:
        owe(prop, receiver)
        assert jobs.webhook_dispatcher().run() == CALLS
    assert found() == [("delivered", 1)] * CALLS and len(receiver.requests) == CALLS


def retried(receiver: Receiver) -> None:
    """Each call fails once, and arrives when it is tried again."""
    assert jobs.webhook_dispatcher().run() < CALLS
    assert {state for state, _count in found()} <= {"pending", "delivered"}
    with housekeeping() as connection:
        connection.execute(update(Delivery).where(Delivery.state == "pending").values(due_at=now()))
    jobs.webhook_dispatcher().run()
    assert {state for state, _count in found()} == {"delivered"}
    assert len(receiver.requests) == attempts() == sum(count for _state, count in found())


def test_a_date_that_no_calendar_has(prop: Property) -> None:
    asked = "Mon, 01 Jan 99999999999 00:00:00 GMT"
    left = [reply(503, Retry_After=asked)] * CALLS
    with receiving(lambda _request: left.pop() if left else reply()) as receiver:
        owe(prop, receiver)
        retried(receiver)
    assert attempts() == 2 * CALLS


def test_a_fault_of_ours_is_a_failed_try(prop: Property, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_once(monkeypatch, webhook_sender, "seal")
    with receiving() as receiver:
        owe(prop, receiver)
        retried(receiver)
    assert attempts() == CALLS + 1
