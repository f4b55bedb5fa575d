"""Offers that come at once are committed together: all of a group or none, and each as if it had come alone."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, current_app
from sqlalchemy import event, func, select

from app.core import killpoints
from app.core.errors import FactsChanged, LinkClosed
from app.core.group_commit import MOST, write_together
from app.core.ledger import BIDDER, SYSTEM
from app.core.unit_of_work import UnitOfWork
from app.extensions import db
from app.models import Agency, Delivery, Event, LedgerEntry, Offer, OfferBody, OfferKey, OfferState, Property
from app.offers import submitting
from app.offers.document import Bidder, Draft
from app.offers.submitting import submit
from app.proof.register import offer_faults, verify_chain
from app.properties import editing
from tests.conftest import KEYS, ROOT, SECRET
from tests.factories import make_agency, make_draft, make_property, make_sending, make_user


@pytest.fixture
def prop(either_app: Flask) -> Property:
    agency = make_agency()
    return make_property(agency, make_user(agency).id)


@contextmanager
def held(app: Flask, prop: Property, *calls: Callable[[], Any]) -> Iterator[list[Future[Any]]]:
    """The calls in threads of their own, all waiting for one writer, who goes on when the block ends."""
    agency_id, waiting = prop.agency_id, app.extensions["bidflux_group"]._waiting
    begun, go_on = threading.Event(), threading.Event()
    db.session.rollback()

    def hold(_tx: UnitOfWork) -> None:
        begun.set()
        assert go_on.wait(120)

    def run(call: Callable[[], Any]) -> Any:
        with app.app_context():
            return call()

    with ThreadPoolExecutor(len(calls) + 1) as pool:
        first = pool.submit(run, lambda: write_together(agency_id, hold))
        assert begun.wait(120)
        made = [pool.submit(run, call) for call in calls]
        while len(waiting[agency_id]) < len(calls) and not any(one.done() for one in made):
            go_on.wait(0.005)
        yield made
        go_on.set()
        first.result(120)
    db.session.rollback()


def sends(prop: Property, draft: Draft | None = None, **sending: Any) -> Callable[[], Any]:
    property_id, given = prop.id, {**sending}
    version = given.pop("link_version", prop.link_version)

    def send() -> Any:
        loaded = db.session.get_one(Property, property_id)
        return submit(loaded, draft or make_draft(), make_sending(loaded, link_version=version, **given), by=BIDDER)

    return send


def count(table: Any, *where: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(table).where(*where)) or 0


def books_balance(agency_id: Any, offers: int) -> None:
    for table in (Offer, OfferBody, OfferKey, OfferState):
        assert count(table) == offers, table.__tablename__
    assert count(LedgerEntry, LedgerEntry.kind == "offer.submitted") == offers
    assert count(Event, Event.type == "offer.created") == offers
    assert count(Delivery, Delivery.template.in_(["offer_agent", "offer_bidder"])) == 2 * offers
    agency = db.session.get_one(Agency, agency_id)
    assert verify_chain(agency)[1] is None and not [*offer_faults(agency)]


@contextmanager
def commits() -> Iterator[list[None]]:
    made: list[None] = []
    listen = lambda _connection: made.append(None)  # noqa: E731
    event.listen(db.engine, "commit", listen)
    try:
        yield made
    finally:
        event.remove(db.engine, "commit", listen)


def test_fifty_at_once_are_few_commits_and_the_ledger_holds(either_app: Flask, prop: Property) -> None:
    agency_id = prop.agency_id
    with commits() as made, held(either_app, prop, *[sends(prop) for _ in range(50)]) as answers:
        pass
    kept = [one.result().offer_id for one in answers]
    assert len(set(kept)) == 50 and all(one.result().fresh for one in answers)
    assert len(made) <= 3, "the first has room for MOST, the second for the rest"
    books_balance(agency_id, 50)
    moments = db.session.scalars(select(LedgerEntry.at).order_by(LedgerEntry.seq)).all()
    assert moments == sorted(moments)


def test_more_than_a_group_holds_are_led_by_the_next(either_app: Flask, prop: Property, monkeypatch: Any) -> None:
    monkeypatch.setattr("app.core.group_commit.MOST", 3)
    with held(either_app, prop, *[sends(prop) for _ in range(8)]) as answers:
        pass
    assert len({one.result().offer_id for one in answers}) == 8 and MOST > 8
    assert not current_app.extensions["bidflux_group"]._waiting, "nobody is left"
    books_balance(prop.agency_id, 8)


def test_who_is_refused_writes_nothing_and_disturbs_nobody(either_app: Flask, prop: Property) -> None:
    agency_id = prop.agency_id
    late, changed = sends(prop, link_version=prop.link_version + 1), sends(prop, shown=b"another page")
    nonce = b"the same press  "
    calls = [sends(prop), late, sends(prop, nonce=nonce), changed, sends(prop, nonce=nonce), sends(prop)]
    with commits() as made, held(either_app, prop, *calls) as answers:
        pass
    assert isinstance(answers[1].exception(), LinkClosed) and isinstance(answers[3].exception(), FactsChanged)
    assert len(made) == 1
    assert answers[2].result().offer_id == answers[4].result().offer_id
    assert sorted(answers[n].result().fresh for n in (2, 4)) == [False, True]
    books_balance(agency_id, 3)


def test_one_that_fails_is_alone_with_its_failure(
    either_app: Flask, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether in its own code or in the database: the others are written all the same, once each."""
    agency_id, seal = prop.agency_id, submitting._seal

    def broken(tx: Any, sealed: Any, table: str, column: str, plain: bytes) -> bytes:
        if sealed.draft.bidder.full_name == "Nimeni Altul":
            raise RuntimeError("it cannot be sealed")
        return seal(tx, sealed, table, column, plain)

    monkeypatch.setattr(submitting, "_seal", broken)
    bad = make_draft(bidder=Bidder("Nimeni Altul", None, "+40722000112"))
    calls = [sends(prop), sends(prop, bad), sends(prop), sends(prop, source="nowhere"), sends(prop)]
    with held(either_app, prop, *calls) as answers:
        pass
    assert isinstance(answers[1].exception(), RuntimeError)
    assert "IntegrityError" in type(answers[3].exception()).__name__
    assert all(answers[n].result().fresh for n in (0, 2, 4))
    books_balance(agency_id, 3)


def test_a_link_that_stops_between_two_of_them_stops_the_later(either_app: Flask, prop: Property) -> None:
    """Under the lock each sees what those before it wrote."""
    agency_id, property_id = prop.agency_id, prop.id
    off = lambda: editing.change(db.session.get_one(Property, property_id), {"accepts_offers": False}, by=SYSTEM)  # noqa: E731
    with held(either_app, prop, sends(prop)) as answers:
        pass
    off()
    with held(either_app, prop, sends(prop), sends(prop)) as refused:
        pass
    assert answers[0].result().fresh and all(isinstance(one.exception(), LinkClosed) for one in refused)
    books_balance(agency_id, 1)


CRASH = """
import sys, threading, uuid
from pathlib import Path
from wsgi import app
from app.core.group_commit import write_together
from app.extensions import db
from app.models import Property
from tests.offers.test_group_commit import held, sends

order, point, property_id = Path(sys.argv[1]), sys.argv[2], uuid.UUID(sys.argv[3])
with app.app_context():
    prop = db.session.get_one(Property, property_id)

    def told(send):
        def call():
            print("kept", send().offer_id, flush=True)
        return call

    with held(app, prop, *[told(sends(prop)) for _ in range(3)]):
        pass
    prop = db.session.get_one(Property, property_id)
    with held(app, prop, *[told(sends(prop)) for _ in range(4)]):
        order.write_text(point)
"""


@pytest.mark.parametrize("point", [killpoints.BEFORE_COMMIT, killpoints.AFTER_COMMIT])
def test_killed_with_a_group_in_hand_nothing_is_lost_that_was_told(
    either_app: Flask, prop: Property, tmp_path: Path, point: str
) -> None:
    settings, agency_id, order = either_app.extensions["bidflux_settings"], prop.agency_id, tmp_path / "order"
    environment = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "BIDFLUX_ENV": "development", "SECRET_KEY": SECRET,
        "BIDFLUX_DATA": str(settings.data_dir), "DATABASE_URL": settings.database_url, "BIDFLUX_KEYS": KEYS,
        "BASE_URL": "http://localhost", "MAIL_SERVER": "127.0.0.1", "REDIS_URL": settings.redis_url,
        "BIDFLUX_KILL_FILE": str(order),
    }  # fmt: skip
    script = [sys.executable, "-c", textwrap.dedent(CRASH), str(order), point, str(prop.id)]
    db.session.rollback()
    died = subprocess.run(script, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert died.returncode == -9, died.stderr
    told = [line.split()[1] for line in died.stdout.splitlines() if line.startswith("kept")]
    assert len(told) == 3, "nobody of the second group was answered"
    kept = {str(one) for one in db.session.scalars(select(Offer.id))}
    assert set(told) <= kept
    books_balance(agency_id, 3 if point == killpoints.BEFORE_COMMIT else 7)
