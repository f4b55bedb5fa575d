"""One party's presses never close a link for another: only new offers count, and who is over waits a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import redis
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from app.blueprints.public import throttle
from app.core.ledger import SYSTEM
from app.core.wake import AWAKE, AWAKE_MS, QUEUE, waker
from app.delivery.composing import DeliveryRow, NoLongerOwed
from app.delivery.registry import registry
from app.extensions import db
from app.models import Delivery, LedgerEntry, Property, User
from app.properties import floods
from tests.factories import csrf, login, make_agency, make_user
from tests.public.test_offer_form import fill, hidden, offers, path_of


def sent_by(client: FlaskClient, prop: Property, number: int, address: str = "198.51.100.7") -> TestResponse:
    """A new offer of person number so-and-so, from an address."""
    client.environ_base["REMOTE_ADDR"] = address
    who = {"email": f"om{number}@client.example", "phone": f"07121{number:05d}", "full_name": "Om Nou"}
    _, review = fill(client, path_of(prop), **who)
    return client.post(path_of(prop), data={**hidden(review), "step": "send"})


def test_one_press_repeated_for_ever_takes_nothing_from_anybody(client: FlaskClient, prop: Property) -> None:
    _, review = fill(client, path_of(prop))
    press = {**hidden(review), "step": "send"}
    for number in range(330):
        source = {"REMOTE_ADDR": f"203.0.113.{number % 250}"}
        assert client.post(path_of(prop), data=press, environ_overrides=source).status_code == 303
    assert offers() == 1
    assert sent_by(client, prop, 1).status_code == 303 and offers() == 2


def test_who_sends_many_waits_and_then_is_taken(
    client: FlaskClient, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "PER_PERSON", throttle.rates("3/hour"))
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for _ in range(throttle.PER_PERSON[0].amount):
            assert sent_by(client, prop, 5).status_code == 303
        slowed = sent_by(client, prop, 5)
        assert slowed.status_code == 429 and int(slowed.headers["Retry-After"]) == throttle.WHILE
        page = slowed.get_data(as_text=True)
        assert "om5@client.example" in page and 'role="alert"' in page, "all that was typed is there"
        clock.shift(timedelta(seconds=throttle.WHILE // 2))
        early = client.post(path_of(prop), data={**hidden(page), "step": "send"})
        assert early.status_code == 429 and int(early.headers["Retry-After"]) <= throttle.WHILE // 2
        clock.shift(timedelta(seconds=throttle.WHILE // 2 + 1))
        assert client.post(path_of(prop), data={**hidden(early.text), "step": "send"}).status_code == 303


def test_nobody_uses_up_what_a_person_may_send(
    client: FlaskClient, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From another address, under the victim's mail address and phone."""
    monkeypatch.setattr(throttle, "PER_PERSON", throttle.rates("3/hour"))
    for _ in range(throttle.PER_PERSON[0].amount + 1):
        sent_by(client, prop, 7, "203.0.113.66")
    assert sent_by(client, prop, 7, "198.51.100.9").status_code == 303


def test_an_address_shared_with_a_flood_waits_a_moment_and_is_never_refused(
    client: FlaskClient, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "PER_ADDRESS", throttle.rates("3/hour"))
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for number in range(3):
            assert sent_by(client, prop, number, "2001:db8::1").status_code == 303
        slowed = sent_by(client, prop, 50, "2001:db8::2")
        assert slowed.status_code == 429 and int(slowed.headers["Retry-After"]) == throttle.MOMENT, "the same /64"
        assert sent_by(client, prop, 51, "2001:db8:0:1::1").status_code == 303, "another /64"
        client.environ_base["REMOTE_ADDR"] = "2001:db8::2"
        clock.shift(timedelta(seconds=throttle.MOMENT + 1))
        assert client.post(path_of(prop), data={**hidden(slowed.text), "step": "send"}).status_code == 303


def test_a_full_link_slows_everybody_and_closes_for_nobody(
    client: FlaskClient, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "PER_LINK", throttle.rates("3/hour"))
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        answers = [sent_by(client, prop, n, f"203.0.113.{n}") for n in range(4)]
        assert [answer.status_code for answer in answers] == [303, 303, 303, 429]
        clock.shift(timedelta(seconds=throttle.MOMENT + 1))
        assert client.post(path_of(prop), data={**hidden(answers[3].text), "step": "send"}).status_code == 303


def test_a_colleague_behind_the_same_address_uses_up_nothing(app: Flask) -> None:
    agency = make_agency()
    busy, other = make_user(agency, "owner"), make_user(make_agency("Alta"), "owner")
    first, second = app.test_client(), app.test_client()
    login(first, busy)
    login(second, other)
    answers = [first.get("/app/offers.csv").status_code for _ in range(22)]
    assert answers[-1] == 429 and second.get("/app/offers.csv").status_code == 200


def told(prop: Property) -> list[Delivery]:
    db.session.rollback()
    return list(db.session.scalars(select(Delivery).where(Delivery.template == "link_flooded")))


def test_a_link_that_was_slowed_down_makes_each_wait_and_refuses_nobody(
    client: FlaskClient, prop: Property, owner: User
) -> None:
    login(agent := client.application.test_client(), owner)
    page = agent.get(f"/app/properties/{prop.id}").text
    where = f"/app/properties/{prop.id}/slow"
    assert "Încetinește linkul" in page and "minut" not in page
    agent.post(where, data={"csrf_token": csrf(page), "on": "1"})
    assert "Nimeni nu este refuzat" in agent.get(f"/app/properties/{prop.id}").text
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        waits = [sent_by(client, prop, n) for n in range(3)]
        assert [int(one.headers["Retry-After"]) for one in waits] == [60, 120, 180]
        other = sent_by(client, prop, 7, "203.0.113.5")
        assert other.headers["Retry-After"] == "60", "from elsewhere they do not count"
        clock.shift(timedelta(seconds=61))
        assert client.post(path_of(prop), data={**hidden(other.text), "step": "send"}).status_code == 303
        agent.post(where, data={"csrf_token": csrf(page), "on": "0"})
        assert sent_by(client, prop, 8).status_code == 303
    kinds = [e.kind for e in db.session.scalars(select(LedgerEntry).where(LedgerEntry.object_id == prop.id))]
    assert kinds.count("link.slowed") == kinds.count("link.unslowed") == 1


def test_who_waited_with_many_at_once_on_a_slow_link_still_sends_one_a_minute(
    client: FlaskClient, prop: Property, valkey: str
) -> None:
    """Fifty forms whose wait is over, kept for one moment: a link that was slowed down would be flooded then."""
    floods.slow(prop, on=True, by=SYSTEM)
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        waited = [hidden(sent_by(client, prop, n).text) for n in range(4)]
        other = hidden(sent_by(client, prop, 7, "203.0.113.5").text)
        clock.shift(timedelta(hours=1))
        for n, form in enumerate(waited):
            client.environ_base["REMOTE_ADDR"] = "198.51.100.7"
            answers = [client.post(path_of(prop), data={**each, "step": "send"}) for each in waited[n:]]
            assert [answer.status_code for answer in answers] == [303, *[429] * (3 - n)]
            assert all(0 < int(answer.headers["Retry-After"]) <= 60 for answer in answers[1:])
            assert offers() == n + 1
            again = client.post(path_of(prop), data={**form, "step": "send"})
            assert again.status_code == 303, "who presses once more is led to the offer that it became"
            redis.Redis.from_url(valkey).flushall()  # a minute there, whose clock is its own
        client.environ_base["REMOTE_ADDR"] = "203.0.113.5"
        assert client.post(path_of(prop), data={**other, "step": "send"}).status_code == 303


def test_the_agent_of_a_flooded_link_is_told_once_a_day(
    client: FlaskClient, prop: Property, owner: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "FLOOD", throttle.rates("2/hour"))
    for number in range(2):
        assert sent_by(client, prop, number, f"203.0.113.{number}").status_code == 303
    assert told(prop) == []
    for number in range(2, 5):
        assert sent_by(client, prop, number, f"203.0.113.{number}").status_code == 303, "it changes nothing"
    [owed] = told(prop)
    assert owed.user_id == owner.id
    text = registry().compose(DeliveryRow.of(owed)).as_bytes().decode()
    assert str(prop.id) in text and "2 oferte" in text
    client.application.extensions["bidflux_counter"].local.storage.reset()
    assert not floods.alert(prop.agency_id, prop.id, 2), "another process asks, and it was said"
    with time_machine.travel(datetime.now(UTC) + timedelta(days=1, minutes=1)):
        assert floods.alert(prop.agency_id, prop.id, 2)
    floods.slow(prop, on=True, by=SYSTEM)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=3)):
        assert not floods.alert(prop.agency_id, prop.id, 2), "the agent knows"
    with pytest.raises(NoLongerOwed):
        registry().compose(DeliveryRow.of(owed))


def test_a_sent_offer_asks_valkey_three_times_and_rings_once(client: FlaskClient, prop: Property) -> None:
    """Whether the caller may, whether the pace allows it; and once it is kept, its counts and the bell together."""
    sent_by(client, prop, 1)  # which tells Valkey the scripts
    _, review = fill(client, path_of(prop), email="om2@client.example", phone="0712100002")
    valkey = waker().connection
    valkey.delete(AWAKE, f"rq:queue:{QUEUE}")
    valkey.config_resetstat()
    assert client.post(path_of(prop), data={**hidden(review), "step": "send"}).status_code == 303
    asked = {name.removeprefix("cmdstat_"): row["calls"] for name, row in valkey.info("commandstats").items()}
    assert (asked["evalsha"], asked["mget"]) == (2, 1)
    assert 0 < valkey.pttl(AWAKE) <= AWAKE_MS and valkey.llen(f"rq:queue:{QUEUE}") == 1
    sent_by(client, prop, 3)
    assert valkey.llen(f"rq:queue:{QUEUE}") == 1, "it hangs there still"
    [(rate, names)] = throttle._flood(prop.id)
    assert int(valkey.get(f"LIMITS:{rate.key_for(*names)}") or 0) == 3


def test_with_valkey_away_offers_are_counted_here(client: FlaskClient, prop: Property) -> None:
    counter = client.application.extensions["bidflux_counter"]
    for pool in (counter._shared.storage.storage.connection_pool, waker().connection.connection_pool):
        pool.connection_kwargs["port"] = 9
        pool.disconnect()
    assert sent_by(client, prop, 1).status_code == sent_by(client, prop, 2).status_code == 303
    [(rate, names)] = throttle._flood(prop.id)
    assert counter.local.storage.get(rate.key_for(*names)) == 2
