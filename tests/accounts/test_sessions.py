"""Sessions end by themselves, by their person, and say no more of a place than is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.accounts.sessions import place_of
from app.extensions import db
from app.models import LedgerEntry, User, UserSession
from tests.factories import csrf, login

AT = datetime(2030, 3, 1, 9, 0, tzinfo=UTC)


def test_unused_or_old_a_session_ends(client: FlaskClient, app: Flask, owner: User) -> None:
    limits = app.extensions["bidflux_settings"]
    idle, longest = timedelta(hours=limits.session_idle_hours), timedelta(days=limits.session_days)
    with time_machine.travel(AT, tick=False) as clock:
        login(client, owner)
        while datetime.now(UTC) + idle / 2 < AT + longest:
            clock.shift(idle / 2)
            with client.get("/app/offers") as page:
                assert page.status_code == 200
        clock.move_to(AT + longest)
        assert client.get("/app/offers").status_code == 303, "however much it is used"
        login(client, owner)
        clock.shift(idle + timedelta(seconds=1))
        assert client.get("/app/offers").status_code == 303, "unused"


def test_all_others_are_ended_at_once_and_the_ledger_says_so(client: FlaskClient, app: Flask, owner: User) -> None:
    others = [app.test_client() for _ in range(2)]
    for one in (client, *others):
        login(one, owner)
    page = client.get("/app/settings").text
    assert "127.0.0.0/24" in page
    ended = client.post("/app/settings/sessions/end-others", data={"csrf_token": csrf(page)})
    assert ended.status_code == 303 and len(db.session.scalars(select(UserSession)).all()) == 1
    assert [one.get("/app/offers").status_code for one in (client, *others)] == [200, 303, 303]
    last = db.session.scalars(select(LedgerEntry).order_by(LedgerEntry.seq.desc()).limit(1)).one()
    assert last.kind == "user.sessions_ended" and b'"sessions":2' in last.body


def test_a_place_is_a_network_and_no_more() -> None:
    assert [place_of(one) for one in ("86.120.45.17", "2a02:2f0e:1:2:3::4", "unknown", "")] == [
        "86.120.45.0/24", "2a02:2f0e:1::/48", "", "",
    ]  # fmt: skip
