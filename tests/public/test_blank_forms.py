"""Blank forms from memory are what would be rendered now, for this link, this language and this moment alone."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import JSON, inspect, select, update

from app.blueprints.public.blank_forms import MOST
from app.blueprints.public.routes import blank_forms
from app.core.ledger import SYSTEM
from app.core.recently_used import RecentlyUsed
from app.core.signed_links import OFFER_LINK, STAMP, OfferLink, read, sign
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Agency, Property, User
from app.models.base import Hundredths, UtcDateTime
from app.privacy import retention
from app.proof import texts
from app.properties import linked
from app.properties.linked import linked_property
from tests.factories import make_agency, make_property, make_user
from tests.public.test_offer_form import hidden, path_of, send

VARIES = re.compile(r'name="stamp" value="[^"]*"|data-now="[^"]*"')


def get(client: FlaskClient, path: str, **said: Any) -> str:
    answer = client.get(path, **said)
    assert answer.status_code == 200 and answer.mimetype == "text/html"
    return answer.get_data(as_text=True)


def change(table: type, row_id: uuid.UUID, **values: Any) -> None:
    with housekeeping() as connection:
        connection.execute(update(table).where(table.id == row_id).values(**values))  # type: ignore[attr-defined]


def other(value: Any, column: Any) -> Any:
    """Another value of the same kind."""
    kind = {UtcDateTime: datetime, Hundredths: float, JSON: dict}.get(type(column.type)) or column.type.python_type
    if kind is bool:
        return not value
    if kind is datetime:
        return (value or datetime(2030, 1, 1, tzinfo=UTC)) + timedelta(days=1)
    plain = {
        dict: {"message": "hidden"},
        uuid.UUID: uuid.uuid4(),
        date: date(2030, 1, 1),
        str: "zz",
        int: 7,
        float: 7.5,
    }
    return plain[kind] if value != plain[kind] else None


# What ties rows to each other, or is one of few words: changed below, as far as a page shows it.
KEYS = {"id", "agency_id", "agent_id", "test_of_id", "currency", "transaction_type", "role", "active"}
TOGETHER = {
    "archived_at": {"accepts_offers": False},
    "offers_close_at": {"offers_open_at": None},
}


@pytest.mark.parametrize("table", [Property, User, Agency])
def test_every_column_that_changes_makes_another_object(either_app: Flask, prop: Property, table: type) -> None:
    row_id = {Property: prop.id, User: prop.agent_id, Agency: prop.agency_id}[table]
    changed = 0
    for name, column in inspect(table).columns.items():
        if name in KEYS or name in linked.NOT_SHOWN:
            continue
        before = linked_property(prop.id)
        assert before is linked_property(prop.id)
        held = {Property: before, User: before and before.agent, Agency: before and before.agency}[table]
        value = other(getattr(held, name), column)
        left = {"active": False, "account_id": None} if (table, name) == (User, "email") else {}
        change(table, row_id, **{name: value}, **TOGETHER.get(name, left))
        after = linked_property(prop.id)
        assert after is not None and after is not before, name
        held = {Property: after, User: after.agent, Agency: after.agency}[table]
        assert getattr(held, name) == value, name
        changed += 1
    assert changed > 3


def test_what_offers_move_makes_no_other_object(either_app: Flask, prop: Property) -> None:
    before = linked_property(prop.id)
    change(Agency, prop.agency_id, head_seq=99, event_seq=99, all_bytes=99)
    assert linked_property(prop.id) is before
    assert linked_property(uuid.uuid4()) is None


def test_a_form_from_memory_is_the_form_rendered(client: FlaskClient, prop: Property) -> None:
    closes = datetime.now(UTC) + timedelta(days=3)
    for given in ({}, {"offers_close_at": closes, "signature_required": True, "description": "lung " * 500}):
        change(Property, prop.id, accepts_offers=True, **given)
        for path in (path_of(prop), f"/en{path_of(prop)}"):
            blank_forms.kept = RecentlyUsed(MOST)
            pages = [get(client, path) for _ in range(3)]
            kept = len(blank_forms.kept)
            fresh = get(client, f"{path}?x=1").replace("?x=1", "")
            assert kept == len(blank_forms.kept) == 1
            assert {VARIES.sub("", page) for page in [*pages, fresh]} == {VARIES.sub("", fresh)}
            stamps = [read(STAMP, hidden(page)["stamp"][0], prop.id) for page in pages]
            assert len({stamp.nonce for stamp in stamps}) == 3
            assert all(page.count(hidden(page)["stamp"][0]) == 1 for page in pages)
            assert len({stamp.shown for stamp in stamps}) == 1


def test_the_clock_of_each_form_is_its_own(client: FlaskClient, prop: Property) -> None:
    with time_machine.travel(datetime(2026, 11, 28, 12, tzinfo=UTC), tick=False) as clock:
        change(Property, prop.id, offers_close_at=datetime(2026, 11, 29, 12, tzinfo=UTC))
        for hour in (12, 13, 14):
            page = get(client, path_of(prop))
            assert re.findall(r'data-now="([^"]*)"', page) == [f"2026-11-28T{hour}:00:00+00:00"]
            assert read(STAMP, hidden(page)["stamp"][0]).opened == datetime(2026, 11, 28, hour, tzinfo=UTC).timestamp()
            clock.shift(timedelta(hours=1))
        clock.shift(timedelta(days=1))
        assert client.get(path_of(prop)).status_code == 410


def test_a_change_shows_at_once(client: FlaskClient, prop: Property) -> None:
    def shows(what: str, before: bool = False) -> None:
        assert (what in get(client, path_of(prop))) is before
        assert (what in get(client, path_of(prop))) is before  # and from memory

    change(Property, prop.id, photo_id=None)
    for table, row_id, values, seen in (
        (Property, prop.id, {"title": "Casă nouă"}, "Casă nouă"),
        (Property, prop.id, {"asking_minor": 99_999_00}, "99.999"),
        (Property, prop.id, {"signature_required": True}, "signature_drawn"),
        (Property, prop.id, {"currency": "RON"}, "Oferta este în lei"),
        (User, prop.agent_id, {"full_name": "Altă Persoană"}, "Altă Persoană"),
        (Agency, prop.agency_id, {"name": "Alt Nume SRL"}, "Alt Nume SRL"),
    ):
        shows(seen)
        change(table, row_id, **values)
        shows(seen, before=True)
    shows("Notificarea noastră")
    texts.set_notice(prop.agency_id, "ro", "Notificarea noastră de confidențialitate. " * 9, by=SYSTEM)
    shows("Notificarea noastră", before=True)
    texts.set_notice(prop.agency_id, "ro", "", by=SYSTEM)
    shows("17 zile")
    retention.set_days(prop.agency_id, {**retention.DEFAULTS, "undecided_days": 17}, by=SYSTEM)
    shows("17 zile", before=True)
    colleague = make_user(prop.agency_id, full_name="Coleg Nou")
    shows("Coleg Nou")
    change(Property, prop.id, agent_id=colleague.id)
    shows("Coleg Nou", before=True)
    path = path_of(prop)
    for closing in ({"accepts_offers": False}, {"accepts_offers": True, "link_version": 2}, {"availability": "sold"}):
        change(Property, prop.id, **closing)
        assert client.get(path).status_code == 410


def test_nobody_gets_the_form_of_another_link_or_language(client: FlaskClient, prop: Property) -> None:
    props = [prop]
    for number in range(3):
        agency = make_agency(f"Agenția {number}")
        props.append(make_property(agency, make_user(agency, full_name=f"Agent {number}").id))
    said = {
        "ro": {"headers": {"Accept-Language": "ro"}},
        "en": {"headers": {"Accept-Language": "en, ro;q=0.5"}},
    }
    shown = select(Agency.name, User.full_name).join(User, User.agency_id == Agency.id)
    for _ in range(3):
        for one in props:
            agency, agent = db.session.execute(shown.where(User.id == one.agent_id)).one()
            for code in ("ro", "en"):
                for path, headers in ((f"/{code}{path_of(one)}", {}), (path_of(one), said[code])):
                    page = get(client, path, **headers)
                    assert f'<html lang="{code}">' in page and agency in page and agent in page
                    assert f'action="{path}"' in page and read(STAMP, hidden(page)["stamp"][0]).property_id == one.id
                    assert "?" not in re.findall(r'formaction="([^"]*)"', page)[0]
                    assert not any(f"Agent {n}" in page for n in range(3) if f"Agent {n}" != agent)
    assert client.get(f"/o/{sign(OFFER_LINK, OfferLink(prop.id, 2))}").status_code == 410


def test_what_one_request_says_of_itself_is_in_nobody_elses_form(client: FlaskClient, prop: Property) -> None:
    """A form that asks for its page shows it with its own words in it; the next reader has not said them."""
    blank_forms.kept = RecentlyUsed(MOST)
    planted = client.post(
        path_of(prop),
        data={"refill": "planted-form", "full_name": "Planted Name"},
        headers={"Referer": f"http://localhost{path_of(prop)}"},
    )
    assert "planted-form" in planted.get_data(as_text=True)
    for query in ("", "?replaces=BF-PLANTED2"):
        get(client, path_of(prop) + query)
        assert "planted" not in get(client, path_of(prop)).lower()


def test_an_offer_leaves_the_shared_property_as_it_was(client: FlaskClient, prop: Property) -> None:
    shared = linked_property(prop.id)
    assert shared is not None
    before = [dict(one.__dict__) for one in (shared, shared.agent, shared.agency)]
    assert send(client, path_of(prop)).status_code == 303
    assert shared is linked_property(prop.id)
    assert [dict(one.__dict__) for one in (shared, shared.agent, shared.agency)] == before
    assert inspect(shared).detached and "password_hash" not in shared.agent.__dict__


def test_memory_is_bounded_by_bytes_and_holds_five_hundred_forms(client: FlaskClient, prop: Property) -> None:
    kept: RecentlyUsed[str] = RecentlyUsed(100)
    for number in range(20):
        kept.put(number, f"value {number}", 10)
        assert kept.get(0) == "value 0"
    assert len(kept) == 10 and [kept.get(number) for number in (1, 10, 19)] == [None, None, "value 19"]
    kept.put(19, "larger", 40)
    assert len(kept) == 7 and kept.get(19) == "larger" and kept.get(0) == "value 0"
    kept.put("huge", "x", 101)
    assert len(kept) == 0
    assert MOST // len(get(client, path_of(prop)).encode()) >= 512
