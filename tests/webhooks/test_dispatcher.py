"""Webhook calls arrive at least once, signed, with one id and one body, and no receiver delays another."""

from __future__ import annotations

import base64
import dataclasses
import ipaddress
import json
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import standardwebhooks
import svix.webhooks
import time_machine
from flask import Flask
from sqlalchemy import Connection, func, select, update

from app.core.access import get_offer
from app.core.clock import now
from app.core.errors import Conflict, Invalid
from app.core.ledger import SYSTEM
from app.core.unit_of_work import housekeeping
from app.delivery.queue import Claimed, claim
from app.delivery.retry import next_try
from app.delivery.scheduling import by_endpoint
from app.delivery.webhook_dispatcher import close_webhook_dispatcher, webhook_dispatcher
from app.extensions import db
from app.models import Attempt, Delivery, Property, User, WebhookEndpoint
from app.offers import deciding
from app.outbound.http_client import DEADLINE
from app.properties import editing as properties
from app.webhooks import editing as webhooks
from tests import factories
from tests.outbound.servers import Receiver, Request, receiving, reply


def take(connection: Connection, room: int) -> list[Claimed]:
    """Claim as another process would."""
    return claim(connection, "webhook", by_endpoint(uuid.uuid4(), lambda _endpoint: room, 40))


LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
def running(request: pytest.FixtureRequest) -> Iterator[Flask]:
    """The application, free to call the loopback."""
    app: Flask = request.getfixturevalue("either_app" if "either_app" in request.fixturenames else "app")
    settings = app.extensions["bidflux_settings"]
    app.extensions["bidflux_settings"] = dataclasses.replace(settings, webhook_allow_networks=LOOPBACK)
    yield app
    close_webhook_dispatcher(app)


@pytest.fixture
def owner(running: Flask) -> User:
    return factories.make_user(factories.make_agency(), "owner")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


def make_endpoint(owner: User, url: str, events: tuple[str, ...] = ("offer.created",)) -> tuple[WebhookEndpoint, str]:
    endpoint_id, secret = webhooks.create(owner.agency_id, url, events, by=SYSTEM)
    return webhooks.get_endpoint(owner.agency_id, endpoint_id), secret


def run() -> int:
    db.session.rollback()
    return webhook_dispatcher().run()


def calls() -> list[Delivery]:
    db.session.rollback()
    return list(db.session.scalars(select(Delivery).where(Delivery.kind == "webhook").order_by(Delivery.created_at)))


def states() -> list[str]:
    return [call.state for call in calls()]


def endpoint_now() -> WebhookEndpoint:
    db.session.rollback()
    return db.session.scalars(select(WebhookEndpoint)).one()


def mails() -> list[str]:
    db.session.rollback()
    return sorted(db.session.scalars(select(Delivery.template).where(Delivery.template.like("webhook%"))))


def make_due() -> None:
    with housekeeping() as connection:
        connection.execute(update(Delivery).where(Delivery.state == "pending").values(due_at=now()))


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


def test_both_secrets_sign_for_a_day_after_a_rotation(owner: User, prop: Property, receiver: Receiver) -> None:
    endpoint, first = make_endpoint(owner, receiver.url)
    second = webhooks.rotate(endpoint, by=SYSTEM)
    factories.make_offer(prop)
    run()
    for secret in (first, second):
        standardwebhooks.Webhook(secret).verify(receiver.requests[0].body.decode(), receiver.requests[0].headers)
    with time_machine.travel(now() + timedelta(hours=25), tick=False):
        factories.make_offer(prop)
        run()
        request = receiver.requests[-1]
        standardwebhooks.Webhook(second).verify(request.body.decode(), request.headers)
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(first).verify(request.body.decode(), request.headers)


def test_each_secret_signs_to_the_end_of_its_own_day(owner: User, prop: Property, receiver: Receiver) -> None:
    endpoint, first = make_endpoint(owner, receiver.url)
    secrets, began = [first], now()
    for hours in range(0, 20, 5):
        with time_machine.travel(began + timedelta(hours=hours), tick=False):
            secrets.append(webhooks.rotate(endpoint, by=SYSTEM))
    for hours, valid in ((23, secrets), (25, secrets[1:]), (31, secrets[2:]), (40, secrets[4:])):
        with time_machine.travel(began + timedelta(hours=hours), tick=False):
            factories.make_offer(prop)
            run()
            request = receiver.requests[-1]
            assert len(request.headers["webhook-signature"].split(" ")) == len(valid)
            for secret in secrets:
                hook = standardwebhooks.Webhook(secret)
                if secret in valid:
                    hook.verify(request.body.decode(), request.headers)
                else:
                    with pytest.raises(standardwebhooks.WebhookVerificationError):
                        hook.verify(request.body.decode(), request.headers)


def test_rotations_have_a_bound_and_drop_nobody(owner: User) -> None:
    endpoint, _first = make_endpoint(owner, "https://crm.example/hook")
    for _ in range(webhooks.MOST_EARLIER):
        webhooks.rotate(endpoint, by=SYSTEM)
    held = webhooks.earlier_secrets([endpoint.id], now())[endpoint.id]
    with pytest.raises(Conflict):
        webhooks.rotate(endpoint, by=SYSTEM)
    assert webhooks.earlier_secrets([endpoint.id], now())[endpoint.id] == held
    with time_machine.travel(now() + timedelta(hours=25), tick=False):
        webhooks.rotate(endpoint, by=SYSTEM)
        assert len(webhooks.earlier_secrets([endpoint.id], now())[endpoint.id]) == 1


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


def test_what_was_missed_is_replayed_with_the_same_ids(owner: User, prop: Property) -> None:
    answers = [reply(410), reply(), reply(), reply()]
    with receiving(lambda _request: answers.pop(0)) as receiver:
        endpoint, _secret = make_endpoint(owner, receiver.url)
        began = now()
        factories.make_offer(prop)
        run()
        factories.make_offer(prop)  # while it is off
        webhooks.change(webhooks.get_endpoint(owner.agency_id, endpoint.id), on=True, by=SYSTEM)
        assert webhooks.replay(endpoint_now(), began, by=SYSTEM) == 2
        assert run() == 2
        assert webhooks.replay(endpoint_now(), began, by=SYSTEM) == 0
        first, again, missed = receiver.requests
        ids = [request.headers["webhook-id"] for request in (first, again, missed)]
        assert len(set(ids)) == 2 and ids.count(ids[0]) == 2
        assert first.body in {again.body, missed.body}
        one = calls()[0]
        webhooks.resend(owner.agency_id, one.id)
        with pytest.raises(Conflict):
            webhooks.resend(owner.agency_id, one.id)
        assert run() == 1
    assert receiver.requests[-1].headers["webhook-id"] == str(one.id)


def test_what_waits_is_tried_at_once_when_asked(either_app: Flask, owner: User, prop: Property) -> None:
    left = [500, 500, 500, 500]
    with receiving(lambda _request: reply(left.pop() if left else 200)) as receiver:
        endpoint, _secret = make_endpoint(owner, receiver.url, ("offer.created", "offer.status_changed"))
        began = now()
        offers = [factories.make_offer(prop) for _ in range(2)]
        run()
        assert run() == 0 and states() == ["pending", "pending"], "they wait for their next try"
        webhooks.resend(owner.agency_id, calls()[0].id)
        with pytest.raises(Conflict):
            webhooks.resend(owner.agency_id, calls()[0].id)
        run()
        assert deciding.decide(offers[0], owner.agency_id, "rejected", by=factories.person_of(owner).actor)
        left.clear()
        assert webhooks.replay(webhooks.get_endpoint(owner.agency_id, endpoint.id), began, by=SYSTEM) == 2
        assert run() == 2, "but not what may still be undone"
        assert states() == ["delivered", "delivered", "pending"]
        with pytest.raises(Conflict):
            webhooks.resend(owner.agency_id, calls()[2].id)
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 2


def test_what_the_log_no_longer_knows_is_not_replayed(owner: User, prop: Property, receiver: Receiver) -> None:
    """It may have arrived, and would come under another id."""
    make_endpoint(owner, receiver.url)
    began = now()
    factories.make_offer(prop)
    run()
    with time_machine.travel(now() + webhooks.LOG_KEPT + timedelta(hours=1), tick=False):
        assert webhooks.forget_log(now() - webhooks.LOG_KEPT) == 1
        assert webhooks.replay(endpoint_now(), began, by=SYSTEM) == 0


@pytest.mark.parametrize("kind", [*webhooks.EVENTS, "webhook.test"])
def test_a_test_sends_a_whole_sample_and_stands_in_no_list(owner: User, receiver: Receiver, kind: str) -> None:
    endpoint, secret = make_endpoint(owner, receiver.url, ("offer.erased",))
    before = endpoint.agency_id and db.session.scalar(select(func.count()).select_from(webhooks.Event))
    call = webhooks.send_test(endpoint, kind, by=SYSTEM)
    run()
    [request] = receiver.requests
    standardwebhooks.Webhook(secret).verify(request.body.decode(), request.headers)
    body = json.loads(request.body)
    assert (body["type"], body["test"], request.headers["webhook-id"]) == (kind, True, str(call))
    assert db.session.scalar(select(func.count()).select_from(webhooks.Event)) == before


def test_a_name_that_leads_inside_is_not_called(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **kind: real("127.0.0.1", *rest, **kind))
    owner = factories.make_user(factories.make_agency(), "owner")
    prop = factories.make_property(owner.agency_id, owner.id)
    with receiving() as receiver:
        make_endpoint(owner, "https://inside.example/")
        factories.make_offer(prop)
        run()
        close_webhook_dispatcher(app)
    assert receiver.connections == 0
    [tried] = db.session.scalars(select(Attempt)).all()
    assert tried.code == 0


@pytest.mark.parametrize(
    ("url", "events"),
    [
        ("http://crm.example/", ()),
        ("https://u:p@crm.example/", ()),
        ("crm.example", ()),
        ("https://crm.ro", ("x",)),
    ],
)
def test_bad_endpoints_are_refused(app: Flask, url: str, events: tuple[str, ...]) -> None:
    owner = factories.make_user(factories.make_agency(), "owner")
    with pytest.raises(Invalid):
        make_endpoint(owner, url, events)


def test_what_is_removed_owes_nothing(owner: User, prop: Property, receiver: Receiver) -> None:
    endpoint, _secret = make_endpoint(owner, receiver.url)
    factories.make_offer(prop)
    webhooks.remove(endpoint, by=SYSTEM)
    assert run() == 0 and states() == ["cancelled"]
    factories.make_offer(prop)
    assert states() == ["cancelled"]


def test_the_log_is_dropped_after_its_time(owner: User, prop: Property, receiver: Receiver) -> None:
    make_endpoint(owner, receiver.url)
    factories.make_offer(prop)
    run()
    assert webhooks.forget_log(now() - webhooks.LOG_KEPT) == 0
    assert webhooks.forget_log(now() + timedelta(seconds=1)) == 1 and calls() == []


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
