"""No agency grows without bound: what it may hold and write is held under its lock, and said in words.

What a buyer sends through a link is never refused because of it.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update

from app.accounts import editing as accounts
from app.core.clock import now
from app.core.errors import QuotaOfDay, QuotaReached
from app.core.ledger import SYSTEM, Actor
from app.core.quotas import GB, MB
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.feeds import runs
from app.feeds.sources import BrokenFeed
from app.models import Account, Agency, Offer, Property, User
from app.offers import better_offers, deciding, notes
from app.offers.recording import record
from app.offers.submitting import Sending
from app.ops import usages
from app.proof import texts
from app.properties import editing as properties
from app.properties import syncing
from app.properties.syncing import SentProperty
from tests import factories

API = Actor("api_key", uuid.uuid4())
Limit = Callable[..., None]


@pytest.fixture
def limit(request: pytest.FixtureRequest) -> Iterator[Limit]:
    """Set quotas of whichever application the test runs."""
    app: Flask = request.getfixturevalue("either_app" if "either_app" in request.fixturenames else "app")
    held = app.extensions["bidflux_settings"]

    def set_them(**most: int) -> None:
        settings = app.extensions["bidflux_settings"]
        app.extensions["bidflux_settings"] = replace(settings, quotas=replace(settings.quotas, **most))

    yield set_them
    app.extensions["bidflux_settings"] = held


@pytest.fixture
def owner(limit: Limit) -> User:
    return factories.make_user(factories.make_agency(), "owner")


def used(owner: User, **columns: Any) -> None:
    with housekeeping() as connection:
        connection.execute(update(Agency).where(Agency.id == owner.agency_id).values(**columns))


def full_day(owner: User) -> None:
    used(owner, used_on=now().date(), day_bytes=2_000 * MB)


def sent(number: int) -> SentProperty:
    return SentProperty({"external_id": f"E{number}", "title": f"Casa {number}"})


def recorded(prop: Property, number: int) -> Any:
    return record(prop, factories.make_draft(), Sending(number.to_bytes(16), 1, "ro", "api", {}), by=API)


def count(table: Any) -> int:
    db.session.rollback()
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def test_a_bulk_takes_what_there_is_room_for_and_refuses_the_rest(either_app: Flask, owner: User, limit: Limit) -> None:
    limit(properties=3)
    done = syncing.upsert(owner.agency_id, [sent(number) for number in range(5)], by=API)
    assert [one.status for one in done] == ["created"] * 3 + ["error"] * 2
    assert isinstance(done[4].error, QuotaReached) and done[4].error.most == 3
    again = syncing.upsert(owner.agency_id, [SentProperty({"external_id": "E1", "title": "Alta"})], by=API)
    assert again[0].status == "updated", "what is there is still changed"
    with pytest.raises(QuotaReached):
        properties.create(owner.agency_id, {"agent_id": owner.id, "title": "x"}, by=SYSTEM)


def test_two_at_once_do_not_share_the_last_place(either_app: Flask, owner: User, limit: Limit) -> None:
    limit(properties=5)
    agency_id, told = owner.agency_id, []

    def write(start: int) -> None:
        with either_app.app_context():
            done = syncing.upsert(agency_id, [sent(start + n) for n in range(4)], by=API)
            told.extend(one.status for one in done)

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert told.count("created") == 5 and count(Property) == 5


def test_bytes_of_a_day_end_at_midnight(either_app: Flask, owner: User, limit: Limit) -> None:
    full_day(owner)
    with pytest.raises(QuotaOfDay) as refused:
        syncing.upsert(owner.agency_id, [sent(1)], by=API)
    assert 0 < refused.value.retry_after <= 86_401
    used(owner, used_on=now().date().replace(year=2020))
    assert syncing.upsert(owner.agency_id, [sent(1)], by=API)[0].status == "created"


def test_what_is_written_is_counted_and_what_is_undone_is_not(either_app: Flask, owner: User, limit: Limit) -> None:
    before = usages.by_agency()[0].bytes
    text = "descriere " * 1000
    syncing.upsert(owner.agency_id, [replace(sent(1), columns={**sent(1).columns, "description": text})], by=API)
    db.session.rollback()
    after = usages.by_agency()[0].bytes
    assert after - before >= 2 * len(text), "the row, and the event that tells of it"
    used(owner, all_bytes=50 * GB)
    with pytest.raises(QuotaReached):
        syncing.upsert(owner.agency_id, [sent(2)], by=API)
    db.session.rollback()
    assert usages.by_agency()[0].bytes == 50 * GB
    usages.measure()
    db.session.rollback()
    assert len(text) < usages.by_agency()[0].bytes < 10 * len(text)


def test_a_buyers_offer_is_never_refused(either_app: Flask, owner: User, limit: Limit) -> None:
    prop = factories.make_property(owner.agency_id, owner.id)
    limit(offers_a_day=1, offers=1, megabytes_a_day=1, gigabytes=1)
    full_day(owner)
    used(owner, all_bytes=60 * GB, recorded_offers=10)
    offer_id = factories.make_offer(prop)
    assert count(Offer) == 1
    assert deciding.decide(offer_id, owner.agency_id, "accepted", by=factories.person_of(owner).actor)


def test_recorded_offers_have_a_day_and_an_end(either_app: Flask, owner: User, limit: Limit) -> None:
    prop = factories.make_property(owner.agency_id, owner.id)
    limit(offers_a_day=2, offers=3)
    recorded(prop, 1), recorded(prop, 2)
    assert not recorded(prop, 2).fresh, "what is repeated costs nothing"
    with pytest.raises(QuotaOfDay):
        recorded(prop, 3)
    used(owner, used_on=None)
    recorded(prop, 4)
    used(owner, used_on=None)
    with pytest.raises(QuotaReached) as refused:
        recorded(prop, 5)
    assert (refused.value.kind, refused.value.most) == ("offers", 3)


def test_every_other_door_is_held_as_well(app: Flask, owner: User, limit: Limit) -> None:
    prop = factories.make_property(owner.agency_id, owner.id)
    offer_id = factories.make_offer(prop)
    offer = db.session.get_one(Offer, offer_id)
    by = factories.person_of(owner)
    limit(users=1, api_keys=1, notes=1)
    accounts.create_api_key(owner.agency_id, "CRM", by=SYSTEM)
    notes.write(offer, "una", by=by)
    doors: list[Callable[[], Any]] = [
        lambda: factories.make_user(owner.agency_id),
        lambda: accounts.create_api_key(owner.agency_id, "CRM 2", by=SYSTEM),
        lambda: notes.write(db.session.get_one(Offer, offer_id), "două", by=by),
    ]
    for door in doors:
        with pytest.raises(QuotaReached):
            door()
    full_day(owner)
    prop = db.session.get_one(Property, prop.id)
    heavy: list[Callable[[], Any]] = [
        lambda: properties.change(prop, {"title": "Altul"}, by=SYSTEM),
        lambda: deciding.decide(offer_id, owner.agency_id, "rejected", by=API),
        lambda: recorded(db.session.get_one(Property, prop.id), 9),
        lambda: better_offers.ask([offer_id], now() + timedelta(days=1), "Mai mult", by=by),
        lambda: texts.set_notice(owner.agency_id, "ro", "Cum vă păstrăm datele. " * 20, by=SYSTEM),
    ]
    for door in heavy:
        with pytest.raises(QuotaOfDay):
            door()


def test_a_feed_that_meets_the_quota_says_so(app: Flask, owner: User, limit: Limit) -> None:
    full_day(owner)
    doing = runs._Run(uuid.uuid4(), owner.agency_id, now(), None)
    with pytest.raises(BrokenFeed, match="quota"):
        runs._take(doing, [(1, sent(1))])


def test_the_api_says_which_quota_and_how_long(client: FlaskClient, owner: User, limit: Limit) -> None:
    key = accounts.create_api_key(owner.agency_id, "CRM", by=SYSTEM)
    headers = {"Authorization": f"Bearer {key}"}
    limit(properties=1)
    rows = [{"external_id": f"E{n}", "title": "Casa", "asking_price": "1000.00"} for n in range(2)]
    bulk = client.post("/api/crm/properties/bulk", json={"data": rows}, headers=headers)
    refused = bulk.get_json()["data"][1]["error"]
    assert bulk.status_code == 200 and (refused["status"], refused["quota"], refused["most"]) == (409, "properties", 1)
    assert refused["type"].endswith("quota-reached")
    full_day(owner)
    answer = client.post("/api/crm/properties", json={"title": "Casa"}, headers=headers)
    assert answer.status_code == 429 and int(answer.headers["Retry-After"]) > 0
    assert answer.get_json()["type"].endswith("quota-of-day") and answer.get_json()["quota"] == "megabytes_a_day"


@pytest.mark.parametrize(("language", "words"), [("ro", "limita de astăzi"), ("en", "limit for today")])
def test_a_page_says_it_in_words(client: FlaskClient, owner: User, limit: Limit, language: str, words: str) -> None:
    with housekeeping() as connection:
        connection.execute(update(Account).values(language=language))
    db.session.rollback()
    factories.login(client, owner)
    token = factories.csrf(client.get("/app/properties/new").get_data(as_text=True))
    full_day(owner)
    form = {"csrf_token": token, "title": "Casă", "asking_price": "100000", "currency": "EUR", "agent_id": owner.id}
    form |= {"property_type": "house", "transaction_type": "sale", "availability": "available", "country": "RO"}
    answer = client.post("/app/properties/new", data=form)
    assert answer.status_code == 429 and words in answer.get_data(as_text=True)


def test_whoever_runs_it_sees_the_use(app: Flask, owner: User, limit: Limit) -> None:
    factories.make_property(owner.agency_id, owner.id)
    told = app.test_cli_runner().invoke(args=["usage", "--json", "--measure"])
    answer = json.loads(told.stdout)
    assert answer["agencies"][0]["properties"] == 1 and answer["quotas"]["properties"] == 20_000
    assert "of 50 GB" in app.test_cli_runner().invoke(args=["usage"]).stdout
