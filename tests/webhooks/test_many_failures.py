"""Very many calls that fail at once: what they say of their endpoint is written once, not once for each."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import pytest

from app.core.unit_of_work import UnitOfWork, writing
from app.delivery import webhook_dispatcher
from app.models import Property, User
from app.webhooks import editing as webhooks
from tests import factories
from tests.outbound.servers import receiving, reply
from tests.webhooks.conftest import calls, endpoint_now, mails, make_due, make_endpoint, run, states

MANY = 12


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What endpoints were written about."""
    made: list[Any] = []

    def counted(agency_id: Any) -> AbstractContextManager[UnitOfWork]:
        made.append(agency_id)
        return writing(agency_id)

    monkeypatch.setattr(webhooks, "writing", counted)
    return made


def test_many_failures_are_one_write_and_then_none(owner: User, prop: Property, writes: list[Any]) -> None:
    codes = [500]
    with receiving(lambda _request: reply(codes[0])) as receiver:
        make_endpoint(owner, receiver.url)
        for _ in range(MANY):
            factories.make_offer(prop)
        writes.clear()
        run()
        assert len(writes) == 1 and endpoint_now().failing_since and states() == ["pending"] * MANY
        for _ in range(2):
            make_due()
            run()
        assert len(writes) == 1, "there was nothing new"
        make_due()
        run()
        assert len(writes) == 2 and mails() == ["webhook_failing"]
        codes[0] = 200
        make_due()
        assert run() == MANY and endpoint_now().failing_since is None
    assert {call.attempts for call in calls()} == {5}


def test_of_many_the_one_that_says_gone_counts(owner: User, prop: Property) -> None:
    answers = [500] * (MANY - 1) + [410]
    with receiving(lambda _request: reply(answers.pop() if len(answers) % 3 else answers.pop(0))) as receiver:
        make_endpoint(owner, receiver.url)
        for _ in range(MANY):
            factories.make_offer(prop)
        run()
    assert endpoint_now().off_reason == "gone" and mails() == ["webhook_off"]


def test_endpoints_long_gone_are_not_remembered(owner: User, prop: Property, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_dispatcher, "KNOWN", 3)
    with receiving() as receiver:
        for _ in range(8):
            endpoint, _secret = make_endpoint(owner, receiver.url)
            factories.make_offer(prop)
            assert run() == 1
            webhooks.remove(webhooks.get_endpoint(owner.agency_id, endpoint.id), by=factories.person_of(owner).actor)
    assert len(webhook_dispatcher.webhook_dispatcher()._endpoints) <= 3
