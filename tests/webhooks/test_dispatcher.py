"""Webhook calls arrive at least once, signed, with one id and one body, and no receiver delays another."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
import svix.webhooks
import time_machine
from flask import Flask
from sqlalchemy import select

from app.core.access import get_offer
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.unit_of_work import housekeeping
from app.delivery.retry import next_try
from app.delivery.webhook_dispatcher import close_webhook_dispatcher, webhook_dispatcher
from app.extensions import db
from app.models import Attempt, Property, User
from app.offers import deciding
from app.outbound.http_client import DEADLINE
from app.properties import editing as properties
from tests import factories
from tests.outbound.servers import Receiver, Request, receiving, reply
from tests.webhooks.conftest import calls, endpoint_now, mails, make_due, make_endpoint, run, states, take


def test_an_offer_is_told_and_the_stock_packages_verify_it(
    either_app: Flask, owner: User, prop: Property, receiver: Receiver
) -> None:
    endpoint, secret = make_endpoint(owner, f"{receiver.url}/crm", ())
    offer = factories.make_offer(prop)
    assert run() == 1
    [request] = receiver.requests
    assert request.path == "/crm" and request.headers["content-type"] == "application/json"
    for package in (standardwebhooks.Webhook(secret), svix.webhooks.Webhook(secret)):
        package.verify(request.body.decode(), request.headers)
    body = json.loads(request.body)
    assert (body["type"], body["data"]["id"], body["actor"]["type"]) == ("offer.created", str(offer), "bidder")
    [call] = calls()
    assert (call.state, request.headers["webhook-id"]) == ("delivered", str(call.id))
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret.encode() not in endpoint.secret_ct and b"127.0.0.1" not in endpoint.url_ct


def test_a_changed_body_does_not_verify(owner: User, prop: Property, receiver: Receiver) -> None:
    _endpoint, secret = make_endpoint(owner, receiver.url)
    factories.make_offer(prop)
    run()
    [request] = receiver.requests
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(secret).verify(request.body.decode().replace("EUR", "RON"), request.headers)


def test_only_what_was_asked_for_is_sent(owner: User, prop: Property, receiver: Receiver) -> None:
    make_endpoint(owner, f"{receiver.url}/offers", ("offer.created", "offer.viewed"))
    make_endpoint(owner, f"{receiver.url}/all", ())
    offer, _state = get_offer(factories.person_of(owner), factories.make_offer(prop))
    deciding.view(offer, by=factories.person_of(owner))
    properties.archive(prop, by=SYSTEM)
    run()
    told = sorted((request.path, json.loads(request.body)["type"]) for request in receiver.requests)
    created = [("/all", "offer.created"), ("/all", "offer.viewed"), ("/all", "property.archived")]
    assert told == [*created, ("/offers", "offer.created"), ("/offers", "offer.viewed")]


def test_a_strangers_endpoint_hears_nothing(owner: User, prop: Property, receiver: Receiver) -> None:
    stranger = factories.make_user(factories.make_agency("Alta"), "owner")
    make_endpoint(stranger, receiver.url, ())
    factories.make_offer(prop)
    assert run() == 0 and receiver.requests == []


def test_id_and_body_stay_the_same_over_all_tries(either_app: Flask, owner: User, prop: Property) -> None:
    left = [500, 302, 404]
    with receiving(lambda _request: reply(left.pop(0) if left else 204, b"")) as receiver:
        make_endpoint(owner, receiver.url)
        factories.make_offer(prop)
        for _ in range(4):
            run()
            make_due()
        assert run() == 0
    assert len({(request.headers["webhook-id"], request.body) for request in receiver.requests}) == 1
    assert len(receiver.requests) == 4 and states() == ["delivered"]
    tried = db.session.scalars(select(Attempt).order_by(Attempt.n)).all()
    assert [attempt.code for attempt in tried] == [500, 302, 404, 204]


@pytest.mark.parametrize(("status", "state"), [(200, "delivered"), (204, "delivered"), (410, "dead")])
def test_what_answered_and_then_broke_off_has_answered(owner: User, prop: Property, status: int, state: str) -> None:
    def says(_request: Request) -> Iterator[bytes]:
        yield reply(status, b"thank you", Content_Length="9999")
        raise OSError

    with receiving(says) as receiver:
        make_endpoint(owner, receiver.url)
        factories.make_offer(prop)
        run()
        make_due()
        run()
        assert len(receiver.requests) == 1
    assert states() == [state]


def test_a_receiver_that_asks_for_time_gets_it(owner: User, prop: Property) -> None:
    at = datetime(2026, 11, 23, 12, tzinfo=UTC)
    due = next_try("webhook", at, at, 1, retry_after="Mon, 23 Nov 2026 13:00:00 GMT")
    assert due == at + timedelta(hours=1)
    with receiving(lambda _request: reply(429, Retry_After="600")) as receiver:
        make_endpoint(owner, receiver.url)
        factories.make_offer(prop)
        run()
    assert timedelta(seconds=590) < calls()[0].due_at - now() <= timedelta(seconds=600)


def test_gone_is_gone_and_the_owner_is_told(owner: User, prop: Property) -> None:
    with receiving(lambda _request: reply(410)) as receiver:
        make_endpoint(owner, receiver.url)
        factories.make_offer(prop)
        run()
        assert endpoint_now().off_reason == "gone" and states() == ["dead"]
        factories.make_offer(prop)
        run()
        assert len(receiver.requests) == 1 and states() == ["dead"]
    assert mails() == ["webhook_off"]


def test_owners_are_warned_at_the_fourth_failure_after_a_day_and_at_the_end(owner: User, prop: Property) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False) as clock, receiving(lambda _r: reply(500)) as receiver:
        make_endpoint(owner, receiver.url)
        factories.make_offer(prop)
        seen = []
        for hours in (0, 1, 1, 1, 24, 24, 24, 24, 24):
            clock.shift(timedelta(hours=hours))
            make_due()
            run()
            seen.append(mails())
        assert seen[:5] == [[], [], [], ["webhook_failing"], ["webhook_failing", "webhook_failing_long"]]
        assert seen[-1] == ["webhook_failing", "webhook_failing_long", "webhook_off"]
        assert endpoint_now().off_reason == "failing"


def test_success_forgets_earlier_failures(owner: User, prop: Property) -> None:
    left = [500]
    with receiving(lambda _request: reply(left.pop() if left else 200)) as receiver:
        make_endpoint(owner, receiver.url)
        factories.make_offer(prop)
        run()
        assert endpoint_now().failing_since
        make_due()
        run()
    assert endpoint_now().failing_since is None


def test_a_decision_is_told_after_ten_seconds_and_an_undone_one_never(
    either_app: Flask, owner: User, prop: Property, receiver: Receiver
) -> None:
    make_endpoint(owner, receiver.url, ("offer.status_changed",))
    by = factories.person_of(owner).actor
    kept, undone = factories.make_offer(prop), factories.make_offer(prop)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for offer in (kept, undone):
            assert deciding.decide(offer, owner.agency_id, "rejected", by=by)
            clock.shift(timedelta(seconds=1))
        run()
        assert receiver.requests == []
        made = db.session.scalars(select(deciding.Decision.id).where(deciding.Decision.offer_id == undone)).one()
        deciding.undo(made, owner.agency_id, by=by)
        clock.shift(timedelta(seconds=60))
        run()
    [request] = receiver.requests
    body = json.loads(request.body)
    assert (body["data"]["id"], body["data"]["status"], body["previous_status"]) == (str(kept), "rejected", "new")
    assert sorted(states()) == ["cancelled", "delivered"]


def test_one_slow_receiver_delays_no_other(owner: User, prop: Property, receiver: Receiver) -> None:
    """The slow one answers only once the other has everything, or not at all."""
    served = threading.Event()

    def dawdle(_request: Request) -> bytes:
        assert served.wait(120)
        return reply()

    with receiving(dawdle) as slow:
        make_endpoint(owner, slow.url)
        make_endpoint(owner, receiver.url)
        for _ in range(6):
            factories.make_offer(prop)
        webhook_dispatcher().notify()
        until = time.monotonic() + 60
        while len(receiver.requests) < 6 and time.monotonic() < until:
            time.sleep(0.02)
        assert len(receiver.requests) == 6 and slow.most_at_once == 2
        served.set()


def test_one_that_answered_at_once_and_then_stalls_delays_no_other(
    owner: User, prop: Property, receiver: Receiver
) -> None:
    stalled, over = threading.Event(), threading.Event()

    def answer(_request: Request) -> bytes:
        if stalled.is_set():
            over.wait(60)
        return reply()

    with receiving(answer) as other:
        make_endpoint(owner, other.url)
        make_endpoint(owner, receiver.url)
        for _ in range(4):
            factories.make_offer(prop)
        assert run() == 8
        stalled.set()
        for _ in range(6):
            factories.make_offer(prop)
        webhook_dispatcher().notify()
        until = time.monotonic() + DEADLINE - 1  # then a stalled call would end by itself
        while len(receiver.requests) < 10 and time.monotonic() < until:
            time.sleep(0.02)
        came = len(receiver.requests)
        over.set()
        assert came == 10


def test_two_processes_never_call_one_endpoint_more_than_twice_at_once(
    either_app: Flask, owner: User, prop: Property, receiver: Receiver
) -> None:
    make_endpoint(owner, receiver.url)
    for _ in range(5):
        factories.make_offer(prop)
    with housekeeping() as connection:
        assert len(take(connection, 3)) == 3
    with housekeeping() as connection:
        assert take(connection, 3) == [], "its two go to the first"


def test_a_crashed_call_is_taken_up_again(owner: User, prop: Property, receiver: Receiver) -> None:
    make_endpoint(owner, receiver.url)
    factories.make_offer(prop)
    with housekeeping() as connection:
        assert len(take(connection, 1)) == 1  # and then the process is killed
    assert run() == 0
    with time_machine.travel(now() + timedelta(seconds=46), tick=False):
        assert run() == 1
    assert states() == ["delivered"] and calls()[0].attempts == 2


def test_stopping_waits_for_what_is_under_way(running: Flask, owner: User, prop: Property) -> None:
    stopping = webhook_dispatcher()._stopping

    def dawdle(_request: Request) -> bytes:
        assert stopping.wait(DEADLINE)
        return reply()

    with receiving(dawdle) as slow:
        make_endpoint(owner, slow.url)
        for _ in range(4):
            factories.make_offer(prop)
        webhook_dispatcher().notify()
        until = time.monotonic() + DEADLINE
        while len(slow.requests) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        close_webhook_dispatcher(running)
    assert sorted(states()) == ["delivered", "delivered", "pending", "pending"]
    assert len(slow.requests) == 2
