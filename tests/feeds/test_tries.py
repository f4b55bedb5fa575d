"""A feed is tried out by a job: no click reaches another's server, and no agency keeps another from its turn."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import func, select, update

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.extensions import db
from app.feeds import editing as feeds
from app.feeds import tries
from app.feeds.editing import FeedValues
from app.feeds.sources import Bounds, BrokenFeed, Source, pages
from app.models import FeedRun, Property, PropertyFeed, User
from app.outbound.http_client import HttpClient
from app.workers.feeds import read_due_feeds, try_due_feeds
from tests.factories import make_agency, make_user
from tests.outbound.servers import Receiver, Request, receiving, reply


def endless(request: Request) -> bytes:
    """A feed of pages of one row that are never the last."""
    at = int(request.path.partition("page=")[2] or 0)
    row = {"internal_id": f"CP{at}", "title": f"Casă {at}", "for_sale": True, "price_sale": 100_000}
    return reply(body=json.dumps({"meta": {"next": f"/api?page={at + 1}"}, "objects": [row]}).encode())


@pytest.fixture
def server(app: Flask) -> Iterator[Receiver]:
    held = app.extensions["bidflux_settings"]
    app.extensions["bidflux_settings"] = replace(held, webhook_allow_networks=(ipaddress.ip_network("127.0.0.0/8"),))
    with receiving(endless) as made:
        yield made
    app.extensions["bidflux_settings"] = held


def feed_of(owner: User, server: Receiver, **more: object) -> PropertyFeed:
    values = replace(FeedValues("REBS", "rebs", url=f"{server.url}/api"), **more)
    return feeds.get_feed(owner.agency_id, feeds.create(owner.agency_id, values, by=SYSTEM))


def tried(feed: PropertyFeed) -> tries.TryResult | None:
    db.session.rollback()
    return tries.outcome_of(feed)


def test_a_try_reads_two_pages_of_an_endless_feed(owner: User, server: Receiver) -> None:
    feed = feed_of(owner, server)
    for _click in range(5):
        tries.ask(feed, by=SYSTEM)
    assert not server.requests, "a click calls nobody"
    assert try_due_feeds() == 1 and len(server.requests) == 2
    found = tried(feed)
    assert found and [row.columns and row.columns["external_id"] for row in found.rows] == ["CP0", "CP1"]
    assert db.session.scalar(select(func.count()).select_from(Property)) == 0


def test_what_breaks_a_try_is_kept_and_said(owner: User, server: Receiver) -> None:
    server.answer = lambda _request: reply(500)
    feed = feed_of(owner, server)
    tries.ask(feed, by=SYSTEM)
    try_due_feeds()
    assert tried(feed) == tries.TryResult([], "status")


def test_what_a_try_showed_goes_with_a_change(owner: User, server: Receiver) -> None:
    feed = feed_of(owner, server)
    tries.ask(feed, by=SYSTEM)
    try_due_feeds()
    assert tried(feed)
    feeds.change(feed, FeedValues("REBS", "rebs", url=f"{server.url}/other"), by=SYSTEM)
    assert tried(feed) is None


def test_a_try_that_died_is_taken_up_again(owner: User, server: Receiver) -> None:
    feed = feed_of(owner, server)
    tries.ask(feed, by=SYSTEM)
    assert tries.take(owner.agency_id) is not None
    assert try_due_feeds() == 0
    db.session.execute(update(PropertyFeed).values(try_until=now()))
    db.session.commit()
    assert try_due_feeds() == 1 and tried(feed)


def test_a_reading_waits_only_so_long_for_all_its_pages_together(app: Flask, server: Receiver) -> None:
    http = HttpClient((ipaddress.ip_network("127.0.0.0/8"),))
    bounds = Bounds(seconds=10.0)
    walk = pages(Source("rebs", f"{server.url}/api"), http, bounds)
    next(walk)
    assert bounds.seconds < 10.0, "what a page took is gone"
    bounds.seconds = 0.0
    with pytest.raises(BrokenFeed, match="slow"):
        next(walk)
    http.close()


def test_a_feed_without_an_end_ends(app: Flask, server: Receiver) -> None:
    http = HttpClient((ipaddress.ip_network("127.0.0.0/8"),))
    with pytest.raises(BrokenFeed, match="rows"):
        list(pages(Source("rebs", f"{server.url}/api"), http, Bounds(rows=20)))
    assert len(server.requests) == 21
    http.close()


@pytest.mark.parametrize("kind", ["read", "try"])
def test_who_has_one_feed_does_not_wait_for_who_has_twenty(owner: User, server: Receiver, kind: str) -> None:
    crowd = [feed_of(owner, server, kind="csv", url="", file=b"cod;nume\nA1;x\n", mapping=MAPPED) for _n in range(20)]
    other = make_user(make_agency(), "owner")
    one = feed_of(other, server, kind="csv", url="", file=b"cod;nume\nA1;x\n", mapping=MAPPED)
    for feed in [*crowd, one]:
        (feeds.ask if kind == "read" else tries.ask)(feed, by=SYSTEM)
    assert (read_due_feeds() if kind == "read" else try_due_feeds()) == 21
    db.session.rollback()
    if kind == "read":
        order = list(db.session.scalars(select(FeedRun.agency_id).order_by(FeedRun.started_at, FeedRun.id)))
    else:
        order = list(db.session.scalars(select(PropertyFeed.agency_id).order_by(PropertyFeed.tried_at)))
    assert order.index(other.agency_id) <= 1


def test_an_agency_has_one_feed_read_at_a_time(owner: User, server: Receiver) -> None:
    for _n in range(2):
        feeds.ask(feed_of(owner, server), by=SYSTEM)
    assert feeds.take(owner.agency_id) is not None
    assert feeds.take(owner.agency_id) is None and feeds.waiting() == []
    other = make_user(make_agency(), "owner")
    feeds.ask(feed_of(other, server), by=SYSTEM)
    assert list(feeds.waiting()) == [other.agency_id], "hands that are free are used"


MAPPED = {"external_id": "cod", "title": "nume"}
