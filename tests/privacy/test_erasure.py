"""Who is forgotten is gone from every table and file; the register stays whole, and no backup brings them back."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select

from app.accounts import editing as accounts
from app.core.database import BUSY_MS
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import (
    Agency,
    Delivery,
    LedgerEntry,
    Offer,
    OfferKey,
    OfferOrigin,
    OfferState,
    Property,
    Tombstone,
    User,
)
from app.models.base import Base
from app.offers import deciding, notes
from app.offers.document import Bidder, Signature
from app.privacy import data_copy, erasure, personal_data, retention
from app.privacy.access_list import accesses
from app.proof.register import offer_faults, verify_chain
from app.webhooks.events import events_after
from app.workers import hourly
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user, person_of
from tests.privacy.test_canaries import at_rest

NAME, EMAIL = "Canarina Zborzescu", "canarina.zborzescu@client.example"


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> User:
    request.getfixturevalue("either_app" if "either_app" in request.fixturenames else "app")
    return make_user(make_agency(), "owner")


def offer_of(prop: Property, **values: object) -> uuid.UUID:
    bidder = Bidder(NAME, EMAIL, "+40722918273")
    return make_offer(prop, make_draft(bidder=bidder, message="canarmesaj-x7", **values))


def key_bytes(offer_id: uuid.UUID) -> bytes:
    return db.session.scalars(select(OfferKey.wrapped).where(OfferKey.offer_id == offer_id)).one()


def rows_of(offer_id: uuid.UUID) -> dict[str, int]:
    """How many rows of each table name the offer."""
    db.session.rollback()
    tables = [table for table in Base.metadata.sorted_tables if "offer_id" in table.c]
    found = {t.name: db.session.scalar(select(func.count()).where(t.c.offer_id == offer_id)) or 0 for t in tables}
    return {name: count for name, count in found.items() if count}


@pytest.mark.usefixtures("either_app")
def test_nothing_that_opens_is_left_and_the_register_holds(either_app: Flask, owner: User, prop: Property) -> None:
    by = person_of(owner)
    offer_id = offer_of(prop, signature=Signature("typed", "Canarina Semnează", None))
    kept = make_offer(prop)
    offer = db.session.get_one(Offer, offer_id)
    notes.write(offer, "canarnota-x7", by=by)
    deciding.decide(offer_id, owner.agency_id, "rejected", by=by.actor, reason="canarmotiv-x7", notify_bidder=True)
    wrapped = key_bytes(offer_id)
    assert wrapped in at_rest()
    assert erasure.erase_all(owner.agency_id, [offer_id], "person") == 1
    assert erasure.erase_all(owner.agency_id, [offer_id], "person") == 0
    left = rows_of(offer_id)
    assert set(left) == {"offer_body", "offer_state", "decision", "event", "delivery", "tombstone"}, left
    assert wrapped not in at_rest(), "the wrapped key is in neither the file nor its log"
    assert db.session.get_one(OfferState, offer_id).erased_at
    agency = db.session.get_one(Agency, owner.agency_id)
    assert verify_chain(agency)[1] is None and not [*offer_faults(agency)]
    states = set(db.session.scalars(select(Delivery.state).where(Delivery.offer_id == offer_id)))
    assert states <= {"cancelled", "delivered"}
    assert db.session.scalar(select(OfferKey.offer_id)) == kept
    assert personal_data.offers_of(owner.agency_id, EMAIL) == []


def test_those_who_follow_are_told_and_see_ids_only(owner: User, prop: Property) -> None:
    offer_id = offer_of(prop)
    erasure.erase_all(owner.agency_id, [offer_id], "agency")
    events, _more = events_after(owner.agency_id, 0, 100)
    assert [event["type"] for event in events][-1] == "offer.erased"
    assert events[-1]["data"] == {"id": str(offer_id), "property_id": str(prop.id)}
    assert NAME not in json.dumps(events) and EMAIL not in json.dumps(events)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))


def test_the_dashboard_shows_that_somebody_was_forgotten(client: FlaskClient, owner: User, prop: Property) -> None:
    offer_id = offer_of(prop)
    login(client, owner)
    erasure.erase_all(owner.agency_id, [offer_id], "person")
    for path in (
        "/app/offers",
        f"/app/offers/{offer_id}",
        f"/app/properties/{prop.id}",
        "/app/stats",
        "/app/offers.csv",
    ):
        answer = client.get(path)
        assert answer.status_code == 200 and NAME not in answer.get_data(as_text=True), path
    assert client.get("/app/offers?q=canarina").get_data(as_text=True).count(str(offer_id)) == 0


def test_a_restored_backup_forgets_again(app: Flask, owner: User, prop: Property) -> None:
    """The database of before the erasure, with the file beside the keys as it is now."""
    offer_id, other = offer_of(prop), make_offer(prop)
    erasure.erase_all(owner.agency_id, [offer_id], "person")
    before = make_offer(prop)
    listed = erasure._folder() / erasure.FILE
    assert listed.stat().st_mode & 0o777 == 0o600
    listed.write_text(listed.read_text() + f"{before} {owner.agency_id} x\n{uuid.uuid4()} {owner.agency_id} x\n")
    assert erasure.replay() == 1
    assert db.session.scalars(select(Tombstone.reason).where(Tombstone.offer_id == before)).one() == "replayed"
    assert erasure.replay() == 0
    assert db.session.scalar(select(OfferKey.offer_id)) == other


def test_a_crash_before_the_file_was_written_is_made_good(owner: User, prop: Property) -> None:
    offer_id = offer_of(prop)
    erasure.erase_all(owner.agency_id, [offer_id], "person")
    (erasure._folder() / erasure.FILE).unlink()
    assert erasure.replay() == 0
    assert str(offer_id) in (erasure._folder() / erasure.FILE).read_text()


def test_somebody_elses_agency_forgets_nobody_of_ours(owner: User, prop: Property) -> None:
    offer_id = offer_of(prop)
    assert erasure.erase_all(make_agency("Alta"), [offer_id], "agency") == 0
    assert rows_of(offer_id)["offer_key"] == 1


def test_everything_held_about_a_person_is_given_to_them(owner: User, prop: Property) -> None:
    offer_id = offer_of(prop)
    make_offer(prop)
    notes.write(db.session.get_one(Offer, offer_id), "sună după ora 18", by=person_of(owner))
    held = personal_data.held_about(owner.agency_id, EMAIL)
    [one] = held["offers"]
    assert one["offer"]["bidder"]["full_name"] == NAME and one["as_sent"]["offer"]["message"] == "canarmesaj-x7"
    assert one["sent_from"]["address"] == "192.0.2.7" and one["notes"][0]["text"] == "sună după ora 18"
    assert one["history"][0]["what"] == "offer.submitted" and one["mails"][0]["what"] == "offer_bidder"
    assert json.loads(json.dumps(held)) == held


@pytest.mark.usefixtures("either_app")
def test_a_crm_that_took_a_list_is_named_to_the_person(either_app: Flask, owner: User, prop: Property) -> None:
    agency_id = owner.agency_id
    first, second = (accounts.create_api_key(agency_id, name, by=SYSTEM) for name in ("CRM", "Altul"))

    def take(key: str, path: str) -> None:
        answer = either_app.test_client().get(f"/api/crm{path}", headers={"Authorization": f"Bearer {key}"})
        assert answer.status_code == 200

    with time_machine.travel(datetime(2026, 1, 1, 9, tzinfo=UTC), tick=False) as clock:
        take(second, "/offers")  # before anything came in
        clock.shift(timedelta(hours=3))
        take(first, "/offers")
        clock.shift(timedelta(minutes=30))
        offer_id = offer_of(prop)
        take(first, "/events?after=0")  # not noted again within the hour
        for _again in range(2):
            clock.shift(timedelta(hours=2))
            take(second, "/offers")
        held = personal_data.held_about(agency_id, EMAIL)
    given = [(one["at"][11:16], one["to"]) for one in held["offers"][0]["given_to"]]
    assert given == [("12:30", "crm_listed"), ("14:30", "crm_listed")]
    seen, _next = accesses(agency_id, offer_ids=[offer_id])
    assert [(one.at.hour, one.who) for one in seen] == [(16, "Altul"), (14, "Altul"), (12, "CRM")]
    with either_app.test_request_context():
        assert data_copy.pdf_of(held, EMAIL, "en", "UTC").startswith(b"%PDF")


def test_the_command_line_shows_and_forgets(app: Flask, owner: User, prop: Property) -> None:
    offer_of(prop)
    runner = app.test_cli_runner()
    shown = json.loads(runner.invoke(args=["privacy", "export", "--email", EMAIL.upper(), "--json"]).output)
    assert shown["agencies"][0]["offers"][0]["offer"]["bidder"]["email"] == EMAIL
    taken = db.session.scalars(select(LedgerEntry.body).where(LedgerEntry.kind == "privacy.exported")).one()
    assert json.loads(taken)["data"] == {"offers": 1, "form": "json"}, "the copy that an operator takes is written down"
    erased = runner.invoke(args=["privacy", "erase", "--email", EMAIL, "--yes", "--json"])
    assert json.loads(erased.output) == {"erased": 1}
    again = json.loads(runner.invoke(args=["privacy", "export", "--email", EMAIL, "--json"]).output)
    assert again["agencies"] == []
    assert runner.invoke(args=["privacy", "erase", "--email", "nimic", "--yes"]).exit_code == 1


# --- retention --------------------------------------------------------------------------------------------------------


def erased(*offers: uuid.UUID) -> list[bool]:
    db.session.rollback()
    return [db.session.get_one(OfferState, one).erased_at is not None for one in offers]


@pytest.mark.usefixtures("either_app")
def test_each_kind_has_its_own_time_and_owners_are_told_a_week_before(
    either_app: Flask, owner: User, prop: Property
) -> None:
    days = {"origin_days": 30, "undecided_days": 60, "rejected_days": 100, "accepted_days": 200}
    with time_machine.travel(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False) as clock:
        undecided, rejected, accepted = (make_offer(prop) for _ in range(3))
        by = person_of(owner).actor
        deciding.decide(rejected, owner.agency_id, "rejected", by=by)
        deciding.decide(accepted, owner.agency_id, "accepted", by=by)
        retention.set_days(owner.agency_id, days, by=by)
        told_on, gone_on, dropped_on = [], {}, None
        for day in range(1, 230):
            clock.shift(timedelta(days=1))
            done = retention.purge()
            if done.told:
                told_on.append(day)
            if done.origins:
                dropped_on = day
            for name, one in (("undecided", undecided), ("rejected", rejected), ("accepted", accepted)):
                if name not in gone_on and erased(one)[0]:
                    gone_on[name] = day
        assert gone_on == {"undecided": 60, "rejected": 100, "accepted": 200}
        assert dropped_on == 30
        assert told_on == [53, 93, 193]  # each a week before; the day counts from midnight
        agency = db.session.get_one(Agency, owner.agency_id)
        assert verify_chain(agency)[1] is None and not [*offer_faults(agency)]


@pytest.mark.usefixtures("either_app")
def test_a_shorter_rule_erases_nobody_before_a_weeks_notice(either_app: Flask, owner: User, prop: Property) -> None:
    with time_machine.travel(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False) as clock:
        old = make_offer(prop)
        clock.shift(timedelta(days=100))
        retention.purge()
        retention.set_days(owner.agency_id, dict.fromkeys(retention.KINDS, 10), by=SYSTEM)
        assert retention.purge().told == 1 and erased(old) == [False]
        clock.shift(timedelta(days=7))
        assert retention.purge().offers == 0
        clock.shift(timedelta(days=1))
        assert retention.purge().offers == 1 and erased(old) == [True]


@pytest.mark.usefixtures("either_app")
def test_a_property_may_have_its_own_time(either_app: Flask, owner: User, prop: Property) -> None:
    other = make_property(owner.agency_id, owner.id)
    with time_machine.travel(datetime(2026, 1, 1, 12, tzinfo=UTC), tick=False) as clock:
        short, usual = make_offer(prop), make_offer(other)
        retention.set_days(owner.agency_id, dict.fromkeys(retention.KINDS, 100), by=SYSTEM)
        own: dict[str, int | None] = {**dict.fromkeys(retention.KINDS), "undecided_days": 20}
        retention.set_days(owner.agency_id, own, by=SYSTEM, property_id=prop.id)
        clock.shift(timedelta(days=21))
        retention.purge()
        assert erased(short, usual) == [True, False]
        assert db.session.scalar(select(func.count()).select_from(OfferOrigin)) == 1


def test_a_reader_holds_up_nobody_and_what_it_held_is_wiped_later(app: Flask, owner: User, prop: Property) -> None:
    offer_id = offer_of(prop)
    wrapped, log = key_bytes(offer_id), Path(f"{db.engine.url.database}-wal")
    db.session.rollback()
    with db.engine.connect() as reader:
        reader.execute(select(OfferKey.wrapped)).all()
        began = time.monotonic()
        assert erasure.erase_all(owner.agency_id, [offer_id], "person") == 1
        make_offer(prop)
        assert time.monotonic() - began < BUSY_MS / 1000, "nobody waited until a writer gives up"
        assert wrapped in log.read_bytes(), "somebody reads: the log keeps what it had"
    hourly.tidy()
    assert wrapped not in log.read_bytes() and wrapped not in Path(db.engine.url.database or "").read_bytes()
