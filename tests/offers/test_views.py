"""Saved views: a filter under a name, one's own, sealed."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.core.errors import Invalid
from app.extensions import db
from app.models import SavedView, User
from app.offers import saved_views
from app.offers.document import Bidder
from app.offers.view_reading import views_of
from app.privacy import erasure
from app.workers import hourly
from tests.factories import csrf, login, make_draft, make_offer, make_property, make_user, person_of


def token(client: FlaskClient) -> str:
    return csrf(client.get("/app/settings").get_data(as_text=True))


def test_a_view_is_saved_opened_renamed_and_deleted(client: FlaskClient, owner: User) -> None:
    make_offer(make_property(owner.agency_id, owner.id))
    login(client, owner)
    page = client.get("/app/offers?q=popescu&status=new&sort=-amount").get_data(as_text=True)
    query = re.search(r'name="query" value="([^"]+)"', page)
    assert query
    data = {"csrf_token": token(client), "name": "  Ale lui  Popescu ", "query": query[1].replace("&amp;", "&")}
    answer = client.post("/app/offers/views", data=data)
    assert answer.status_code == 303 and "q=popescu" in answer.location
    page = client.get("/app/offers").get_data(as_text=True)
    link = re.search(r'href="([^"]+)">Ale lui Popescu</a>', page)
    assert link and client.get(link[1].replace("&amp;", "&")).status_code == 200
    assert {"q=popescu", "status=new", "sort=-amount", "currency=EUR"} <= set(
        re.split(r"[?;&]+", link[1].replace("amp;", ""))
    )
    view = db.session.scalars(select(SavedView)).one()
    where = f"/app/offers/views/{view.id}"
    assert client.post(where, data={"csrf_token": data["csrf_token"], "name": "Popești"}).status_code == 303
    assert "Popești" in client.get("/app/offers/views").get_data(as_text=True)
    answer = client.post(where, data={"csrf_token": data["csrf_token"], "name": " "})
    assert answer.status_code == 422 and "Dați un nume" in answer.get_data(as_text=True)
    assert client.post(f"{where}/delete", data={"csrf_token": data["csrf_token"]}).status_code == 303
    assert "Încă nicio vedere" in client.get("/app/offers/views").get_data(as_text=True)


def test_a_view_without_a_name_is_asked_for_one_with_the_filter_kept(client: FlaskClient, owner: User) -> None:
    login(client, owner)
    data = {"csrf_token": token(client), "name": "", "query": "status=new"}
    answer = client.post("/app/offers/views", data=data)
    assert answer.status_code == 422 and 'value="status=new"' in answer.get_data(as_text=True)


def test_the_same_name_replaces_and_fifty_are_enough(owner: User) -> None:
    by = person_of(owner)
    for number in range(saved_views.MOST):
        saved_views.save(f"Vedere {number}", {"status": "new"}, by=by)
    saved_views.save("VEDERE 3", {"status": "viewed"}, by=by)
    held = {view.name: view.query for view in views_of(by)}
    assert len(held) == saved_views.MOST and held["VEDERE 3"] == {"status": "viewed"}
    with pytest.raises(Invalid):
        saved_views.save("Încă una", {}, by=by)


def test_nobody_else_sees_or_touches_a_view(client: FlaskClient, owner: User) -> None:
    colleague = make_user(owner.agency_id)
    view_id = saved_views.save("Secretă", {"q": "popescu"}, by=person_of(colleague))
    login(client, owner)
    data = {"csrf_token": token(client), "name": "x"}
    for where in (f"/app/offers/views/{view_id}", f"/app/offers/views/{view_id}/delete"):
        assert client.post(where, data=data).status_code == 404
    assert "Secretă" not in client.get("/app/offers/views").get_data(as_text=True)
    assert [view.name for view in views_of(person_of(colleague))] == ["Secretă"]


def test_neither_name_nor_filter_lies_on_the_disk(app: Flask, owner: User, tmp_path: Path) -> None:
    saved_views.save("Vederea lui Xulescu", {"q": "xulescu", "email": "xulescu@client.example"}, by=person_of(owner))
    db.session.remove()
    for file in tmp_path.glob("bidflux.db*"):
        assert b"ulescu" not in file.read_bytes(), file


def test_a_view_that_looks_for_somebody_forgotten_goes_with_them(app: Flask, owner: User) -> None:
    prop, by = make_property(owner.agency_id, owner.id), person_of(owner)
    gone = make_offer(prop)
    stays = make_draft(bidder=Bidder("Dan Popescu", "dan@client.example", "+40722000333"))
    make_offer(prop, stays)
    for name, query in {
        "Nume": {"q": "țurcanu"}, "Adresă": {"email": "andrei.turcanu@client.example"}, "Telefon": {"q": "0722000111"},
        "Alt nume": {"q": "popescu"}, "Numerar": {"financing": "credit"},
    }.items():  # fmt: skip
        saved_views.save(name, query, by=by)
    agent = person_of(make_user(owner.agency_id))
    saved_views.save("Al unei colege", {"q": "popescu"}, by=agent)  # of whom this agent may see nothing any more
    forget, stop = hourly.searches(), threading.Event()
    assert forget(stop) == 0
    assert len(views_of(by)) == 5
    erasure.erase_all(owner.agency_id, [gone], "person")
    assert forget(stop) == 3
    assert [view.name for view in views_of(by)] == ["Alt nume", "Numerar"]
    assert [view.name for view in views_of(agent)] == ["Al unei colege"]
