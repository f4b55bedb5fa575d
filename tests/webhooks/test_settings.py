"""The owner's settings of webhooks: addresses, secrets, tests, the log, sending again."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import standardwebhooks
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import delete, select, update
from werkzeug.test import TestResponse

from app.core.clock import now
from app.core.unit_of_work import housekeeping
from app.delivery.webhook_dispatcher import close_webhook_dispatcher, webhook_dispatcher
from app.extensions import db
from app.models import Access, Delivery, OfferKey, User, WebhookEndpoint
from tests.factories import csrf, login, make_agency, make_draft, make_offer, make_property, make_user
from tests.outbound.servers import Receiver, receiving, reply

WEBHOOKS = "/app/settings/webhooks"


@pytest.fixture
def receiver(app: Flask) -> Iterator[Receiver]:
    settings = app.extensions["bidflux_settings"]
    opened = (ipaddress.ip_network("127.0.0.0/8"),)
    app.extensions["bidflux_settings"] = dataclasses.replace(settings, webhook_allow_networks=opened)
    with receiving() as made:
        yield made
    close_webhook_dispatcher(app)


@pytest.fixture
def owner(client: FlaskClient, app: Flask) -> User:
    user = make_user(make_agency(), "owner")
    login(client, user)
    return user


def post(client: FlaskClient, path: str, **data: object) -> TestResponse:
    token = csrf(client.get("/app/settings").get_data(as_text=True))
    return client.post(path, data={"csrf_token": token, **data})


def add(client: FlaskClient, receiver: Receiver, *events: str) -> tuple[str, str]:
    """The page of a new address, and its secret."""
    answer = post(client, WEBHOOKS, url=receiver.url, events=list(events))
    text = answer.get_data(as_text=True)
    assert answer.status_code == 200, text
    found = re.search(r"whsec_[A-Za-z0-9+/=]+", text)
    assert found
    db.session.rollback()
    newest = select(WebhookEndpoint.id).order_by(WebhookEndpoint.created_at.desc()).limit(1)
    return f"{WEBHOOKS}/{db.session.scalars(newest).one()}", found[0]


def run() -> int:
    db.session.rollback()
    return webhook_dispatcher().run()


def calls() -> list[Delivery]:
    db.session.rollback()
    query = select(Delivery).where(Delivery.kind == "webhook").order_by(Delivery.created_at, Delivery.id)
    return list(db.session.scalars(query))


def text_of(client: FlaskClient, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.get_data(as_text=True)


def test_an_address_is_added_and_its_secret_shown_once(client: FlaskClient, owner: User, receiver: Receiver) -> None:
    page, secret = add(client, receiver, "offer.created")
    assert receiver.url in text_of(client, WEBHOOKS)
    assert "whsec_" not in text_of(client, page)
    make_offer(make_property(owner.agency_id, owner.id))
    assert run() == 1
    [request] = receiver.requests
    standardwebhooks.Webhook(secret).verify(request.body.decode(), request.headers)


@pytest.mark.parametrize("url", ["", "crm", "ftp://crm.example", "https://a:b@crm.example", "https://" + "x" * 2001])
def test_a_wrong_address_is_kept_in_the_form(client: FlaskClient, owner: User, url: str) -> None:
    answer = post(client, WEBHOOKS, url=url)
    assert answer.status_code == 422 and f'value="{url}"' in answer.get_data(as_text=True)
    assert post(client, WEBHOOKS, url="https://crm.example", events=["nu.exista"]).status_code == 422


def test_address_and_events_change(client: FlaskClient, owner: User, receiver: Receiver) -> None:
    page, _secret = add(client, receiver)
    assert post(client, page, url=f"{receiver.url}/altul", events=["link.rotated"]).status_code == 303
    text = text_of(client, page)
    assert "/altul" in text and re.search(r'value="link.rotated"[^>]*checked', text)
    assert post(client, page, url="").status_code == 422


def test_a_test_is_sent_and_shown_with_its_answer(client: FlaskClient, owner: User, receiver: Receiver) -> None:
    page, _secret = add(client, receiver)
    receiver.answer = lambda _request: reply(500, "nu știu ce e asta".encode(), Content_Type="text/plain")
    answer = post(client, f"{page}/test", kind="offer.created")
    assert answer.status_code == 303
    assert "Încă nu s-a încercat" in text_of(client, answer.location)
    run()
    text = text_of(client, answer.location)
    assert "500" in text and "nu știu ce e asta" in text and "webhook-signature" in text
    assert "Măriuca Țepeș-Ionescu" in text, "the sample"
    assert post(client, f"{page}/test", kind="nu.exista").status_code == 422


def test_one_call_is_sent_again(client: FlaskClient, owner: User, receiver: Receiver) -> None:
    page, _secret = add(client, receiver, "offer.created")
    offer = make_offer(make_property(owner.agency_id, owner.id))
    run()
    [call] = calls()
    where = f"/app/settings/webhook-calls/{call.id}"
    assert where in text_of(client, page)
    assert where in text_of(client, f"/app/offers/{offer}"), "the offer's page leads there"
    assert post(client, f"{where}/resend").status_code == 303
    assert post(client, f"{where}/resend").status_code == 409, "it waits already"
    run()
    one, two = receiver.requests
    assert (one.headers["webhook-id"], one.body) == (two.headers["webhook-id"], two.body)


def test_a_failed_call_says_why_and_is_tried_at_once(client: FlaskClient, owner: User, receiver: Receiver) -> None:
    page, _secret = add(client, receiver, "offer.created")
    receiver.answer = lambda _request: reply(503, b"azi nu")
    make_offer(make_property(owner.agency_id, owner.id))
    where = f"/app/settings/webhook-calls/{calls()[0].id}"
    assert 'hx-trigger="every 2s"' in text_of(client, where), "the page waits for what becomes of it"
    run()
    with housekeeping() as connection:
        connection.execute(update(Delivery).values(due_at=now() + timedelta(hours=2)))
    shown = text_of(client, page)
    assert "offer.created" in shown and "503" in shown and receiver.url in shown
    assert re.search(r'name="since"\s+value="20\d\d-\d\d-\d\d \d\d:\d\d:00"', shown), "since when it fails"
    call = text_of(client, where)
    assert "azi nu" in call and "every 2s" not in call
    receiver.answer = lambda _request: reply()
    assert post(client, f"{where}/resend").status_code == 303
    run()
    part = client.get(where, headers={"HX-Request": "true"}).text
    assert 'id="progress"' in part and "<h1" not in part and "every 2s" not in part
    db.session.rollback()
    assert len(db.session.scalars(select(Access.offer_id)).all()) == 2, "looking on is not reading anew"


def test_reading_what_a_call_says_of_an_offer_is_noted(client: FlaskClient, owner: User, receiver: Receiver) -> None:
    add(client, receiver, "offer.created")
    offer = make_offer(make_property(owner.agency_id, owner.id))
    [call] = calls()
    client.head(f"/app/settings/webhook-calls/{call.id}")
    client.get(f"/app/settings/webhook-calls/{call.id}", headers={"Sec-Purpose": "prefetch"})
    assert not db.session.scalars(select(Access.offer_id)).all()
    assert "Andrei Țurcanu" in text_of(client, f"/app/settings/webhook-calls/{call.id}")
    db.session.rollback()
    assert db.session.scalars(select(Access.offer_id)).all() == [offer]
    with housekeeping() as connection:
        from sqlalchemy import delete

        connection.execute(delete(OfferKey).where(OfferKey.offer_id == offer))
    assert "Andrei" not in text_of(client, f"/app/settings/webhook-calls/{call.id}")


def test_off_and_on_and_what_was_missed(client: FlaskClient, owner: User, receiver: Receiver) -> None:
    page, _secret = add(client, receiver, "offer.created")
    assert post(client, f"{page}/switch", on="0").status_code == 303
    assert "Apelurile sunt oprite" in text_of(client, page)
    make_offer(make_property(owner.agency_id, owner.id))
    since = (now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    assert post(client, f"{page}/replay", since=since).status_code == 409
    assert post(client, f"{page}/test").status_code == 409
    assert post(client, f"{page}/switch", on="1").status_code == 303
    assert post(client, f"{page}/replay", since="").status_code == 422
    assert post(client, f"{page}/replay", since=since).status_code == 303
    assert run() == 1


def test_the_log_is_filtered_and_paged(client: FlaskClient, owner: User, receiver: Receiver) -> None:
    page, _secret = add(client, receiver, "offer.created")
    prop = make_property(owner.agency_id, owner.id)
    for days in range(1, 33):
        make_offer(prop, make_draft(payment_term_days=days))
    text = text_of(client, page)
    assert text.count("/app/settings/webhook-calls/") == 30
    older = re.search(r'rel="next" href="([^"]+)"', text)
    assert older
    assert text_of(client, older[1].replace("&amp;", "&")).count("/app/settings/webhook-calls/") == 2
    assert "/webhook-calls/" not in text_of(client, f"{page}?state=delivered")
    assert client.get(f"{page}?after=nimic&state=nimic").status_code == 200
    oldest = select(Delivery.id).where(Delivery.kind == "webhook").order_by(Delivery.created_at, Delivery.id).limit(2)
    with housekeeping() as connection:  # the nightly run forgets what is 90 days old
        connection.execute(delete(Delivery).where(Delivery.id.in_(db.session.scalars(oldest).all())))
    text = text_of(client, older[1].replace("&amp;", "&"))
    assert text.count("/app/settings/webhook-calls/") == 30 and 'rel="prev"' in text and 'rel="next"' not in text


def test_the_secret_is_rotated_and_the_address_removed(client: FlaskClient, owner: User, receiver: Receiver) -> None:
    page, secret = add(client, receiver)
    answer = post(client, f"{page}/rotate")
    new = re.search(r"whsec_[A-Za-z0-9+/=]+", answer.get_data(as_text=True))
    assert new and new[0] != secret
    make_offer(make_property(owner.agency_id, owner.id))
    [call, *_others] = calls()
    assert client.get(f"{page}/remove").status_code == 200
    assert post(client, f"{page}/remove").status_code == 303
    assert client.get(page).status_code == 404
    assert client.get(f"/app/settings/webhook-calls/{call.id}").status_code == 200, "its log stays a while"
    assert {one.state for one in calls()} == {"cancelled"}
