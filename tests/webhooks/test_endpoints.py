"""Endpoints: their secrets rotated, what they missed replayed, tested, refused and removed."""

from __future__ import annotations

import json
import socket
from datetime import timedelta

import pytest
import standardwebhooks
import time_machine
from flask import Flask
from sqlalchemy import func, select

from app.core.clock import now
from app.core.errors import Conflict, Invalid
from app.core.ledger import SYSTEM
from app.delivery.webhook_dispatcher import close_webhook_dispatcher
from app.extensions import db
from app.models import Attempt, Event, Property, User
from app.offers import deciding
from app.webhooks import editing as webhooks
from tests import factories
from tests.outbound.servers import Receiver, receiving, reply
from tests.webhooks.conftest import calls, endpoint_now, make_endpoint, run, states


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
    before = endpoint.agency_id and db.session.scalar(select(func.count()).select_from(Event))
    call = webhooks.send_test(endpoint, kind, by=SYSTEM)
    run()
    [request] = receiver.requests
    standardwebhooks.Webhook(secret).verify(request.body.decode(), request.headers)
    body = json.loads(request.body)
    assert (body["type"], body["test"], request.headers["webhook-id"]) == (kind, True, str(call))
    assert db.session.scalar(select(func.count()).select_from(Event)) == before


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
