"""What tests of webhooks share: an application free to call the loopback, an endpoint, and what is owed to it."""

from __future__ import annotations

import dataclasses
import ipaddress
import uuid
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import Connection, select, update

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.unit_of_work import housekeeping
from app.delivery.queue import Claimed, claim
from app.delivery.scheduling import by_endpoint
from app.delivery.webhook_dispatcher import close_webhook_dispatcher, webhook_dispatcher
from app.extensions import db
from app.models import Delivery, User, WebhookEndpoint
from app.webhooks import editing as webhooks
from tests import factories
from tests.outbound.servers import Receiver, receiving


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
