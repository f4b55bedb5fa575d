"""Each delivery is sent at least once, whatever the server answers and whoever is killed."""

from __future__ import annotations

import io
import threading
import time
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import Connection, update

from app.core import keys
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.core.unit_of_work import housekeeping
from app.core.vault import Place, unseal
from app.delivery import dispatcher, queue, retry
from app.delivery import mailer as posts
from app.delivery.dispatcher import close_senders, dispatch, senders
from app.delivery.queue import Claimed, Outcome, oldest_due
from app.delivery.retry import next_try, next_try_away
from app.delivery.scheduling import by_agency
from app.extensions import db
from app.models import Delivery, Property
from app.offers import deciding, mails
from tests import factories
from tests.mail_server import MailServer, attempts, change, deliveries

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def claim(connection: Connection, count: int) -> list[Claimed]:
    return queue.claim(connection, "mail", by_agency("mail", count))


def states() -> list[str]:
    return [row.state for row in deliveries()]


def answer_of(index: int = 0) -> str:
    tried = attempts()[index]
    row = db.session.get_one(Delivery, tried.delivery_id)
    assert row.offer_id and tried.answer_ct
    key = keys.offer_key(row.agency_id, row.offer_id)
    assert key
    return unseal(key, Place(row.agency_id, "attempt", "answer", f"{row.id}/{tried.n}"), tried.answer_ct).decode()


def test_what_is_due_is_sent_once_and_written_down(either_app: Flask, either_smtp: MailServer, prop: Property) -> None:
    for _ in range(25):
        factories.make_offer(prop)
    assert dispatch() == 50
    assert dispatch() == 0
    assert len(either_smtp.letters) == 50
    assert len({letter.message["Message-ID"] for letter in either_smtp.letters}) == 50
    assert set(states()) == {"delivered"}
    assert [tried.code for tried in attempts()] == [250] * 50
    assert "Kept" in answer_of()
    assert either_smtp.connections <= dispatcher.THREADS


def test_connections_are_used_again(app: Flask, smtp: MailServer, prop: Property) -> None:
    for _ in range(3):
        factories.make_offer(prop)
        dispatch()
    assert len(smtp.letters) == 6
    assert smtp.connections <= dispatcher.THREADS


def test_refused_for_now_is_tried_again(
    either_app: Flask, either_smtp: MailServer, prop: Property, impatient: None
) -> None:
    left = [451, 451]
    either_smtp.answer = lambda _to: f"{left.pop()} 4.7.1 Greylisted" if left else None
    factories.make_offer(prop)
    dispatch()
    assert states() == ["delivered", "delivered"]
    assert sorted(tried.code for tried in attempts()) == [250, 250, 451, 451]
    assert len({letter.message["Message-ID"] for letter in either_smtp.letters}) == 2


def test_a_refusal_for_now_waits_its_turn(app: Flask, smtp: MailServer, prop: Property) -> None:
    smtp.answer = lambda _to: "451 4.7.1 Later"
    factories.make_offer(prop)
    dispatch()
    for row in deliveries():
        assert row.state == "pending" and row.attempts == 1
        assert timedelta(seconds=2) < row.due_at - now() < timedelta(seconds=7)


def test_final_refusal_is_dead_and_visible(either_app: Flask, either_smtp: MailServer, prop: Property) -> None:
    either_smtp.answer = lambda to: "550 5.1.1 No such user" if to.endswith("client.example") else None
    factories.make_offer(prop)
    assert dispatch() == 1
    assert states() == ["delivered", "dead"]
    assert {tried.code for tried in attempts()} == {250, 550}
    assert deliveries()[1].ended_at


@pytest.mark.parametrize(("said", "state"), [("554 5.7.1 Spam", "dead"), ("452 4.3.1 Full", "pending")])
def test_answer_to_the_content_counts(app: Flask, smtp: MailServer, prop: Property, said: str, state: str) -> None:
    smtp.data = lambda _letter: said
    factories.make_offer(prop)
    assert dispatch() == 0
    told_instead = [state] if state == "dead" else []  # an owner, of the notice that the agent's server refused
    assert states() == [state, state, *told_instead]


def test_broken_conversation_is_taken_up_again(app: Flask, smtp: MailServer, prop: Property, impatient: None) -> None:
    smtp.drop = 3
    factories.make_offer(prop)
    dispatch()
    assert states() == ["delivered", "delivered"] and len(smtp.letters) == 2
    assert [tried.code for tried in attempts()].count(0) == 3


def test_server_down_then_up(
    either_app: Flask, either_smtp: MailServer, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posts, "AWAY_SECONDS", 600)
    either_smtp.stop()
    for _ in range(15):
        factories.make_offer(prop)
    assert dispatch() == 0
    assert set(states()) == {"pending"}
    assert max(row.due_at for row in deliveries()) < now() + timedelta(seconds=10)
    untouched = [row for row in deliveries() if row.due_at <= now()]
    assert len(untouched) >= 10, "an outage must not rewrite the whole backlog"
    either_smtp.start()
    senders().mailer._away_until = 0.0  # the ten minutes are over
    assert dispatch() == 30, "the first success brings back what only waited for the server"
    assert len(either_smtp.letters) == 30


def test_wrong_password_kills_no_mail(
    app: Flask, smtp: MailServer, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app.extensions["mail"], "username", "us")
    monkeypatch.setattr(app.extensions["mail"], "password", "wrong")
    factories.make_offer(prop)
    assert dispatch() == 0
    assert states() == ["pending", "pending"]


def test_server_down_while_connected(
    app: Flask, smtp: MailServer, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posts, "AWAY_SECONDS", 600)
    factories.make_offer(prop)
    dispatch()
    smtp.stop()
    factories.make_offer(prop)
    dispatch()
    assert states().count("pending") == 2
    smtp.start()
    senders().mailer._away_until = 0.0  # the ten minutes are over
    change(due_at=LONG_AGO)
    assert dispatch() == 2


def test_lease_of_the_dead_is_taken_up(either_app: Flask, either_smtp: MailServer, prop: Property) -> None:
    factories.make_offer(prop)
    with housekeeping() as connection:
        assert len(claim(connection, 20)) == 2
    assert dispatch() == 0, "a lease that still stands is respected"
    with housekeeping() as connection:
        leased = update(Delivery).where(Delivery.state == "leased")
        connection.execute(leased.values(lease_until=now() - timedelta(seconds=1)))
    assert oldest_due(now())
    assert dispatch() == 2
    assert [row.attempts for row in deliveries()] == [2, 2]


def test_who_lost_the_lease_records_nothing(either_app: Flask, prop: Property) -> None:
    factories.make_offer(prop)
    with housekeeping() as connection:
        first = claim(connection, 20)
        leased = update(Delivery).where(Delivery.state == "leased")
        connection.execute(leased.values(lease_token=uuid.uuid4()))
        queue.record(connection, [Outcome(one, "delivered", now(), code=250) for one in first])
    assert states() == ["leased", "leased"] and not attempts()


def test_two_drains_at_once_send_each_once(either_app: Flask, either_smtp: MailServer, prop: Property) -> None:
    for _ in range(20):
        factories.make_offer(prop)
    counts: list[int] = []

    def run() -> None:
        with either_app.app_context():
            counts.append(dispatch())

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sum(counts) == 40 and len(either_smtp.letters) == 40
    assert len({letter.message["Message-ID"] for letter in either_smtp.letters}) == 40


def test_cancelled_is_never_sent(app: Flask, smtp: MailServer, prop: Property) -> None:
    factories.make_offer(prop)
    change(state="cancelled", ended_at=now())
    assert dispatch() == 0 and not smtp.letters


def test_time_to_undo_is_respected(either_app: Flask, either_smtp: MailServer, prop: Property) -> None:
    offer_id = factories.make_offer(prop)
    dispatch()
    deciding.decide(offer_id, prop.agency_id, "accepted", by=SYSTEM, notify_bidder=True)
    assert dispatch() == 0
    with housekeeping() as connection:
        connection.execute(update(Delivery).where(Delivery.template == "decision_bidder").values(due_at=now()))
    assert dispatch() == 1


def test_fault_of_ours_blocks_nobody_and_waits(
    app: Flask, smtp: MailServer, prop: Property, said: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    def faulty(*_: object) -> None:
        raise ValueError("andrei.turcanu@client.example")

    monkeypatch.setattr(mails, "_to_agent", faulty)
    factories.make_offer(prop)
    assert dispatch() == 1
    agent, bidder = deliveries()
    assert agent.state == "pending" and agent.due_at > now() and bidder.state == "delivered"
    assert "ValueError" in said.getvalue() and "andrei" not in said.getvalue().lower()
    codes = {tried.delivery_id: tried.code for tried in attempts()}
    assert codes[agent.id] == 0


def test_logs_hold_nothing_personal(app: Flask, smtp: MailServer, prop: Property, said: io.StringIO) -> None:
    smtp.answer = lambda to: f"550 {to} is unknown"
    factories.make_offer(prop)
    dispatch()
    assert "550" in said.getvalue()
    for personal in ("andrei", "urcanu", "client.example", "agentie.example", "722000111"):
        assert personal not in said.getvalue().lower()
    assert "andrei.turcanu@client.example" in answer_of(1) + answer_of(0)


def test_asked_to_stop_it_hands_back_what_hangs(
    app: Flask, smtp: MailServer, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "GRACE", 0.3)
    hanging = threading.Event()

    def hang(_to: str) -> None:
        hanging.set()
        release.wait(300)

    release = threading.Event()
    smtp.answer = hang
    for _ in range(10):
        factories.make_offer(prop)
    thread = threading.Thread(target=lambda: (hanging.wait(300), dispatcher.stopping.set()))
    thread.start()
    began = time.monotonic()
    dispatch()
    assert time.monotonic() - began < 200
    thread.join()
    release.set()
    assert "leased" not in states()
    dispatcher.stopping.clear()
    smtp.answer = lambda _to: None
    change(due_at=LONG_AGO)
    assert dispatch() == 20


def test_slow_server_does_not_outlive_the_lease(
    app: Flask, smtp: MailServer, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With little left on its lease a letter is handed back untried: another dispatch may be about to take it."""
    monkeypatch.setitem(queue.LEASES, "mail", timedelta(seconds=5))
    factories.make_offer(prop)
    with housekeeping() as connection:
        leased = claim(connection, 1)[0]
    outcome = senders().send(leased)
    assert not outcome.tried and outcome.state == "pending" and not smtp.letters
    close_senders(app)


def test_backoff_grows_to_an_hour_and_ends_after_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry.random, "uniform", lambda *_: 1.0)
    at, waits, tries = LONG_AGO, [], 0
    while True:
        tries += 1
        due = next_try("mail", LONG_AGO, at, tries)
        if due is None:
            break
        waits.append((due - at).total_seconds())
        at = due
    assert waits[:7] == [5, 15, 60, 300, 900, 1800, 3600]
    assert at == LONG_AGO + timedelta(hours=24)
    assert tries < 40


def test_while_the_server_is_away_a_young_mail_waits_half_a_minute_at_most() -> None:
    for age in range(0, 150, 5):
        at = LONG_AGO + timedelta(seconds=age)
        due = next_try_away(LONG_AGO, at, 1)
        assert due and due - at <= timedelta(seconds=30)
    at, tries = LONG_AGO, 0
    while (due := next_try_away(LONG_AGO, at, tries)) is not None:
        at, tries = due, tries + 1
    assert tries < 200


def test_a_day_of_our_own_absence_kills_nothing() -> None:
    assert next_try("mail", LONG_AGO, now(), 1) and next_try_away(LONG_AGO, now(), 2)
    assert next_try("mail", LONG_AGO, now(), 3) is None and next_try_away(LONG_AGO, now(), 3) is None
