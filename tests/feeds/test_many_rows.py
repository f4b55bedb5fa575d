"""A feed of very many rows: written some at a time, and nothing kept of what never came in."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.feeds import runs
from app.models import FeedItem, User
from tests.feeds.conftest import Crm, read_again, rebs, row
from tests.outbound.servers import Receiver


def test_a_feed_of_many_rows_never_writes_many_at_once(
    owner: User, server: Receiver, crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite everybody's writes wait for each of its turns: a feed of 50,000 rows held them up for 43 seconds."""
    monkeypatch.setattr(runs, "ITEMS", 10)
    crm.size, crm.rows = 400, [row(n) for n in range(95)] + [{"internal_id": f"X{n}"} for n in range(300)]
    feed_id = rebs(owner, server)
    for _time in range(2):  # made, and found again
        read_again(owner, feed_id)
        seen = Counter(db.session.scalars(select(FeedItem.seen_at)))  # all that one turn writes has the same moment
        assert seen.total() == 95 and max(seen.values()) <= 10
    crm.rows = [row(n) for n in range(3)]
    assert read_again(owner, feed_id).vanished == 92


def test_rows_that_never_came_in_leave_nothing_behind(owner: User, server: Receiver, crm: Crm) -> None:
    """New names at each reading, refused every time or past the quota, would grow without bounds."""
    feed_id = rebs(owner, server)
    for time in range(3):
        crm.rows = [row(1), *({"internal_id": f"X{time}-{n}"} for n in range(5))]
        assert read_again(owner, feed_id).refused == 5
    assert db.session.scalars(select(FeedItem.external_id)).all() == ["CP1"]


def test_rows_past_the_quota_leave_nothing_behind(owner: User, server: Receiver, crm: Crm, app: Flask) -> None:
    held = app.extensions["bidflux_settings"]
    crm.size, crm.rows = 500, [row(n) for n in range(300)]
    app.extensions["bidflux_settings"] = replace(held, quotas=replace(held.quotas, properties=5))
    feed_id = rebs(owner, server)
    run = read_again(owner, feed_id)
    app.extensions["bidflux_settings"] = held
    assert (run.created, run.refused) == (5, 295)
    assert len(db.session.scalars(select(FeedItem.external_id)).all()) == 5


def test_a_row_that_is_wrong_today_has_not_vanished(owner: User, server: Receiver, crm: Crm) -> None:
    crm.rows = [row(1), row(2)]
    feed_id = rebs(owner, server)
    read_again(owner, feed_id)
    crm.rows = [row(1), row(2, price_sale="mult")]
    run = read_again(owner, feed_id)
    assert (run.refused, run.vanished) == (1, 0)
