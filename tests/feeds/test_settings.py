"""Settings of feeds: added, tried out, asked for, removed; what was wrong is shown by row."""

from __future__ import annotations

import io
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.models import Property, PropertyFeed, User
from app.workers.feeds import read_due_feeds, try_due_feeds
from tests.factories import csrf, login, make_agency, make_user

CSV = "cod;nume;pret\nA1;Casă în Făget;250000\nA2;;1\n".encode()
FORM = {"name": "Fișier", "kind": "csv", "key_in": "header", "every_hours": "0", "url": ""}
MAPPING = "external_id = cod\ntitle = nume\nasking_price = pret"


@pytest.fixture
def owner(client: FlaskClient, app: Flask) -> User:
    user = make_user(make_agency(), "owner")
    login(client, user)
    return user


def post(client: FlaskClient, path: str, **data: Any) -> Any:
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    return client.post(path, data={"csrf_token": token, **data}, content_type="multipart/form-data")


def test_a_csv_is_added_tried_out_and_read(client: FlaskClient, owner: User) -> None:
    file = (io.BytesIO(CSV), "p.csv")
    where = post(client, "/app/settings/feeds", **FORM, mapping=MAPPING, file=file).location
    assert post(client, f"{where}/try").status_code == 303
    waits = client.get(where).get_data(as_text=True)
    assert "Sursa este pusă la încercare" in waits and "Casă în Făget" not in waits
    assert try_due_feeds() == 1
    tried = client.get(where).get_data(as_text=True)
    assert "Titlu: Lipsește" in tried and "<code>A2</code>" in tried and "Preț cerut: 250.000" in tried
    assert "Casă în Făget" in tried, "as it would be shown to buyers"
    assert not db.session.scalars(select(Property)).all()
    part = client.get(where, headers={"HX-Request": "true", "HX-Target": "trial"}).get_data(as_text=True)
    assert part.strip().startswith('<div id="trial"') and "hx-get" not in part, "what is done asks no more"
    assert post(client, f"{where}/run").status_code == 303
    assert read_due_feeds() == 1
    db.session.rollback()
    assert [prop.external_id for prop in db.session.scalars(select(Property))] == ["A1"]
    shown = client.get(where).get_data(as_text=True)
    assert "(A2): Titlu: Lipsește" in shown, "what was wrong is said in the reader's language"
    assert "Fișier" in client.get("/app/settings/feeds").get_data(as_text=True)
    assert post(client, f"{where}/remove").status_code == 303
    assert client.get(where).status_code == 404


def test_a_wrong_feed_is_kept_in_the_form(client: FlaskClient, owner: User) -> None:
    answer = post(client, "/app/settings/feeds", **{**FORM, "kind": "json", "url": "ftp://x"}, mapping="title = nume")
    assert answer.status_code == 422 and 'value="ftp://x"' in answer.get_data(as_text=True)
    assert "Scrieți o adresă care începe cu https" in answer.get_data(as_text=True)
    assert post(client, "/app/settings/feeds", **FORM, mapping="nonsense").status_code == 422
    assert not db.session.scalars(select(PropertyFeed)).all()
