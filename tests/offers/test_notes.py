"""Notes beside an offer: sealed, seen by the agency, removed by their writer."""

from __future__ import annotations

import re
import uuid

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.models import Note, User
from tests.factories import csrf, login, make_agency, make_offer, make_property, make_user


@pytest.fixture
def owner(client: FlaskClient) -> User:
    owner = make_user(make_agency(), "owner")
    login(client, owner)
    return owner


@pytest.fixture
def offer(owner: User) -> uuid.UUID:
    return make_offer(make_property(owner.agency_id, owner.id))


def write(client: FlaskClient, offer: uuid.UUID, text: str, **headers: str) -> int:
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    return client.post(
        f"/app/offers/{offer}/notes", data={"csrf_token": token, "text": text}, headers=headers
    ).status_code


def test_a_note_is_read_on_the_page_and_sealed_in_the_table(client: FlaskClient, offer: uuid.UUID) -> None:
    assert write(client, offer, "  Sună după <b>ora 17</b>\nsoția decide  ") == 303
    page = client.get(f"/app/offers/{offer}").get_data(as_text=True)
    assert "Sună după &lt;b&gt;ora 17&lt;/b&gt;\nsoția decide" in page and "Notiță scrisă" in page
    assert b"ora 17" not in db.session.scalars(select(Note.body_ct)).one()


@pytest.mark.parametrize("text", ["", "   ", "x" * 4001])
def test_an_empty_or_endless_note_is_asked_for_again(client: FlaskClient, offer: uuid.UUID, text: str) -> None:
    assert write(client, offer, text) == 422
    assert db.session.scalars(select(Note)).all() == []


def test_only_the_writer_removes_a_note(client: FlaskClient, owner: User, offer: uuid.UUID) -> None:
    write(client, offer, "a mea")
    path = f"/app/offers/{offer}/notes/{db.session.scalars(select(Note.id)).one()}/remove"
    colleague = make_user(owner.agency_id, "owner", full_name="Dan Colegul")
    other = client.application.test_client()
    login(other, colleague)
    page = other.get(f"/app/offers/{offer}").get_data(as_text=True)
    assert "a mea" in page and path not in page
    assert other.post(path, data={"csrf_token": csrf(page)}).status_code == 404
    page = client.get(f"/app/offers/{offer}").get_data(as_text=True)
    assert re.search(re.escape(path), page)
    assert client.post(path, data={"csrf_token": csrf(page)}).status_code == 303
    assert db.session.scalars(select(Note)).all() == []
