"""Photos that a CRM names: copied by a job through the guarded HTTP client, once, and served by us."""

from __future__ import annotations

import io
import ipaddress
import json
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from PIL import Image
from sqlalchemy import select, update

from app.core.clock import now
from app.core.ledger import SYSTEM
from app.extensions import db
from app.feeds import editing as feeds
from app.feeds.editing import FeedValues
from app.models import Event, PhotoCopy, Property, Upload
from app.outbound.images import read_photo
from app.properties import photos
from app.workers.feeds import read_due_feeds
from app.workers.photos import copy_due_photos
from tests.api.conftest import Crm
from tests.outbound.servers import Receiver, Request, receiving, reply


def picture(colour: str = "red", size: tuple[int, int] = (1600, 900)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, colour).save(out, "PNG")
    return out.getvalue()


class Album:
    """What the CRM's server shows by path."""

    def __init__(self) -> None:
        self.shown: dict[str, bytes | Callable[[], Iterator[bytes]] | None] = {}
        self.url = ""

    def answer(self, request: Request) -> Iterator[bytes] | bytes | None:
        said = self.shown.get(request.path, reply(404))
        return said() if callable(said) else said


def cut() -> Iterator[bytes]:
    """Half a picture, then the line goes dead."""
    yield reply(body=picture())[:-50]
    raise OSError


@pytest.fixture
def album(app: Flask) -> Iterator[Album]:
    held = app.extensions["bidflux_settings"]
    app.extensions["bidflux_settings"] = replace(held, webhook_allow_networks=(ipaddress.ip_network("127.0.0.0/8"),))
    album = Album()
    with receiving(album.answer) as server:
        album.url = server.url
        album.server = server  # type: ignore[attr-defined]
        yield album
    app.extensions["bidflux_settings"] = held


def put(crm: Crm, photo: str | None, **more: object) -> dict[str, object]:
    answer = crm.put("A-1", photo_url=photo, **more)
    assert answer.status_code in {200, 201}, answer.text
    return dict(answer.json or {})


def asked(album: Album) -> list[str]:
    server: Receiver = album.server  # type: ignore[attr-defined]
    return [request.path for request in server.requests]


def copy() -> PhotoCopy:
    db.session.rollback()
    return db.session.scalars(select(PhotoCopy)).one()


def test_a_photo_is_copied_once_and_served_by_us(crm: Crm, album: Album, client: FlaskClient) -> None:
    album.shown["/a.png"] = reply(body=picture())
    assert put(crm, f"{album.url}/a.png")["photo_url"] is None, "nobody waits for the other server"
    assert copy_due_photos() == 1
    shown = (crm.get("/properties?external_id=A-1").json or {})["data"][0]
    served = client.get("/photos/" + shown["photo_url"].rsplit("/", 1)[1])
    assert served.mimetype == "image/jpeg" and Image.open(io.BytesIO(served.data)).size == (1280, 720)
    kinds = list(db.session.scalars(select(Event.type).order_by(Event.seq)))
    assert kinds[-2:] == ["property.created", "property.updated"]

    put(crm, f"{album.url}/a.png", city="Iași")
    put(crm, str(shown["photo_url"]))  # what was read, written back
    assert copy_due_photos() == 0 and asked(album) == ["/a.png"]
    assert len(db.session.scalars(select(Upload)).all()) == 1


def test_the_same_picture_elsewhere_changes_nothing(crm: Crm, album: Album) -> None:
    album.shown = {"/a.png": reply(body=picture()), "/a.png?signed=2": reply(body=picture())}
    put(crm, f"{album.url}/a.png")
    copy_due_photos()
    version = db.session.scalars(select(Property.version)).one()
    put(crm, f"{album.url}/a.png?signed=2")
    assert copy_due_photos() == 1
    db.session.rollback()
    assert db.session.scalars(select(Property.version)).one() == version


def test_another_photo_replaces_it_and_null_removes_it(crm: Crm, album: Album) -> None:
    album.shown = {"/a.png": reply(body=picture()), "/b.png": reply(body=picture("blue"))}
    put(crm, None)
    put(crm, f"{album.url}/a.png")
    copy_due_photos()
    first = db.session.scalars(select(Upload.id)).one()
    put(crm, f"{album.url}/b.png")
    copy_due_photos()
    db.session.rollback()
    assert db.session.scalars(select(Upload.id)).one() != first
    assert put(crm, None)["photo_url"] is None
    assert not db.session.scalars(select(Upload)).all() and not db.session.scalars(select(PhotoCopy)).all()
    assert (crm.put("A-1").json or {})["photo_url"] is None


FAULTS = {
    "gone": (reply(404), "status", False),
    "no picture": (reply(body=b"<html>"), "not_photo", False),
    "too large": (reply(body=b"x" * (10 * 1024 * 1024 + 1)), "large", False),
    "elsewhere": (reply(302, Location="http://169.254.169.254/"), "status", False),
    "busy": (reply(503), "status", True),
    "hung up": (None, "broken", True),
    "shorter than promised": (cut, "broken", True),
}


@pytest.mark.parametrize("name", FAULTS)
def test_what_cannot_be_copied_is_told_and_tried_again_only_when_that_may_help(
    name: str, crm: Crm, album: Album
) -> None:
    album.shown["/a.png"], fault, again = FAULTS[name]
    put(crm, f"{album.url}/a.png")
    assert copy_due_photos() == 1
    assert copy().fault == fault and (copy().due_at is not None) == again
    assert photos.failed(crm.owner.agency_id)[0][1] == fault
    for _ in range(9):
        db.session.execute(update(PhotoCopy).where(PhotoCopy.due_at.is_not(None)).values(due_at=now()))
        db.session.commit()
        copy_due_photos()
    assert len(asked(album)) == (5 if again else 1) and copy().due_at is None
    album.shown["/b.png"] = reply(body=picture())
    put(crm, f"{album.url}/b.png")
    copy_due_photos()
    assert not photos.failed(crm.owner.agency_id)


def test_no_photo_is_fetched_from_inside(crm: Crm) -> None:
    put(crm, "http://127.0.0.1:9/a.png")
    copy_due_photos()
    assert copy().fault == "address" and copy().due_at is None


def test_a_photo_named_while_another_is_fetched_wins(crm: Crm, album: Album, app: Flask) -> None:
    album.shown = {"/a.png": reply(body=picture()), "/b.png": reply(body=picture("blue"))}
    put(crm, f"{album.url}/a.png")
    taken = photos._take(crm.owner.agency_id)
    assert taken and photos._take(crm.owner.agency_id) is None, "two at once"
    put(crm, f"{album.url}/b.png")
    photos._keep(taken, read_photo(picture()))
    assert not db.session.scalars(select(Upload)).all() and copy().due_at is not None
    assert copy_due_photos() == 1 and asked(album) == ["/b.png"]


def test_a_feed_names_photos_and_waits_for_none(crm: Crm, album: Album) -> None:
    rows = [
        {"internal_id": "1", "title": "A", "images": [f"{album.url}/a.png", f"{album.url}/b.png"]},
        {"internal_id": "2", "title": "B", "images": [{"id": 4, "url": f"{album.url}/b.png"}]},
        {"internal_id": "3", "title": "C", "images": []},
        {"internal_id": "4", "title": "D", "images": [17]},
    ]
    album.shown = {"/a.png": reply(body=picture()), "/b.png": reply(body=picture("blue"))}
    album.shown["/api"] = reply(body=json.dumps({"meta": {"next": None}, "objects": rows}).encode())
    made = feeds.create(
        crm.owner.agency_id, FeedValues("REBS", "rebs", url=f"{album.url}/api", every_hours=6), by=SYSTEM
    )
    assert read_due_feeds() == 1
    assert feeds.runs_of(feeds.get_feed(crm.owner.agency_id, made))[0].created == 4
    assert asked(album) == ["/api"]
    assert copy_due_photos() == 2 and sorted(asked(album)) == ["/a.png", "/api", "/b.png"]
    feeds.ask(feeds.get_feed(crm.owner.agency_id, made), by=SYSTEM)
    assert read_due_feeds() == 1 and copy_due_photos() == 0
    assert feeds.runs_of(feeds.get_feed(crm.owner.agency_id, made))[0].unchanged == 4
