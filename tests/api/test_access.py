"""Who is let in, for what, how often, and what each error says."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from app.accounts import editing as accounts
from app.accounts import staff
from app.accounts.api_keys import is_key, new_key
from app.blueprints.api import examples
from app.blueprints.api.schemas.offers import OfferNew
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import ApiKey
from app.web.errors import validation
from app.web.errors.problems import KINDS
from app.web.guards import Guard
from app.webhooks import editing as webhooks
from tests.api.conftest import ROOT, Crm, make_crm
from tests.factories import make_offer, make_property
from tests.web.test_routes import contents, path


def test_a_key_checks_itself() -> None:
    for test in (False, True):
        key = new_key(test=test)
        assert re.fullmatch(r"bfx_(live|test)_[0-9A-Za-z]{36}", key) and is_key(key)
        assert not is_key(key[:-1] + ("a" if key[-1] != "a" else "b")) and not is_key(key + "a") and not is_key("")
        assert not is_key("ș" * len(key))


NOT_KEYS = {
    "empty": "",
    "no-key": "Bearer",
    "short": "Bearer x",
    "basic": "Basic eDp5",
    "wrong-checksum": "Bearer bfx_live_" + "0" * 36,
    "unknown": "Bearer " + new_key(),
    "not-ascii": "Bearer ș",
}


@pytest.mark.parametrize("kind", NOT_KEYS)
def test_without_a_good_key_nothing_opens(crm: Crm, kind: str) -> None:
    answer = crm.get("/offers", Authorization=NOT_KEYS[kind])
    assert answer.status_code == 401 and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.mimetype == "application/problem+json" and answer.json["type"].endswith("/docs/errors/no-key")


def test_a_revoked_or_expired_key_stops_at_once_and_two_live_side_by_side(crm: Crm) -> None:
    agency = crm.owner.agency_id
    second = accounts.create_api_key(agency, "Nou", by=SYSTEM, expires_at=now() + timedelta(days=30))
    assert crm.get("/offers").status_code == 200
    assert crm.get("/offers", Authorization=f"Bearer {second}").status_code == 200
    first = db.session.scalars(select(ApiKey.id).where(ApiKey.name == "CRM")).one()
    staff.revoke_api_key(agency, first, by=SYSTEM)
    assert crm.get("/offers").status_code == 401
    with time_machine.travel(now() + timedelta(days=31)):
        assert crm.get("/offers", Authorization=f"Bearer {second}").status_code == 401


def test_a_key_that_reads_does_not_write_and_without_a_key_nothing_is_read(app: Flask) -> None:
    reader = make_crm(app, scopes=("read",))
    assert reader.get("/properties").status_code == 200
    before = contents()
    writes = 0
    for rule in app.url_map.iter_rules():
        view: Any = app.view_functions[rule.endpoint]
        if view.policy.guard is not Guard.API_KEY:
            continue
        where = path(app, rule, dict.fromkeys(rule.arguments, uuid.uuid4())).removeprefix(ROOT)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            body = examples.BODIES.get(view.operation.body)
            assert reader.call(method, where, body, Authorization="Bearer").status_code == 401, f"{method} {rule}"
            if method != "GET":
                refused = reader.call(method, where, body)
                assert refused.status_code == 403, f"{method} {rule}"
                assert 'error="insufficient_scope", scope="write"' in refused.headers["WWW-Authenticate"]
                writes += 1
    assert writes >= 14 and contents() == before


def test_when_a_key_was_last_used_is_noted_but_not_with_each_call(crm: Crm) -> None:
    crm.get("/offers")
    first = db.session.scalars(select(ApiKey.last_used_at)).one()
    crm.get("/offers")
    assert first and db.session.scalars(select(ApiKey.last_used_at)).one() == first
    with time_machine.travel(now() + timedelta(minutes=20), tick=True):
        crm.get("/offers")
        assert db.session.scalars(select(ApiKey.last_used_at)).one() > first


def test_limits_are_told_and_kept(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.web.guards import rates

    answer = crm.get("/offers")
    assert answer.headers["RateLimit-Policy"] == '"default";q=1200;w=60'
    assert re.fullmatch(r'"default";r=1199;t=\d+', answer.headers["RateLimit"])
    view = crm.app.view_functions["api.events_list"]
    from dataclasses import replace

    monkeypatch.setitem(view.__dict__, "policy", replace(view.__dict__["policy"], reads=rates("2/minute")))
    codes = [crm.get("/events") for _ in range(3)]
    assert [c.status_code for c in codes] == [200, 200, 429]
    assert int(codes[2].headers["Retry-After"]) > 0 and codes[2].headers["RateLimit"].startswith('"default";r=0')


def test_there_is_no_cors_and_no_cookie(crm: Crm) -> None:
    answer = crm.call("GET", "/offers", Origin="https://evil.example")
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control")]
    assert "Set-Cookie" not in answer.headers


BODIES: list[tuple[bytes, str, int]] = [
    (b'{"title": "x", "title": "y"}', "application/json", 400),
    (b'{"title": NaN}', "application/json", 400),
    (b'{"title": 1e999}', "application/json", 400),
    (b'{"title": "\xff"}', "application/json", 400),
    (b'{"title": "\\ud800"}', "application/json", 400),
    (b'\xef\xbb\xbf{"title": "x"}', "application/json", 400),
    (b"[" * 100_000, "application/json", 400),
    (b'{"rooms": ' + b"1" * 5000 + b"}", "application/json", 400),
    (b"", "application/json", 400),
    (b'{"title": "x"}', "text/plain", 415),
    (b'{"title": "x"}', "application/json; charset=utf-16", 415),
    (b"title=x", "application/x-www-form-urlencoded", 415),
    (b"[]", "application/json", 422),
    (b"null", "application/json", 422),
    (b'{"title": "a\\u0000b"}', "application/json", 422),
    (b'{"title": "x", "rooms": "3"}', "application/json", 422),
    (b'{"title": "x", "rooms": 0}', "application/json", 422),
    (b'{"title": "x", "rooms": true}', "application/json", 422),
    (b'{"title": "x", "asking_price": 5}', "application/json", 422),
    (b'{"title": "x", "asking_price": "0"}', "application/json", 422),
    (b'{"title": "x", "asking_price": "1e5"}', "application/json", 422),
    (b'{"title": "x", "asking_price": "5\\n"}', "application/json", 422),
    (b'{"title": "x", "nimic": 1}', "application/json", 422),
    (b'{"title": "x", "offers_open_at": "2026-01-01"}', "application/json", 422),
    (b'{"title": "x", "offers_open_at": "0001-01-01T00:00:00+14:00"}', "application/json", 422),
    (b'{"title": "x", "country": "ro"}', "application/json", 422),
    (b'{"title": "x\\n"}', "application/json", 422),
    (b'{"title": "  "}', "application/json", 422),
    (b'{"title": "x", "external_id": " CRM-1"}', "application/json", 422),
]


@pytest.mark.parametrize(("body", "media", "status"), BODIES)
def test_what_is_not_clear_is_refused_and_never_breaks(crm: Crm, body: bytes, media: str, status: int) -> None:
    answer = crm.call("PUT", "/properties/external/CRM-1", body, Content_Type=media)
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json" and answer.json["request_id"]
    assert crm.get("/properties").json["data"] == []


def test_too_large_a_body_is_refused(crm: Crm) -> None:
    body = b'{"title": "' + b"x" * 3_000_000 + b'"}'
    assert crm.call("PUT", "/properties/external/CRM-1", body).status_code == 413
    chunks = {
        "wsgi.input_terminated": True,
        "HTTP_TRANSFER_ENCODING": "chunked",
    }  # as a server hands on what comes in chunks
    named = {"Authorization": f"Bearer {crm.key}", "Content-Type": "application/json"}
    for size, status in ((3_000_000, 413), (10, 201)):
        client, where = crm.app.test_client(), f"{ROOT}/properties/external/CRM-1"
        data = b'{"title": "' + b"x" * size + b'"}'
        assert client.put(where, data=data, headers=named, environ_overrides=chunks).status_code == status


def test_compressed_bodies_and_broken_queries_are_refused(crm: Crm) -> None:
    squeezed = crm.call("PUT", "/properties/external/CRM-1", b"{}", Content_Encoding="gzip")
    assert squeezed.status_code == 415
    assert crm.get("/offers?agent=%ff").status_code == 400
    assert crm.get("/offers?agent=%00").status_code == 422
    assert crm.put("CRM%00").status_code == 422 and crm.put("%20CRM").status_code == 422
    path = {"PATH_INFO": f"{ROOT}/properties/external/CRM\xff"}  # the client itself would mend it
    named = {"Authorization": f"Bearer {crm.key}"}
    broken = crm.app.test_client().put("/", json={"title": "Casă"}, headers=named, environ_overrides=path)
    assert broken.status_code == 400 and crm.get("/properties").json["data"] == []
    assert crm.get("/offers?cursor=WyJ4Il0.x").status_code == 422
    assert crm.get("/nimic").status_code == 404 and crm.get("/properties/17").status_code == 404
    wrong = crm.call("DELETE", "/offers")
    assert wrong.status_code == 405 and "GET" in wrong.headers["Allow"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body is empty"),
        (b" \n", "The body is empty"),
        (b'\xef\xbb\xbf{"title": "x"}', "The body begins with a byte order mark"),
        (b'{"title": "x", "offers_close_at": "2035-01-01T10:00:00+99:00"}', "/offers_close_at: must be a day, an hour"),
        (b'{"title": "x", "offers_close_at": "2035-02-30T10:00:00Z"}', "/offers_close_at: must be a day, an hour"),
        (b'{"title": "\xe2\x80\x8b\xc2\xad"}', "/title: Must be one line of text, and not blank"),
    ],
)
def test_a_refusal_says_what_is_wrong_in_the_callers_words(crm: Crm, body: bytes, said: str) -> None:
    refused = crm.call("POST", "/properties", body)
    assert refused.status_code in {400, 422} and refused.json["detail"].startswith(said), refused.text


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        (
            "/properties",
            {"title": "x", "asking_prise": "1"},
            "/asking_prise: Unknown field; did you mean asking_price?",
        ),
        ("/properties", {"title": "x", "nimic": 1}, "/nimic: Unknown field"),
        ("/properties", {"asking_price": "125.000,00"}, "/asking_price: Must be a decimal string above zero"),
        ("/properties", {"title": "x", "asking_price": "1.234"}, "/asking_price: Must be a decimal string above zero"),
        ("/properties", [], "The body: Must be a JSON object"),
        ("/webhooks", {"url": "https://crm.example", "event": []}, "/event: Unknown field; did you mean events?"),
        ("/offers", {"bidder": {"fullname": "x"}}, "/amount: Required (and 6 more)"),
    ],
)
def test_a_refusal_says_what_would_be_right(crm: Crm, path: str, body: Any, said: str) -> None:
    refused = crm.call("POST", path, body).json
    assert refused["detail"].startswith(said)
    assert "^[" not in str(refused), "no regular expression is shown"


@pytest.mark.parametrize("body", [{f"n{n}": 1 for n in range(501)}, {"x" * 201: 1}, {"data": [{"x" * 201: 1}]}])
def test_an_object_with_names_without_end_is_not_held_against_a_model(crm: Crm, body: Any) -> None:
    for where in ("/properties", "/properties/bulk", "/offers", "/webhooks"):
        refused = crm.call("POST", where, body)
        assert refused.status_code == 400 and "names" in refused.json["detail"]


def test_of_very_many_faults_a_hundred_are_told_and_no_more_looked_into(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[str] = []
    monkeypatch.setattr(validation, "get_close_matches", lambda name, *_rest: looked.append(name) or [])
    for refused in (
        crm.call("POST", "/properties", {f"asking_{n}": 1 for n in range(500)}),
        crm.get("/offers?" + "&".join(f"a{n}=1" for n in range(3000))),
    ):
        assert refused.status_code == 422 and len(refused.json["errors"]) == 100
    assert len(looked) <= 200


def test_a_misspelt_parameter_is_named_with_the_right_one(crm: Crm) -> None:
    refused = crm.get("/offers?min_amont=5").json
    assert refused["errors"] == [{"parameter": "min_amont", "detail": "Unknown parameter; did you mean min_amount?"}]


def test_every_kind_of_problem_has_its_page(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/docs/errors").status_code == 200
    for kind in KINDS.values():
        for language in ("ro", "en"):
            page = client.get(f"/{language}/docs/errors/{kind.slug}")
            assert page.status_code == 200 and kind.uri in page.get_data(as_text=True)
    assert client.get("/docs/errors/nimic").status_code == 404


def test_an_unexpected_fault_is_a_problem_without_its_cause(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_: Any) -> None:
        raise RuntimeError("andrei@client.example")

    monkeypatch.setitem(crm.app.view_functions, "api.events_list", broken)
    crm.app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = crm.app.test_client().get(f"{ROOT}/events")
    assert answer.status_code == 500 and answer.json["type"].endswith("/internal") and "andrei" not in answer.text


def test_a_key_of_another_agency_sees_and_changes_nothing(app: Flask, crm: Crm) -> None:
    """Every call that names an object, with what it takes and the ids of another agency's real objects: 404."""
    other = make_crm(app, "Cealaltă")
    prop = make_property(other.owner.agency_id, other.owner.id, external_id="CRM-9")
    webhook, _ = webhooks.create(other.owner.agency_id, "https://crm.example", by=SYSTEM)
    call = webhooks.send_test(webhooks.get_endpoint(other.owner.agency_id, webhook), by=SYSTEM)
    values = {"property_id": prop.id, "offer_id": make_offer(prop), "external_id": "CRM-9"}
    values |= {"endpoint_id": webhook, "delivery_id": call}
    crm.get("/offers")
    before = contents()
    tried: set[str] = set()
    for rule in app.url_map.iter_rules():
        view: Any = app.view_functions[rule.endpoint]
        if view.policy.guard is not Guard.API_KEY or not rule.arguments or rule.endpoint == "api.properties_put":
            continue
        where = path(app, rule, {name: values[name] for name in rule.arguments}).removeprefix(ROOT)
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            answer = crm.call(method, where, examples.BODIES.get(view.operation.body))
            assert contents() == before, f"{method} {rule} changed something"
            assert answer.status_code == 404, f"{method} {rule} answers {answer.status_code}: {answer.text}"
            assert "Țurcanu" not in answer.text and "Mănăștur" not in answer.text
            tried.add(rule.endpoint)
    assert len(tried) >= 15
    for lists in ("/offers", "/properties", "/properties?archived=true", "/events", "/webhooks"):
        assert crm.get(lists).json["data"] == []
    assert crm.get("/stats").json["count"] == 0
    named = {**examples.BODIES[OfferNew], "property_external_id": "CRM-9"}
    assert crm.call("POST", "/offers", named).json["errors"][0]["pointer"] == "/property_external_id"
    assert contents() == before
    for name in (
        "properties/external/CRM-9",
        f"offers/{values['offer_id']}",
        f"webhooks/{webhook}",
        f"deliveries/{call}",
    ):
        assert other.get(f"/{name}").status_code == 200, "they are there, for the other"
    mine = crm.put("CRM-9")
    assert mine.status_code == 201 and mine.json["id"] != str(prop.id)


def test_a_parameter_named_twice_is_refused(crm: Crm) -> None:
    for query in ("q=a&q=b", "archived=true&archived=false"):
        refused = crm.get(f"/properties?{query}")
        assert refused.status_code == 422 and refused.json["errors"][0]["parameter"] == query.partition("=")[0]
    beside = crm.call("POST", "/properties?title=Alta", {"title": "Casă"})
    assert beside.status_code == 201 and beside.json["title"] == "Casă"
