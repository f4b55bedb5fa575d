"""Feeds: read page by page from a real server, taken in by the service of the API, and what vanished told."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.core.clock import now
from app.core.errors import Invalid
from app.core.ledger import SYSTEM
from app.core.signed_links import OFFER_LINK, OfferLink, sign
from app.extensions import db
from app.feeds import editing as feeds
from app.feeds.editing import FeedValues
from app.models import Delivery, LedgerEntry, PropertyFeed, User
from app.outbound.written_urls import WHY
from app.workers.feeds import read_due_feeds
from tests.feeds.conftest import Crm, last_run, properties, read_again, rebs, row
from tests.outbound.servers import Receiver, reply


def test_all_pages_of_rebs_come_in_when_due(owner: User, server: Receiver, crm: Crm) -> None:
    crm.rows = [row(n) for n in range(5)]
    feed_id = rebs(owner, server)
    assert read_due_feeds() == 1 and read_due_feeds() == 0
    run = last_run(owner, feed_id)
    assert (run.state, run.complete, run.seen, run.created) == ("done", True, 5, 5)
    one = properties()["CP3"]
    assert (one.title, one.asking_minor, one.currency, one.usable_area_sqm) == ("Apartament 3", 100_003_00, "EUR", 54.5)
    assert (one.price_vat, one.agent_id, one.accepts_offers) == ("included", owner.id, False)
    assert len(server.requests) == 3


def test_a_second_run_changes_only_what_changed(owner: User, server: Receiver, crm: Crm) -> None:
    crm.rows = [row(n) for n in range(3)]
    feed_id = rebs(owner, server)
    read_due_feeds()
    crm.rows[1]["price_sale"] = "95000.50"
    run = read_again(owner, feed_id)
    assert (run.created, run.updated, run.unchanged) == (0, 1, 2)
    assert properties()["CP1"].asking_minor == 95_000_50


def test_the_key_may_stand_in_the_query(owner: User, server: Receiver, crm: Crm) -> None:
    crm.rows = [row(n) for n in range(3)]
    feed_id = rebs(owner, server, key_in="query")
    read_due_feeds()
    assert last_run(owner, feed_id).created == 3
    assert all("authorization" not in request.headers for request in server.requests)


def test_only_active_rows_for_sale_come_in(owner: User, server: Receiver, crm: Crm) -> None:
    crm.rows = [row(1), row(2, for_sale=False), row(3, is_active=False)]
    feed_id = rebs(owner, server)
    read_due_feeds()
    run = last_run(owner, feed_id)
    assert (run.created, run.skipped) == (1, 2) and set(properties()) == {"CP1"}


def test_one_bad_row_spoils_no_other(owner: User, server: Receiver, crm: Crm) -> None:
    crm.rows = [row(1), row(2, title="", price_sale="125,000"), "nonsense", row(4, currency_sale="USD")]
    feed_id = rebs(owner, server)
    read_due_feeds()
    run = last_run(owner, feed_id)
    faults = {(fault["row"], fault["field"]) for fault in json.loads(run.errors)}
    assert (run.created, run.refused) == (1, 3)
    assert {(2, "title"), (2, "asking_price"), (3, ""), (4, "currency")} == faults


def test_the_same_row_twice_counts_once(owner: User, server: Receiver, crm: Crm) -> None:
    crm.rows = [row(1), row(2), row(2), row(1, title="Altul")]
    feed_id = rebs(owner, server)
    read_due_feeds()
    run = last_run(owner, feed_id)
    assert (run.created, run.skipped, run.refused) == (2, 1, 1)
    assert properties()["CP1"].title == "Apartament 1"


def test_a_feed_turns_a_link_off_and_one_it_says_nothing_of_stays(
    owner: User, server: Receiver, crm: Crm, client: FlaskClient
) -> None:
    crm.rows = [row(n, accepts_offers=True) for n in range(2)]
    feed_id = rebs(owner, server)
    read_due_feeds()
    link = f"/o/{sign(OFFER_LINK, OfferLink(properties()['CP0'].id, 1))}"
    assert client.get(link).status_code == 200
    crm.rows = [row(0, accepts_offers=False), row(1)]
    assert read_again(owner, feed_id).updated == 1
    held = properties()
    assert (held["CP0"].accepts_offers, held["CP1"].accepts_offers) == (False, True)
    assert client.get(link).status_code == 410
    off = db.session.scalars(select(LedgerEntry.object_id).where(LedgerEntry.kind == "link.off"))
    assert off.all() == [held["CP0"].id]


def test_what_vanished_warns_its_agent_and_stops_no_link(owner: User, server: Receiver, crm: Crm) -> None:
    crm.rows = [row(n, accepts_offers=True) for n in range(3)]
    feed_id = rebs(owner, server)
    read_due_feeds()
    crm.rows = crm.rows[:2]
    assert read_again(owner, feed_id).vanished == 1
    assert properties()["CP2"].accepts_offers
    owed = db.session.scalars(select(Delivery).where(Delivery.template == "feed_vanished")).all()
    assert [one.user_id for one in owed] == [owner.id]
    assert read_again(owner, feed_id).vanished == 0  # told once
    crm.rows.append(row(2))
    assert read_again(owner, feed_id).vanished == 0


TWISTS: dict[str, tuple[Callable[[bytes], Any], str]] = {
    "hangs up": (lambda _said: None, "broken"),
    "promises more than it sends": (lambda said: _cut(said), "broken"),
    "sends more than it promised": (lambda said: said.replace(b"Length: ", b"Length: 1\r\nX-Was: "), "not_json"),
    "is ill": (lambda _said: reply(500), "status"),
    "redirects": (lambda _said: reply(302, Location="http://169.254.169.254/"), "status"),
    "counts more than it lists": (lambda said: _json(meta={"next": None, "total_count": 99}, objects=[]), "short"),
    "leads in a circle": (lambda said: _json(meta={"next": "/api"}, objects=[]), "next"),
    "leads elsewhere": (lambda said: _json(meta={"next": "http://127.0.0.2/api"}, objects=[]), "next"),
    "says something else": (lambda said: reply(body=b'{"hello": 1}'), "shape"),
}


def _json(**body: Any) -> bytes:
    return reply(body=json.dumps(body).encode())


@pytest.mark.parametrize("name", TWISTS)
def test_nothing_vanishes_while_the_server(name: str, owner: User, server: Receiver, crm: Crm) -> None:
    crm.rows = [row(n) for n in range(4)]
    feed_id = rebs(owner, server)
    read_due_feeds()
    twist, code = TWISTS[name]

    crm.twist = lambda page, said: said if page == 0 else twist(said)
    run = read_again(owner, feed_id)
    assert (run.state, run.complete, run.code, run.vanished) == ("broken", False, code, 0)
    assert len(properties()) == 4


def _cut(said: bytes) -> Any:
    """The head promises a whole body, half of which comes before the line goes dead."""

    def pieces() -> Iterator[bytes]:
        yield said[:-40]
        raise OSError

    return pieces()


def test_a_name_that_leads_inside_is_not_called(owner: User, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda _host, *rest, **kind: real("127.0.0.1", *rest, **kind))
    values = FeedValues("X", "rebs", url="http://inside.example/", every_hours=1)
    feed_id = feeds.create(owner.agency_id, values, by=SYSTEM)
    read_due_feeds()
    assert last_run(owner, feed_id).code == "address"


def test_a_key_never_goes_to_another_server(owner: User, server: Receiver) -> None:
    feed = feeds.get_feed(owner.agency_id, rebs(owner, server))
    with pytest.raises(Invalid) as refused:
        feeds.change(feed, FeedValues("REBS", "rebs", url="https://other.example/api"), by=SYSTEM)
    assert "key" in refused.value.errors


def test_a_key_does_not_begin_to_travel_in_the_clear(owner: User) -> None:
    values = FeedValues("X", "rebs", url="https://crm.example/api", key="k-1", every_hours=1)
    feed = feeds.get_feed(owner.agency_id, feeds.create(owner.agency_id, values, by=SYSTEM))
    plain = replace(values, url="http://crm.example/api", key=None)
    with pytest.raises(Invalid) as refused:
        feeds.change(feed, plain, by=SYSTEM)
    assert "key" in refused.value.errors
    feeds.change(feed, replace(plain, url="HTTPS://crm.example/other"), by=SYSTEM)
    feeds.change(feed, replace(plain, key=""), by=SYSTEM)  # without a key there is none to read
    assert feeds.source_of(feeds.get_feed(owner.agency_id, feed.id)).key == ""


@pytest.mark.parametrize(
    "url", ["https://crm.example:8443/", "https://10.0.0.1/", "http://169.254.169.254/", "http://crm.example:22/"]
)
def test_what_could_never_be_called_is_refused_when_it_is_given(owner: User, url: str) -> None:
    with pytest.raises(Invalid) as refused:
        feeds.create(owner.agency_id, FeedValues("X", "rebs", url=url, every_hours=1), by=SYSTEM)
    assert refused.value.errors["url"][0] in WHY.values()


def test_address_key_and_file_are_sealed(owner: User, server: Receiver) -> None:
    rebs(owner, server)
    feed = db.session.scalars(select(PropertyFeed)).one()
    assert b"k-123" not in (feed.key_ct or b"") and b"127.0.0.1" not in (feed.url_ct or b"")


def test_the_id_may_stand_deep_within_a_row(owner: User, server: Receiver, crm: Crm) -> None:
    mapping = {"external_id": "ids.internal", "title": "names.0"}
    crm.rows = [{"ids": {"internal": 7}, "names": ["Casă"]}, {"ids": {"internal": 8}, "names": ["Vilă"]}]
    feed_id = rebs(owner, server, kind="json", mapping=mapping)
    read_due_feeds()
    assert set(properties()) == {"7", "8"}
    crm.rows[1]["names"] = []
    run = read_again(owner, feed_id)
    assert (run.refused, run.vanished) == (1, 0), "a row that is wrong is still there"
    assert json.loads(run.errors)[0]["external_id"] == "8"


def test_a_long_walk_keeps_its_feed_to_itself(owner: User, server: Receiver, crm: Crm, app: Flask) -> None:
    crm.rows = [row(n, for_sale=False) for n in range(6)]  # rows that write nothing
    feed_id = rebs(owner, server)
    leases = []

    def look(_page: int, said: bytes) -> bytes:
        with app.app_context():
            leases.append(feeds.get_feed(owner.agency_id, feed_id).lease_until)
            assert not feeds.waiting() and feeds.take(owner.agency_id) is None, "two runs at once"
        return said

    crm.twist = look
    read_due_feeds()
    assert last_run(owner, feed_id).state == "done"
    assert leases == sorted(set(leases)) and len(leases) == 3


def test_a_run_that_lost_its_feed_ends_without_a_verdict(owner: User, server: Receiver, crm: Crm, app: Flask) -> None:
    crm.rows = [row(n) for n in range(4)]
    feed_id = rebs(owner, server)
    read_due_feeds()
    crm.rows = [*crm.rows[:2], row(9), row(10)]

    def oversleep(page: int, said: bytes) -> bytes:
        if page == 1:
            with app.app_context():
                feed = feeds.get_feed(owner.agency_id, feed_id)
                feed.lease_until = now() - timedelta(seconds=1)
                db.session.commit()
                crm.twist = lambda _page, said: said
                assert read_due_feeds() == 1
        return said

    crm.twist = oversleep
    feeds.ask(feeds.get_feed(owner.agency_id, feed_id), by=SYSTEM)
    read_due_feeds()
    db.session.rollback()
    runs = feeds.runs_of(feeds.get_feed(owner.agency_id, feed_id))
    assert [(run.state, run.code, run.vanished) for run in runs[:2]] == [("done", "", 2), ("broken", "killed", 0)]


def test_who_asks_while_it_is_read_gets_another_run(owner: User, server: Receiver, crm: Crm, app: Flask) -> None:
    crm.rows = [row(1)]
    feed_id = rebs(owner, server)

    def ask(_page: int, said: bytes) -> bytes:
        crm.twist = lambda _page, said: said
        with app.app_context():
            feeds.ask(feeds.get_feed(owner.agency_id, feed_id), by=SYSTEM)
        return said

    crm.twist = ask
    assert read_due_feeds() == 2
