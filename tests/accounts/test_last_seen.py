"""When a session was last used is known to some minutes, and costs no page a write."""

from __future__ import annotations

from datetime import UTC, datetime

import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, select

from app.core.unit_of_work import OPEN
from app.extensions import db
from app.models import UserSession
from tests.factories import login, make_agency, make_user

AT = datetime(2030, 3, 1, 9, 0, tzinfo=UTC)


def seen() -> datetime:
    db.session.rollback()
    return db.session.scalars(select(UserSession.seen_at)).one()


def test_once_in_some_minutes(client: FlaskClient, app: Flask) -> None:
    user = make_user(make_agency(), "owner")
    writes: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda c, u, text, *a: writes.append(text))
    with time_machine.travel(AT, tick=False) as clock:
        login(client, user)
        assert seen() == AT
        writes.clear()
        for _ in range(5):
            clock.shift(50)
            client.get("/app/settings").close()
        assert not [text for text in writes if text.startswith("UPDATE")] and seen() == AT
        clock.shift(60)
        client.get("/app/settings").close()
        assert seen() == datetime(2030, 3, 1, 9, 5, 10, tzinfo=UTC)
        assert len([text for text in writes if text.startswith("UPDATE user_session")]) == 1
        page = client.get("/app/settings").get_data(as_text=True)
        assert "11:05" in page, "in the agency's zone"
    assert OPEN not in db.session.info
