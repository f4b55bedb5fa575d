"""What tests of feeds share: a CRM that says what it is told to, and reading it again."""

from __future__ import annotations

import ipaddress
import json
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from app.core.ledger import SYSTEM
from app.extensions import db
from app.feeds import editing as feeds
from app.feeds.editing import FeedValues
from app.models import FeedRun, Property, User
from app.workers.feeds import read_due_feeds
from tests.outbound.servers import Receiver, Request, receiving, reply


def row(number: int, **more: Any) -> dict[str, Any]:
    """A property as REBS says it."""
    return {
        "id": number,
        "internal_id": f"CP{number}",
        "title": f"Apartament {number}",
        "title_en": f"Apartment {number}",
        "for_sale": True,
        "price_sale": 100_000 + number,
        "currency_sale": "EUR",
        "vat_sale": "included",
        "property_type": "Apartament",
        "surface_useable": "54.50",
        "rooms": 2,
        "city": "Cluj-Napoca",
        **more,
    }


class Crm:
    """What the server has to say; a test changes it between runs."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.size = 2
        self.twist: Callable[[int, bytes], Any] = lambda _page, said: said

    def answer(self, request: Request) -> Iterator[bytes] | bytes | None:
        if request.headers.get("authorization") != "k-123" and "api_key=k-123" not in request.path:
            return reply(401)
        at = int(request.path.partition("offset=")[2].partition("&")[0] or 0)
        following = f"/api?offset={at + self.size}" if at + self.size < len(self.rows) else None
        meta = {"next": following, "total_count": len(self.rows)}
        body = {"meta": meta, "objects": self.rows[at : at + self.size]}
        answer: Iterator[bytes] | bytes | None = self.twist(at // self.size, reply(body=json.dumps(body).encode()))
        return answer


@pytest.fixture
def crm() -> Crm:
    return Crm()


@pytest.fixture
def server(crm: Crm, app: Flask) -> Iterator[Receiver]:
    """The CRM's server, on a loopback that the operator opened."""
    held = app.extensions["bidflux_settings"]
    app.extensions["bidflux_settings"] = replace(held, webhook_allow_networks=(ipaddress.ip_network("127.0.0.0/8"),))
    with receiving(crm.answer) as made:
        yield made
    app.extensions["bidflux_settings"] = held


def rebs(owner: User, server: Receiver, **more: Any) -> uuid.UUID:
    values = FeedValues("REBS", "rebs", url=f"{server.url}/api", key="k-123", every_hours=6)
    return feeds.create(owner.agency_id, replace(values, **more), by=SYSTEM)


def read_again(owner: User, feed_id: uuid.UUID) -> FeedRun:
    """Ask for a run and make it."""
    feeds.ask(feeds.get_feed(owner.agency_id, feed_id), by=SYSTEM)
    assert read_due_feeds() == 1
    return last_run(owner, feed_id)


def last_run(owner: User, feed_id: uuid.UUID) -> FeedRun:
    db.session.rollback()
    return feeds.runs_of(feeds.get_feed(owner.agency_id, feed_id))[0]


def properties() -> dict[str | None, Property]:
    db.session.rollback()
    return {prop.external_id: prop for prop in db.session.scalars(select(Property))}
