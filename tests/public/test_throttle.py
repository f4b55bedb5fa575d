"""One party's presses never close a link for another: only new offers count, and who is over waits a moment."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.blueprints.public import throttle
from app.models import Property
from tests.factories import login, make_agency, make_user
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
