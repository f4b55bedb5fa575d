"""Times that are not touched do not move; those that come twice or never are asked about."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.core import local_times
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import Agency, OfferRequest, Property, User
from app.offers.list.filter import read_filter
from app.properties import editing as service
from tests.factories import csrf, login, make_agency, make_offer, make_property, make_user

BUCHAREST = "Europe/Bucharest"
TODAY = datetime(2026, 9, 1, 9, 0, tzinfo=UTC)
TWICE_FIRST, TWICE_SECOND = datetime(2027, 10, 31, 0, 30, tzinfo=UTC), datetime(2027, 10, 31, 1, 30, tzinfo=UTC)


@pytest.fixture
def owner(client: FlaskClient, app: Flask) -> User:
    user = make_user(make_agency(), "owner")
    login(client, user)
    return user


def kept() -> Property:
    db.session.rollback()
    return db.session.query(Property).one()


def fields(page: str) -> dict[str, str]:
    """What a browser would send back of the property's form, left as it is."""
    form = next(one for one in re.findall(r"<form.*?</form>", page, re.S) if 'name="version"' in one)
    found = {}
    for tag in re.findall(r"<input[^>]*>", form):
        name, kind = re.search(r'name="([^"]+)"', tag), re.search(r'type="([^"]+)"', tag)
        if name and kind and (kind[1] not in {"checkbox", "radio", "file"} or " checked" in tag):
            value = re.search(r'value="([^"]*)"', tag)
            found[name[1]] = unescape(value[1]) if value else "y"
    for name, options in re.findall(r'<select[^>]*name="([^"]+)"[^>]*>(.*?)</select>', form, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options) or re.search(r'value="([^"]*)"', options)
        found[name] = chosen[1] if chosen else ""
    return found


def save(client: FlaskClient, path: str, **typed: str) -> TestResponse:
    held = fields(client.get(path).get_data(as_text=True))
    return client.post(path, data={**held, **typed}, content_type="multipart/form-data")


def by_crm(user: User, **times: datetime) -> str:
    prop = make_property(user.agency_id, user.id, external_id="crm-1")
    service.change(prop, times, by=SYSTEM)
    return f"/app/properties/{prop.id}/edit"


@pytest.mark.parametrize(
    "held",
    [
        datetime(2027, 6, 30, 20, 59, 59, tzinfo=UTC),
        datetime(2027, 6, 30, 20, 59, 59, 999_999, tzinfo=UTC),
        datetime(2027, 6, 30, 20, 59, 0, 1, tzinfo=UTC),
        TWICE_FIRST,
        TWICE_SECOND,
        TWICE_SECOND + timedelta(seconds=59),
    ],
)
@pytest.mark.parametrize("where", ["edit", "crm"])
def test_what_was_not_touched_keeps_its_value(client: FlaskClient, owner: User, held: datetime, where: str) -> None:
    with time_machine.travel(TODAY, tick=False):
        path = by_crm(owner, offers_close_at=held, offers_open_at=held - timedelta(days=40, seconds=7))
        if where == "crm":
            path = "/app/properties/external/crm-1"
        login(client, owner)
        typed = {"title": "Altul"} if where == "edit" else {"signature_required": "y"}
        assert save(client, path, **typed).status_code == 303
    assert kept().version == 3
    assert (kept().offers_close_at, kept().offers_open_at) == (held, held - timedelta(days=40, seconds=7))


def test_a_window_that_has_begun_and_ended_stays_as_it_is(client: FlaskClient, owner: User) -> None:
    begun, ended = datetime(2026, 7, 1, 5, 0, 3, tzinfo=UTC), datetime(2026, 8, 1, 20, 59, 59, tzinfo=UTC)
    with time_machine.travel(TODAY, tick=False):
        path = by_crm(owner, offers_open_at=begun, offers_close_at=ended)
        login(client, owner)
        assert save(client, path, title="Altul").status_code == 303
    assert (kept().offers_open_at, kept().offers_close_at) == (begun, ended)


def test_the_time_that_comes_twice_is_asked_about(client: FlaskClient, owner: User) -> None:
    with time_machine.travel(TODAY, tick=False):
        path = by_crm(owner, offers_close_at=datetime(2027, 6, 1, 9, 0, tzinfo=UTC))
        login(client, owner)
        for wanted in (TWICE_SECOND, TWICE_FIRST):
            asked = save(client, path, offers_close_at="2027-10-31T03:30")
            page = asked.get_data(as_text=True)
            assert asked.status_code == 422
            assert kept().offers_close_at not in {TWICE_FIRST, TWICE_SECOND} or wanted == TWICE_FIRST
            keys = re.findall(r'name="confirmed\.offers_close_at"\s+value="([^"]+)"', page)
            assert len(keys) == 2
            key = next(unescape(one) for one in keys if wanted.isoformat() in unescape(one))
            given = {"offers_close_at": "2027-10-31T03:30", "confirmed.offers_close_at": key}
            assert save(client, path, **given).status_code == 303
            assert kept().offers_close_at == wanted
            save(client, path, offers_close_at="2027-06-01T12:00")


@pytest.mark.parametrize("where", ["edit", "crm"])
def test_the_time_that_does_not_exist_is_asked_about(client: FlaskClient, owner: User, where: str) -> None:
    with time_machine.travel(TODAY, tick=False):
        path = by_crm(owner)
        if where == "crm":
            path = "/app/properties/external/crm-1"
        login(client, owner)
        asked = save(client, path, offers_close_at="2027-03-28T03:30")
        assert asked.status_code == 422
        assert kept().offers_close_at is None
        page = asked.get_data(as_text=True)
        assert "28 martie 2027, 03:30 nu există" in page
        key = re.search(r'name="confirmed"\s+value="([^"]+)"', page)
        assert key
        given = {"offers_close_at": "2027-03-28T03:30", "confirmed": unescape(key[1])}
        assert save(client, path, **given).status_code == 303
    assert kept().offers_close_at == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)


def test_an_answer_is_good_for_its_own_field_and_time_only(client: FlaskClient, owner: User) -> None:
    with time_machine.travel(TODAY, tick=False):
        path = by_crm(owner)
        login(client, owner)
        page = save(client, path, offers_close_at="2027-03-28T03:30").get_data(as_text=True)
        key = re.search(r'name="confirmed"\s+value="([^"]+)"', page)
        assert key
        for times in ({"offers_close_at": "2027-03-28T03:31"}, {"offers_open_at": "2027-03-28T03:30"}):
            assert save(client, path, confirmed=unescape(key[1]), **times).status_code == 422


def test_times_are_those_of_the_zone_that_the_form_named(client: FlaskClient, owner: User) -> None:
    """The owner moves the agency to another zone while an agent has the form open."""
    with time_machine.travel(TODAY, tick=False):
        path = by_crm(owner)
        login(client, owner)
        held = fields(client.get(path).get_data(as_text=True))
        db.session.execute(update(Agency).values(zone="Europe/London"))
        db.session.commit()
        data = {**held, "offers_close_at": "2027-06-01T12:00"}
        assert client.post(path, data=data, content_type="multipart/form-data").status_code == 303
    assert kept().offers_close_at == datetime(2027, 6, 1, 9, 0, tzinfo=UTC)


def test_the_end_of_a_better_offer_is_asked_about(client: FlaskClient, owner: User) -> None:
    with time_machine.travel(datetime(2027, 3, 20, 9, 0, tzinfo=UTC), tick=False):
        offer_id = make_offer(make_property(owner.agency_id, owner.id))
        login(client, owner)
        token = csrf(client.get(f"/app/offers/better?offer={offer_id}").get_data(as_text=True))
        data = {"csrf_token": token, "offer": str(offer_id), "until": "2027-03-28T03:30", "next": "/app/offers"}
        asked = client.post("/app/offers/better", data=data)
        assert asked.status_code == 422
        assert db.session.query(OfferRequest).count() == 0
        key = re.search(r'name="confirmed"\s+value="([^"]+)"', asked.get_data(as_text=True))
        assert key
        assert client.post("/app/offers/better", data={**data, "confirmed": unescape(key[1])}).status_code == 303
    assert db.session.query(OfferRequest).one().deadline == datetime(2027, 3, 28, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize("name", ["submitted_after", "submitted_before", "updated_since"])
@pytest.mark.parametrize(
    "text", ["2027-10-31T03:30", "2027-10-31T03:30:00", "2027-03-28T03:30", "2027-03-28 03:30", "31.02.2027", "mâine"]
)
def test_a_filter_says_what_it_cannot_know(name: str, text: str) -> None:
    chosen, errors = read_filter({name: text}, BUCHAREST)
    assert list(errors) == [name]
    assert getattr(chosen, name) is None


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2027-10-31T03:30:00+02:00", TWICE_SECOND),
        ("2027-10-31T03:30:00+03:00", TWICE_FIRST),
        ("2027-10-31T04:30", datetime(2027, 10, 31, 2, 30, tzinfo=UTC)),
        ("2027-10-31", datetime(2027, 10, 30, 21, 0, tzinfo=UTC)),
        ("31.10.2027", datetime(2027, 10, 30, 21, 0, tzinfo=UTC)),
        ("31 oct. 27", datetime(2027, 10, 30, 21, 0, tzinfo=UTC)),
        ("2027-03-29", datetime(2027, 3, 28, 21, 0, tzinfo=UTC)),
    ],
)
def test_a_filter_knows_what_is_plain(text: str, meant: datetime) -> None:
    chosen, errors = read_filter({"submitted_after": text}, BUCHAREST)
    assert not errors
    assert chosen.submitted_after
    assert chosen.submitted_after.at == meant


@pytest.mark.parametrize(
    "zone", [BUCHAREST, "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo"]
)
def test_every_minute_of_a_year_is_read_back_as_it_was_shown(zone: str) -> None:
    """What a field shows of any moment, left alone, is that moment; typed anew it is that moment, or it is asked."""
    here, at = ZoneInfo(zone), datetime(2011, 1, 1, 0, 0, 41, tzinfo=UTC)
    while at.year == 2011:
        shown = local_times.shown_in(at, zone)
        assert local_times.read("x", shown, zone, (), at) == at
        floor = at.replace(second=0)
        assert floor in local_times.meanings(local_times.naive(shown), here)
        at += timedelta(minutes=13)


@pytest.mark.parametrize(
    "text",
    ["", "mâine", "2027-06-01T12:00Z", "2027-06-01T12:00+03:00", "0001-01-01T00:00", "24:00", "2027-06-01", "1.6.2027",
     "2027-W22-2", "2027-06-01T24:00", "2027-06-01 12", "31.02.2027 12:00", "1.6.2027 12:60", "1.6.2027 1:2",
     "9" * 999],
)  # fmt: skip
def test_what_is_no_local_time_is_refused(text: str) -> None:
    with pytest.raises(local_times.NotATime):
        local_times.read("x", text, BUCHAREST, ())


@pytest.mark.parametrize(
    "text",
    ["2027-06-01T12:00", "2027-06-01 12:00", "2027-06-01T12:00:00", "1.6.2027 12:00", "01.06.2027, 12:00",
     "1 iunie 2027, ora 12:00", "marți, 1 iun. 2027 ora 12.00", "June 1, 2027 at 12:00", " 1/6/2027 12:00 "],
)  # fmt: skip
def test_a_local_time_as_people_write_it(text: str) -> None:
    assert local_times.naive(text) == datetime(2027, 6, 1, 12, 0)
