"""A CRM through an hour of changes: webhooks to be quick, events to be sure, the lists to compare; it ends equal.

Real HTTP both ways, a clock that is moved, a receiver that is down for ten minutes of the hour and answers twice-sent
calls like a good one: by their id.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from standardwebhooks import Webhook
from werkzeug.serving import make_server

from app.core.errors import DomainError
from app.delivery.webhook_dispatcher import close_webhook_dispatcher, webhook_dispatcher
from app.extensions import db
from tests.api.conftest import ROOT, Crm, make_crm
from tests.api.test_following import ACTS, Follower, Get, World
from tests.factories import make_property
from tests.outbound.servers import Request, receiving, reply

START = datetime(2026, 11, 23, 9, tzinfo=UTC)
DOWN = range(20, 30)  # minutes


class Simulator(Follower):
    """Keeps what came last about each object, by `seq`, from whichever way it came first."""

    def __init__(self, get: Get) -> None:
        super().__init__(get)
        self.secret = ""
        self.seen: dict[str, bytes] = {}  # by webhook-id
        self.known: dict[str, int] = {}
        self.quick, self.refused, self.up = 0, 0, True

    def called(self, request: Request) -> bytes:
        """What a CRM does with a call: checks it, stores it once, answers soon."""
        Webhook(self.secret).verify(request.body, request.headers)
        if not self.up:
            self.refused += 1
            return reply(503)
        ident = request.headers["webhook-id"]
        if ident not in self.seen:
            self.seen[ident] = request.body
            event = json.loads(request.body)
            self.quick += event["seq"] > self.seq
            self._take(event)
        assert self.seen[ident] == request.body, "one id, one body"
        return reply(200)

    def _take(self, event: dict[str, Any]) -> None:
        """Calls overtake each other: of two about one object the higher number is the truth."""
        ident = event["data"]["id"]
        if event["seq"] >= self.known.get(ident, 0):
            self.known[ident] = event["seq"]
            super()._take(event)


@pytest.fixture
def crm(either_app: Flask) -> Iterator[Crm]:
    settings = either_app.extensions["bidflux_settings"]
    opened = (ipaddress.ip_network("127.0.0.0/8"),)
    either_app.extensions["bidflux_settings"] = dataclasses.replace(settings, webhook_allow_networks=opened)
    yield make_crm(either_app)
    close_webhook_dispatcher(either_app)


@pytest.fixture
def get(crm: Crm) -> Iterator[Get]:
    """Reads over HTTP with the CRM's key."""
    server = make_server("127.0.0.1", 0, crm.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def read(path: str) -> dict[str, Any]:
        address = f"http://127.0.0.1:{server.port}{ROOT}{path}"
        asked = urllib.request.Request(address, headers={"Authorization": f"Bearer {crm.key}"})
        with urllib.request.urlopen(asked, timeout=120) as answer:
            body: dict[str, Any] = json.load(answer)
            return body

    yield read
    server.shutdown()
    thread.join()


def deliver() -> None:
    """What the worker does when it is woken, or the relay sweeps."""
    db.session.remove()
    webhook_dispatcher().run()
    db.session.remove()


def an_hour_of_changes(crm: Crm, mine: Simulator, clock: Any) -> None:
    world = World(crm)
    for minute in range(60):
        clock.move_to(START + timedelta(minutes=minute))
        mine.up = minute not in DOWN
        with suppress(DomainError):
            world.act(ACTS[minute * 7 % len(ACTS)], minute * 5 % 41)
        clock.shift(15)  # past the ten seconds in which a decision can be undone
        deliver()
        if minute % 15 == 14:
            mine.follow()


def test_a_crm_ends_an_hour_equal_by_webhooks_events_and_lists(crm: Crm, get: Get) -> None:
    mine = Simulator(get)
    with receiving() as receiver, time_machine.travel(START, tick=True) as clock:
        receiver.answer = mine.called
        made = crm.call("POST", "/webhooks", {"url": receiver.url}).json
        mine.secret = made["secret"]
        make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-0")
        an_hour_of_changes(crm, mine, clock)
        for _ in range(6):  # what was refused while it was down is tried again for hours
            clock.shift(3600)
            deliver()
        mine.follow()
        mine.equals()
        late = Follower(get)
        late.follow()
        late.equals()
        calls = list(mine._all(f"/webhooks/{made['id']}/deliveries?"))
    assert mine.seq >= 30 and any(len(offer) == 2 for offer in mine.offers.values()), "people were forgotten too"
    assert mine.quick >= 15, "most came by a call before it was asked for"
    assert mine.refused >= 3 and {call["state"] for call in calls} == {"delivered", "cancelled"}
    assert {call["id"] for call in calls if call["state"] == "delivered"} == set(mine.seen)
    told = {json.loads(body)["seq"]: json.loads(body) for body in mine.seen.values()}
    events = [get(f"/events?after={seq - 1}&limit=1")["data"][0] for seq in told]
    assert [event for event in events if not event.get("erased") and event != told[event["seq"]]] == []
