"""The CRM says where it is called, and reads and repeats what was sent there."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import standardwebhooks
from flask import Flask

from app.blueprints.api.openapi import describe
from app.core.clock import now, rfc3339
from app.core.unit_of_work import housekeeping
from app.delivery.webhook_dispatcher import close_webhook_dispatcher, webhook_dispatcher
from app.extensions import db
from app.models.webhook import EVENTS
from app.webhooks import editing as webhooks
from tests.api.conftest import Crm, make_crm
from tests.factories import make_draft, make_offer, make_property
from tests.outbound.servers import Receiver, receiving, reply


@pytest.fixture
def receiver(app: Flask) -> Iterator[Receiver]:
    settings = app.extensions["bidflux_settings"]
    opened = (ipaddress.ip_network("127.0.0.0/8"),)
    app.extensions["bidflux_settings"] = dataclasses.replace(settings, webhook_allow_networks=opened)
    with receiving() as made:
        yield made
    close_webhook_dispatcher(app)


def run() -> int:
    db.session.rollback()
    return webhook_dispatcher().run()


def make_webhook(crm: Crm, receiver: Receiver, *events: str) -> dict[str, str]:
    answer = crm.call("POST", "/webhooks", {"url": receiver.url, "events": list(events)})
    assert answer.status_code == 201, answer.text
    made: dict[str, str] = answer.json
    assert answer.headers["Location"] == f"/api/crm/webhooks/{made['id']}"
    return made


def test_a_webhook_is_made_and_its_secret_shown_once(crm: Crm, receiver: Receiver) -> None:
    made = make_webhook(crm, receiver, "offer.created", "offer.created")
    assert made["secret"].startswith("whsec_") and made["events"] == ["offer.created"]  # type: ignore[comparison-overlap]
    shown = crm.get(f"/webhooks/{made['id']}").json
    assert "secret" not in shown and shown["url"] == receiver.url and shown["enabled"] is True
    assert crm.get("/webhooks").json == {"data": [shown], "has_more": False, "next_cursor": None}


def test_what_is_called_is_what_the_log_says(crm: Crm, receiver: Receiver) -> None:
    made = make_webhook(crm, receiver)
    offer = make_offer(make_property(crm.owner.agency_id, crm.owner.id))
    assert run() == 2
    page = crm.get(f"/webhooks/{made['id']}/deliveries").json
    assert [line["type"] for line in page["data"]] == ["offer.created", "property.created"]
    line = page["data"][0]
    assert (line["state"], line["attempts"][0]["status"], line["attempts"][0]["answer"]) == ("delivered", 200, "ok")
    whole = crm.get(f"/deliveries/{line['id']}").json
    sent = next(r for r in receiver.requests if r.headers["webhook-id"] == line["id"])
    asked = {name.lower(): value for name, value in line["attempts"][0]["request_headers"].items()}
    assert asked.items() <= sent.headers.items() and "webhook-signature" in asked
    assert whole["body"].encode() == sent.body and json.loads(sent.body)["data"]["id"] == str(offer)
    standardwebhooks.Webhook(made["secret"]).verify(sent.body.decode(), sent.headers)


def test_a_delivery_is_sent_again_with_its_id_and_a_new_schedule(crm: Crm, receiver: Receiver) -> None:
    made = make_webhook(crm, receiver, "offer.created")
    make_offer(make_property(crm.owner.agency_id, crm.owner.id))
    run()
    [line] = crm.get(f"/webhooks/{made['id']}/deliveries").json["data"]
    answer = crm.call("POST", f"/deliveries/{line['id']}/retry")
    assert (answer.status_code, answer.json["state"]) == (202, "pending")
    assert crm.call("POST", f"/deliveries/{line['id']}/retry").status_code == 409
    receiver.answer = lambda _request: reply(500, b"nu acum")
    run()
    failed = crm.get(f"/deliveries/{line['id']}").json
    assert [tried["status"] for tried in failed["attempts"]] == [200, 500]
    assert failed["state"] == "pending" and failed["due_at"] < rfc3339(now().replace(year=now().year + 1))
    waits = webhooks.get_endpoint(crm.owner.agency_id, uuid.UUID(made["id"]))
    assert waits.failing_since
    from datetime import timedelta

    from app.core.clock import from_rfc3339

    assert from_rfc3339(failed["due_at"]) - now() < timedelta(seconds=7), "the schedule begins anew"
    one, two = receiver.requests
    assert (one.headers["webhook-id"], one.body) == (two.headers["webhook-id"], two.body)


@pytest.mark.parametrize("kind", ["webhook.test", *EVENTS])
def test_a_sample_of_every_event_is_sent_and_logged(crm: Crm, receiver: Receiver, kind: str) -> None:
    made = make_webhook(crm, receiver, "link.rotated")
    answer = crm.call("POST", f"/webhooks/{made['id']}/test", {"type": kind})
    assert answer.status_code == 202 and json.loads(answer.json["body"])["type"] == kind
    assert run() == 1
    assert receiver.requests[0].body.decode() == answer.json["body"]


def test_off_and_on_again_replays_what_was_missed(crm: Crm, receiver: Receiver) -> None:
    began = rfc3339(now())
    made = make_webhook(crm, receiver, "offer.created")
    where = f"/webhooks/{made['id']}"
    assert crm.call("PATCH", where, {"enabled": False}).json["disabled_reason"] == "owner"
    prop = make_property(crm.owner.agency_id, crm.owner.id)
    make_offer(prop)
    assert crm.call("POST", f"{where}/replay", {"since": began}).status_code == 409
    assert crm.call("POST", f"{where}/test", {}).status_code == 409
    assert crm.call("PATCH", where, {"enabled": True, "events": []}).json["enabled"] is True
    assert crm.call("POST", f"{where}/replay", {"since": began}).json == {"calls": 2}
    assert run() == 2
    assert crm.call("POST", f"{where}/replay", {"since": began}).json == {"calls": 0}


def test_an_undone_decision_is_never_replayed(app: Flask, crm: Crm, receiver: Receiver) -> None:
    from app.core.ledger import Actor
    from app.offers import deciding

    began = rfc3339(now())
    made = make_webhook(crm, receiver, "offer.status_changed")
    offer = make_offer(make_property(crm.owner.agency_id, crm.owner.id))
    by = Actor("user", crm.owner.id)
    decided = deciding.decide_all(
        crm.owner.agency_id, [deciding.Chosen(offer)], deciding.AgencyAnswer("accepted"), by=by
    )
    assert decided
    deciding.undo(decided, crm.owner.agency_id, by=by)
    crm.call("POST", f"/webhooks/{made['id']}/replay", {"since": began})
    run()
    assert [json.loads(r.body)["data"]["status"] for r in receiver.requests] == ["new"], (
        "what holds, not what was undone"
    )
    [cancelled] = crm.get(f"/webhooks/{made['id']}/deliveries?state=cancelled").json["data"]
    assert crm.call("POST", f"/deliveries/{cancelled['id']}/retry").status_code == 409


def test_the_secret_is_rotated_and_the_webhook_removed(app: Flask, crm: Crm, receiver: Receiver) -> None:
    made = make_webhook(crm, receiver)
    where = f"/webhooks/{made['id']}"
    rotated = crm.call("POST", f"{where}/rotate-secret").json
    assert rotated["secret"] != made["secret"] and rotated["earlier_secret_until"] > rfc3339(now())
    assert crm.get(where).json["earlier_secret_until"] == rotated["earlier_secret_until"]
    again = crm.call("POST", f"{where}/rotate-secret").json
    assert crm.get(where).json["earlier_secrets_until"] == [
        again["earlier_secret_until"],
        rotated["earlier_secret_until"],
    ]
    for _ in range(8):
        crm.call("POST", f"{where}/rotate-secret")
    refused = crm.call("POST", f"{where}/rotate-secret")
    assert refused.status_code == 409 and "10 earlier secrets" in refused.json["detail"]
    told = app.test_cli_runner().invoke(args=["webhook", "list"]).output
    assert told.count("signs too until") == 10
    assert crm.call("DELETE", where).status_code == 204
    assert crm.get(where).status_code == 404 and crm.get("/webhooks").json["data"] == []
    assert crm.call("DELETE", where).status_code == crm.call("PATCH", where, {"enabled": True}).status_code == 404
    for path in ("test", "rotate-secret", "replay"):
        body = {"since": "2026-11-20T00:00:00Z"} if path == "replay" else {}
        assert crm.call("POST", f"{where}/{path}", body).status_code == 404, path
    assert crm.get(f"{where}/deliveries").status_code == 404


def test_the_log_is_paged_and_stays_still_while_more_comes(crm: Crm, receiver: Receiver) -> None:
    made = make_webhook(crm, receiver, "offer.created")
    prop = make_property(crm.owner.agency_id, crm.owner.id)
    for days in range(1, 6):
        make_offer(prop, make_draft(payment_term_days=days))
    where, seen = f"/webhooks/{made['id']}/deliveries?limit=2", []
    page = crm.get(where)
    while True:
        seen += [line["seq"] for line in page.json["data"]]
        make_offer(prop, make_draft(payment_term_days=40 + len(seen)))
        if not page.json["has_more"]:
            break
        assert 'rel="next"' in page.headers["Link"]
        page = crm.get(f"{where}&cursor={page.json['next_cursor']}")
    assert seen == sorted(seen, reverse=True) and len(seen) == 5


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"url": "ftp://crm.example"},
        {"url": "https://user:pass@crm.example/"},
        {"url": "https://crm.example", "events": ["offer.eaten"]},
        {"url": "https://crm.example", "events": "offer.created"},
        {"url": "https://crm.example", "secret": "mine"},
        {"url": "https://crm\u0000.example"},
        {"url": "https://" + "a" * 3000},
    ],
)
def test_what_cannot_be_is_refused(crm: Crm, body: dict[str, object]) -> None:
    answer = crm.call("POST", "/webhooks", body)
    assert answer.status_code == 422 and answer.json["errors"]


def test_without_an_opened_network_http_is_refused(crm: Crm) -> None:
    assert crm.call("POST", "/webhooks", {"url": "http://crm.example"}).status_code == 422
    assert crm.call("POST", "/webhooks", {"url": "https://crm.example"}).status_code == 201


def test_another_agencys_webhooks_do_not_exist(app: Flask, crm: Crm, receiver: Receiver) -> None:
    made = make_webhook(crm, receiver)
    make_property(crm.owner.agency_id, crm.owner.id)
    run()
    [line] = crm.get(f"/webhooks/{made['id']}/deliveries").json["data"]
    other = make_crm(app, "Cealaltă")
    for method, path, body in (
        ("GET", f"/webhooks/{made['id']}", None),
        ("PATCH", f"/webhooks/{made['id']}", {"enabled": False}),
        ("DELETE", f"/webhooks/{made['id']}", None),
        ("POST", f"/webhooks/{made['id']}/rotate-secret", None),
        ("POST", f"/webhooks/{made['id']}/test", {}),
        ("POST", f"/webhooks/{made['id']}/replay", {"since": "2026-01-01T00:00:00Z"}),
        ("GET", f"/webhooks/{made['id']}/deliveries", None),
        ("GET", f"/deliveries/{line['id']}", None),
        ("POST", f"/deliveries/{line['id']}/retry", None),
    ):
        assert other.call(method, path, body).status_code == 404, path
    reads = make_crm(app, "A treia", scopes=("read",))
    assert reads.call("POST", "/webhooks", {"url": "https://crm.example"}).status_code == 403


def test_a_backlog_of_calls_does_not_hide_mails(app: Flask, crm: Crm) -> None:
    """Mail that is due is found by its kind, however many calls wait."""
    from sqlalchemy import text

    with housekeeping() as connection:
        plan = connection.execute(
            text(
                "EXPLAIN QUERY PLAN SELECT id FROM delivery WHERE kind = 'mail' AND state = 'pending'"
                " AND due_at <= '2026-01-01' ORDER BY due_at LIMIT 20"
            )
        ).all()
    assert "ix_delivery_due (kind=? AND state=? AND due_at<?)" in str(plan)


BODYLESS: list[dict[str, Any]] = [
    {}, {"data": b""}, {"data": b"", "content_type": "application/json"}, {"data": b"{}"},
    {"data": b"{}", "content_type": "application/json"}, {"data": b" \n", "content_type": "text/plain"},
    {"data": b"", "content_type": "application/x-www-form-urlencoded"},
]  # fmt: skip


@pytest.mark.parametrize("sent", BODYLESS)
def test_actions_need_no_body(crm: Crm, receiver: Receiver, sent: dict[str, Any]) -> None:
    made = make_webhook(crm, receiver)
    held = crm.put("CRM-1", accepts_offers=True).json
    make_offer(make_property(crm.owner.agency_id, crm.owner.id))
    delivery = crm.get(f"/webhooks/{made['id']}/deliveries").json["data"][0]["id"]
    assert run() > 0
    where = f"/webhooks/{made['id']}"
    actions = {
        f"{where}/test": 202,
        f"{where}/replay": 202,
        f"{where}/rotate-secret": 200,
        f"/deliveries/{delivery}/retry": 202,
        f"/properties/{held['id']}/link": 200,
        f"/properties/{held['id']}/archive": 200,
        f"/properties/{held['id']}/unarchive": 200,
    }
    named = {"Authorization": f"Bearer {crm.key}"}
    for path, status in actions.items():
        answer = crm.app.test_client().post(f"/api/crm{path}", headers=named, **sent)
        assert answer.status_code == status, (path, answer.text)


def test_every_action_is_one_of_those(app: Flask) -> None:
    """A POST to what stands below an object needs no body, unless it makes something of it."""
    paths = describe(app)["paths"]
    acts = {path for path, calls in paths.items() if "post" in calls and "}/" in path}
    needed = {path for path in acts if calls_body(paths[path]["post"])}
    assert not needed, needed


def calls_body(call: dict[str, Any]) -> bool:
    return bool(call.get("requestBody", {}).get("required"))


def test_a_body_that_says_something_is_still_read(crm: Crm, receiver: Receiver) -> None:
    made = make_webhook(crm, receiver)
    where = f"/webhooks/{made['id']}/test"
    assert crm.call("POST", where, {"type": "offer.created"}).json["type"] == "offer.created"
    assert crm.call("POST", where, {"type": "offer.eaten"}).status_code == 422
    assert crm.call("POST", where, b"type=offer.created", Content_Type="text/plain").status_code == 415
    assert crm.call("POST", where, b"{").status_code == 400


@pytest.mark.parametrize(
    "host",
    ["10.0.0.1", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "017700000001", "127.0.0.1.", "192.168.1",
     "[::1]", "[::ffff:10.0.0.1]", "[fd00::1]", "169.254.169.254", "100.64.0.1", "localhost", "LOCALHOST",
     "a.localhost.", "0", "0.0.0.0"],
)  # fmt: skip
def test_an_address_inside_is_refused_when_it_is_given(crm: Crm, host: str) -> None:
    refused = crm.call("POST", "/webhooks", {"url": f"https://{host}/hook"})
    assert refused.status_code == 422 and refused.json["errors"][0]["pointer"] == "/url", refused.text
    made = crm.call("POST", "/webhooks", {"url": "https://example.com/hook"}).json
    assert crm.call("PATCH", f"/webhooks/{made['id']}", {"url": f"https://{host}/"}).status_code == 422
