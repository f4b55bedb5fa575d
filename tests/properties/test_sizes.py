"""Areas, rooms and prices as people and CRMs write them: read exactly, asked about, or refused."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import downgrade, upgrade
from openpyxl import Workbook
from sqlalchemy import select

from app.core.ledger import SYSTEM
from app.extensions import db
from app.feeds import editing as feeds
from app.feeds import tries
from app.feeds.editing import FeedValues
from app.models import Property, User
from app.models.feed import FeedRun
from app.models.property import PROPERTY_TYPES
from app.properties.plausible import SIZES, is_usual
from app.workers.feeds import read_due_feeds, try_due_feeds
from tests.core.test_migrations import FOLDER
from tests.factories import login, make_agency, make_property, make_user
from tests.properties.test_form import send
from tests.public.test_offer_form import path_of


@pytest.fixture
def owner(client: FlaskClient, app: Flask) -> User:
    user = make_user(make_agency(), "owner")
    login(client, user)
    return user


def saved(client: FlaskClient, **typed: Any) -> Property | None:
    send(client, "/app/properties/new", **{"property_type": "apartment", **typed})
    db.session.rollback()
    return db.session.scalars(select(Property)).one_or_none()


@pytest.mark.parametrize(
    ("name", "typed", "size"),
    [
        ("usable_area_sqm", "65.5", 65.5), ("usable_area_sqm", "65,5", 65.5), ("usable_area_sqm", "72.40 mp", 72.4),
        ("usable_area_sqm", "72,40 m²", 72.4), ("usable_area_sqm", "72 m2", 72),
        ("usable_area_sqm", "72.05 MP.", 72.05),
        ("usable_area_sqm", "６５,５", 65.5), ("rooms", "2.5", 2.5), ("rooms", "2,5", 2.5), ("rooms", "3 camere", 3),
        ("land_area_sqm", "1 250,5 mp", 1250.5), ("land_area_sqm", "0,5 ha", 5000), ("land_area_sqm", "5 ari", 500),
    ],
)  # fmt: skip
def test_sizes_are_read_exactly(client: FlaskClient, owner: User, name: str, typed: str, size: float) -> None:
    prop = saved(client, **{name: typed})
    assert prop is not None and getattr(prop, name) == size
    page = client.get(f"/app/properties/{prop.id}/edit").get_data(as_text=True)
    assert f'value="{str(size).replace(".", ",")}"' in page, "and shown to be typed again"


@pytest.mark.parametrize(
    ("name", "typed", "kind"),
    [
        ("usable_area_sqm", "1.250", "house"), ("usable_area_sqm", "7.240", "apartment"), ("rooms", "2.500", "house"),
        ("usable_area_sqm", "1,250", "house"), ("usable_area_sqm", "7240", "apartment"), ("rooms", "200", "house"),
        ("usable_area_sqm", "0.5", "apartment"), ("rooms", "25", "apartment"), ("land_area_sqm", "2.500", "land"),
    ],
)  # fmt: skip
def test_what_is_doubtful_is_asked_about_and_answered(
    client: FlaskClient, owner: User, name: str, typed: str, kind: str
) -> None:
    page = send(client, "/app/properties/new", **{name: typed, "property_type": kind}).get_data(as_text=True)
    assert db.session.scalar(select(Property)) is None
    key = page.split(f'value="{name}:')[1].split('"')[0]
    send(client, "/app/properties/new", **{name: typed, "property_type": kind, "confirmed": f"{name}:{key}"})
    db.session.rollback()
    assert getattr(db.session.scalars(select(Property)).one(), name) == float(key)


@pytest.mark.parametrize(
    "typed", ["-3", "65.5.5", "72,405", "abc", "65 lei", "2 x 30", "65+7", ".5", "1e3", "0", "9" * 12]
)
def test_what_is_no_size_is_refused(client: FlaskClient, owner: User, typed: str) -> None:
    if typed == "72,405":  # has two meanings
        assert saved(client, usable_area_sqm=typed) is None
        return
    answer = send(client, "/app/properties/new", usable_area_sqm=typed)
    assert answer.status_code == 422 and "cel mult două zecimale" in answer.get_data(as_text=True)


def test_a_buyer_reads_the_very_size(client: FlaskClient, app: Flask) -> None:
    prop = make_property(agency := make_agency(), make_user(agency).id, usable_area_sqm=65.5, rooms=2.5)
    page = client.get(path_of(prop)).get_data(as_text=True)
    assert "65,5 m²" in page and ">2,5<" in page


def read_csv(owner: User, separators: str, price: str, area: str, currency: str = "") -> tuple[Property | None, Any]:
    file = f'id;title;price;area;currency\n1;Teren;"{price}";"{area}";{currency}\n'.encode()
    names = {"external_id": "id", "title": "title", "asking_price": "price", "land_area_sqm": "area"}
    names |= {"currency": "currency"} if currency else {}
    values = FeedValues("C", "csv", file=file, mapping=names, separators=separators)
    feed_id = feeds.create(owner.agency_id, values, by=SYSTEM)
    feeds.ask(feeds.get_feed(owner.agency_id, feed_id), by=SYSTEM)
    assert read_due_feeds() == 1
    db.session.rollback()
    run = db.session.scalars(select(FeedRun).where(FeedRun.feed_id == feed_id)).one()
    return db.session.scalars(select(Property)).one_or_none(), json.loads(run.errors)


@pytest.mark.parametrize(
    ("separators", "price", "area", "minor", "size"),
    [
        ("ask", "125.000", "2500", 12500000, 2500), ("ask", "125.000,00", "2500,5", 12500000, 2500.5),
        ("ask", "125000,50", "72.40 mp", 12500050, 72.4), ("ask", "125’000", "1.250,5", 12500000, 1250.5),
        ("comma", "125.000", "2.500", 12500000, 2500), ("comma", "125000,50", "1,250", 12500050, 1.25),
        ("point", "125,000", "2.500", 12500000, 2.5), ("point", "125000.50", "1,250", 12500050, 1250),
        ("point", "125,000.00 EUR", "900.000", 12500000, 900),
    ],
)  # fmt: skip
def test_a_feed_is_read_as_its_setting_says(
    owner: User, separators: str, price: str, area: str, minor: int, size: float
) -> None:
    prop, errors = read_csv(owner, separators, price, area)
    assert prop is not None, errors
    assert (prop.asking_minor, prop.land_area_sqm) == (minor, size)


@pytest.mark.parametrize(
    ("separators", "price", "area", "fields"),
    [
        ("ask", "125,000", "2.500", {"asking_price", "land_area_sqm"}), ("ask", "1", "1,250", {"land_area_sqm"}),
        ("comma", "125000.50", "10", {"asking_price"}), ("point", "125000,50", "10", {"asking_price"}),
        ("comma", "1.25.000", "2.50", {"asking_price", "land_area_sqm"}), ("ask", "125 mil", "10", {"asking_price"}),
    ],
)  # fmt: skip
def test_what_a_feed_cannot_mean_is_an_error_of_its_row(
    owner: User, separators: str, price: str, area: str, fields: set[str]
) -> None:
    prop, errors = read_csv(owner, separators, price, area)
    assert prop is None and {one["field"] for one in errors} == fields


def test_a_price_with_its_currency_says_the_currency(owner: User) -> None:
    prop, _errors = read_csv(owner, "ask", "700.000 lei", "300")
    assert prop is not None and (prop.currency, prop.asking_minor) == ("RON", 700_000_00)


@pytest.mark.parametrize(("price", "currency"), [("700.000 lei", "EUR"), ("€ 5.000", "lei"), ("$ 5.000", "EUR")])
def test_a_price_in_another_currency_than_its_column_is_refused(owner: User, price: str, currency: str) -> None:
    prop, errors = read_csv(owner, "ask", price, "300", currency)
    assert prop is None and [one["field"] for one in errors] == ["asking_price"]


def test_a_size_that_is_hardly_right_comes_in_and_is_named(owner: User) -> None:
    prop, errors = read_csv(owner, "comma", "1", "0,5")
    assert prop is not None and prop.land_area_sqm == 0.5
    assert [one["field"] for one in errors] == ["land_area_sqm"]


def test_a_try_shows_the_values_as_they_were_read(client: FlaskClient, owner: User) -> None:
    file = b'id;title;price;area\n1;Teren;125.000;"72,40"\n'
    names = {"external_id": "id", "title": "title", "asking_price": "price", "land_area_sqm": "area"}
    feed_id = feeds.create(owner.agency_id, FeedValues("C", "csv", file=file, mapping=names), by=SYSTEM)
    tries.ask(feeds.get_feed(owner.agency_id, feed_id), by=SYSTEM)
    assert try_due_feeds() == 1
    page = client.get(f"/app/settings/feeds/{feed_id}").get_data(as_text=True)
    assert "72,4" in page and "125.000" in page and 'name="separators"' in page


def test_every_type_has_usual_sizes() -> None:
    for kind in PROPERTY_TYPES:
        for name in SIZES:
            assert not is_usual(name, 10**9, kind) and is_usual(name, 20, kind)


def test_sizes_survive_the_migration_and_come_back_whole(either_app: Flask) -> None:
    prop = make_property(agency := make_agency(), make_user(agency).id, usable_area_sqm=65.5, rooms=3)
    prop_id = prop.id
    db.session.remove()
    downgrade(directory=FOLDER, revision="0034")
    upgrade(directory=FOLDER)
    db.session.remove()
    found = db.session.get_one(Property, prop_id)
    assert (found.usable_area_sqm, found.rooms, found.land_area_sqm) == (66, 3, None)


@pytest.mark.parametrize("separators", ["ask", "comma", "point"])
def test_a_number_of_a_workbook_needs_no_setting(owner: User, separators: str) -> None:
    book = Workbook()
    for line in (("id", "title", "price", "area"), ("1", "Teren", 125000.5, 72.456), ("2", "Casă", 125, 0.1 + 0.2)):
        book.active.append(line)
    book.save(out := io.BytesIO())
    names = {"external_id": "id", "title": "title", "asking_price": "price", "land_area_sqm": "area"}
    values = FeedValues("C", "csv", file=out.getvalue(), mapping=names, separators=separators)
    feeds.ask(feeds.get_feed(owner.agency_id, feeds.create(owner.agency_id, values, by=SYSTEM)), by=SYSTEM)
    assert read_due_feeds() == 1
    db.session.rollback()
    found = db.session.scalars(select(Property).order_by(Property.external_id)).all()
    assert [(one.asking_minor, one.land_area_sqm) for one in found] == [(12500050, 72.46), (12500, 0.3)]
