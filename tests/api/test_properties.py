"""Properties over the API: created, replaced, changed, listed, many at once."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from flask import Flask
from sqlalchemy import select

from app.core.clock import now
from app.extensions import db
from app.models import Property
from tests.api.conftest import Crm
from tests.factories import login, make_offer, make_property, make_user

FULL = {
    "title": "Apartament cu 3 camere în Mănăștur",
    "title_en": "Three-room apartment in Mănăștur",
    "property_type": "apartment",
    "city": "Cluj-Napoca",
    "usable_area_sqm": 72,
    "rooms": 3,
    "asking_price": "125000",
    "currency": "EUR",
    "accepts_offers": True,
    "offers_close_at": "2035-12-31T18:00:00+02:00",
}


def test_a_crm_puts_a_property_and_reads_it_back(crm: Crm) -> None:
    made = crm.call("PUT", "/properties/external/CRM-1", FULL)
    assert made.status_code == 201, made.text
    shown = made.json
    assert shown["external_id"] == "CRM-1" and shown["asking_price"] == "125000.00"
    assert shown["offers_close_at"] == "2035-12-31T16:00:00.000000Z" and "/o/" in shown["offer_url"]
    assert shown["agent"]["email"] == crm.owner.email and shown["warnings"] == []
    read = crm.get(f"/properties/{shown['id']}")
    assert read.status_code == 200 and read.headers["ETag"] == made.headers["ETag"] == '"1"'
    assert read.json == {k: v for k, v in shown.items() if k != "warnings"}


def test_what_was_read_can_be_written_back_and_changes_nothing(crm: Crm) -> None:
    made = crm.call("PUT", "/properties/external/CRM-1", FULL)
    again = crm.call("PUT", "/properties/external/CRM-1", crm.get(f"/properties/{made.json['id']}").json)
    assert again.status_code == 200 and again.headers["ETag"] == '"1"', again.text
    assert len(crm.get("/events").json["data"]) == 1


def test_a_put_replaces_but_what_is_left_out_of_offering_stays(crm: Crm) -> None:
    crm.call("PUT", "/properties/external/CRM-1", FULL)
    shown = crm.put("CRM-1", title="Altfel").json
    assert shown["accepts_offers"] and shown["offers_close_at"] == "2035-12-31T16:00:00.000000Z"
    assert shown["rooms"] is None and shown["asking_price"] is None
    off = crm.put("CRM-1", accepts_offers=False, offers_close_at=None).json
    assert off["offer_url"] is None and off["offers_close_at"] is None


def test_a_patch_changes_only_what_it_names(crm: Crm) -> None:
    prop = crm.call("PUT", "/properties/external/CRM-1", FULL).json
    where = f"/properties/{prop['id']}"
    changed = crm.call("PATCH", where, {"rooms": 4, "asking_price": None})
    assert changed.status_code == 200 and changed.headers["ETag"] == '"2"'
    assert changed.json["rooms"] == 4 and changed.json["asking_price"] is None
    assert changed.json["usable_area_sqm"] == 72 and changed.json["accepts_offers"]
    assert crm.call("PATCH", where, {"title": None}).status_code == 422


def test_a_nul_finds_nothing_in_the_api_nor_in_the_list(either_crm: Crm) -> None:
    crm = either_crm
    assert crm.put("CRM-1").status_code == 201
    assert crm.get("/properties/external/%00").status_code == 404
    assert crm.get("/properties/external/CRM-1%00").status_code == 404
    assert crm.get("/properties?q=%00bra").status_code == 422
    browser = crm.app.test_client()
    login(browser, crm.owner)
    assert browser.get("/app/properties/external/%00").status_code == 404
    assert "Casă în Brașov" in browser.get("/app/properties?q=%00bra%00cas").text


def test_a_stale_version_is_refused(crm: Crm) -> None:
    prop = crm.put("CRM-1").json
    where = f"/properties/{prop['id']}"
    assert crm.call("PATCH", where, {"rooms": 4}, If_Match='"1"').status_code == 200
    stale = crm.call("PATCH", where, {"rooms": 5}, If_Match='"1"')
    assert stale.status_code == 412 and stale.json["type"].endswith("/docs/errors/stale")
    assert crm.call("PATCH", where, {"rooms": 5}, If_Match='"0"').status_code == 412, "no version, and not *"
    assert crm.call("PATCH", where, {"rooms": 5}, If_Match='""').status_code == 412, "no version of ours"
    assert crm.call("PATCH", where, {"rooms": 5}, If_Match="*").status_code == 200


def test_a_put_too_is_refused_when_it_has_changed_since(crm: Crm) -> None:
    body = {"title": "Casă"}
    for nothing_yet in ("*", '"1"'):
        refused = crm.call("PUT", "/properties/external/CRM-1", body, If_Match=nothing_yet)
        assert refused.status_code == 412 and crm.get("/properties").json["data"] == []
    crm.put("CRM-1")
    put = {"title": "Vilă"}
    assert crm.call("PUT", "/properties/external/CRM-1", put, If_Match='"1"').headers["ETag"] == '"2"'
    assert crm.call("PUT", "/properties/external/CRM-1", body, If_Match='"1"').status_code == 412
    read = crm.get("/properties/external/CRM-1")
    assert read.json["title"] == "Vilă" and read.headers["ETag"] == '"2"'
    assert crm.call("PUT", "/properties/external/CRM-1", body, If_Match="*").status_code == 200


def test_a_property_is_read_by_the_crms_id_whatever_stands_in_it(crm: Crm) -> None:
    for external_id, spelled in (
        ("a/b c", "a/b%20c"),
        ("ștefan-1", "%C8%99tefan-1"),
        ("..a", "%2E%2Ea"),
        ("50%", "50%25"),
    ):
        made = crm.put(spelled).json
        assert made["external_id"] == external_id
        assert crm.get(f"/properties/external/{spelled}").json["id"] == made["id"]
    assert crm.get("/properties/external/CRM-9").status_code == 404


def test_an_agent_nobody_knows_falls_to_the_owner_with_a_warning(crm: Crm) -> None:
    agent = make_user(crm.owner.agency_id)
    known = crm.put("CRM-1", agent={"email": agent.email.upper()}).json
    assert known["agent"]["email"] == agent.email and known["warnings"] == []
    unknown = crm.put("CRM-2", agent={"email": "nimeni@agentie.example"}).json
    assert unknown["agent"]["email"] == crm.owner.email
    assert unknown["warnings"][0]["pointer"] == "/agent/email"
    assert crm.put("CRM-1").json["agent"]["email"] == agent.email, "left out, it stays"


def test_only_what_is_for_sale_takes_offers(crm: Crm) -> None:
    refused = crm.put("CRM-1", transaction_type="rent", accepts_offers=True)
    assert refused.status_code == 422 and refused.json["errors"][0]["pointer"] == "/accepts_offers"
    crm.put("CRM-1", accepts_offers=True)
    rented = crm.put("CRM-1", transaction_type="rent").json
    assert rented["accepts_offers"] is False and rented["warnings"]


def test_bulk_answers_one_by_one_and_one_bad_item_spoils_no_other(crm: Crm) -> None:
    crm.put("CRM-2", title="Casă")
    items: list[Any] = [
        {"external_id": "CRM-1", **FULL},
        {"external_id": "CRM-2", "title": "Casă"},
        {"external_id": "CRM-3", "title": "Casă", "rooms": "trei"},
        {"external_id": "CRM-1", "title": "Iar"},
        {"title": "fără id"},
        17,
        {"external_id": "CRM-4", "title": "Teren", "transaction_type": "rent", "accepts_offers": True},
        {"external_id": "CRM-2b", "title": "Casă"},
    ]
    answer = crm.call("POST", "/properties/bulk", {"data": items})
    assert answer.status_code == 200, answer.text
    results = answer.json["data"]
    assert [r["status"] for r in results] == [
        "created", "unchanged", "error", "error", "error", "error", "error", "created"
    ]  # fmt: skip
    assert results[2]["error"]["errors"][0]["pointer"] == "/rooms"
    assert results[0]["property"]["offer_url"] and results[3]["external_id"] == "CRM-1"
    assert len(crm.get("/properties").json["data"]) == 3
    assert crm.call("POST", "/properties/bulk", {"data": [{}] * 101}).status_code == 422


def test_a_new_link_stops_the_old_one(crm: Crm) -> None:
    prop = crm.put("CRM-1", accepts_offers=True).json
    turned = crm.call("POST", f"/properties/{prop['id']}/link")
    assert turned.status_code == 200 and turned.json["offer_url"] != prop["offer_url"]
    client = crm.app.test_client()
    assert client.get(prop["offer_url"].removeprefix("http://localhost")).status_code == 410
    assert client.get(turned.json["offer_url"].removeprefix("http://localhost")).status_code == 200


def test_the_list_is_paged_stably_while_rows_arrive(crm: Crm) -> None:
    for n in range(7):
        crm.put(f"CRM-{n}", title=f"Casa {n}")
    first = crm.get("/properties?limit=3")
    assert [p["external_id"] for p in first.json["data"]] == ["CRM-6", "CRM-5", "CRM-4"]
    assert first.json["has_more"] and f"cursor={first.json['next_cursor']}" in first.headers["Link"]
    crm.put("CRM-new")
    second = crm.get(f"/properties?limit=3&cursor={first.json['next_cursor']}").json
    assert [p["external_id"] for p in second["data"]] == ["CRM-3", "CRM-2", "CRM-1"]
    third = crm.get(f"/properties?limit=3&cursor={second['next_cursor']}").json
    assert [p["external_id"] for p in third["data"]] == ["CRM-0"] and third["next_cursor"] is None
    other = crm.get(f"/properties?limit=3&q=casa&cursor={first.json['next_cursor']}")
    assert other.status_code == 422 and other.json["errors"][0]["parameter"] == "cursor"


def test_every_filter_of_the_list_finds_what_it_names_and_nothing_else(either_crm: Crm) -> None:
    crm = either_crm
    crm.put("CRM-1", title="VILĂ cu grădină", city="Șelimbăr", accepts_offers=True)
    last = crm.put("CRM-2", title="Garsonieră", county="Cluj").json
    found = {
        "accepts_offers=true": "CRM-1", "accepts_offers=false": "CRM-2",
        "external_id=CRM-1": "CRM-1", "external_id=CRM-2": "CRM-2",
        f"updated_since={last['updated_at']}": "CRM-2",
        "q=selimbar+vila": "CRM-1", "q=șelimbăr+VILĂ": "CRM-1", "q=crm-2": "CRM-2", "q=Cluj": "CRM-2",
    }  # fmt: skip
    answers = {query: [p["external_id"] for p in crm.get(f"/properties?{query}").json["data"]] for query in found}
    assert answers == {query: [external_id] for query, external_id in found.items()}
    for nothing in ("archived=true", "external_id=CRM-3", "q=vila+cluj", "q=%25", "updated_since=2100-01-01T00:00:00Z"):
        assert crm.get(f"/properties?{nothing}").json["data"] == [], nothing


def test_offers_are_counted(app: Flask, crm: Crm) -> None:
    prop = make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-1")
    make_offer(prop)
    assert crm.get(f"/properties/{prop.id}").json["offers_count"] == 1
    assert crm.put("CRM-1", accepts_offers=True, title="Nou").json["offers_count"] == 1
    assert crm.get("/events").json["data"][-1]["data"]["offers_count"] == 1


def test_a_window_does_not_open_in_the_past(crm: Crm, app: Flask) -> None:
    """Who opens it last month would have had it open before anybody could see it."""
    moments = [(now() - timedelta(days=days)).isoformat() for days in (2, 0.9, -3)]
    assert [crm.put("CRM-1", offers_open_at=one).status_code for one in moments] == [422, 201, 200]
    bulk = {"data": [{"external_id": "CRM-2", "title": "X", "offers_open_at": moments[0]}]}
    assert crm.call("POST", "/properties/bulk", bulk).json["data"][0]["status"] == "error"
    prop = db.session.scalars(select(Property)).one()
    prop.offers_open_at = now() - timedelta(days=90)  # it stood there, and time went by
    db.session.commit()
    held = crm.get(f"/properties/{prop.id}").json
    assert crm.put("CRM-1", **{"title": "Altfel", "offers_open_at": held["offers_open_at"]}).status_code == 200
    assert crm.call("PATCH", f"/properties/{prop.id}", {"offers_open_at": moments[0]}).status_code == 422


FOLDED = ["/x", "//x", "x/", "a//b", "/", "//", "../", " x", "x ", "", "x" * 101, "a\nb"]
DOTS = [".", "..", "a/..", "../a", "a/./b", "a/../b", "./a"]
FOLDED += DOTS
ODD = [
    "a/b/c",
    "...",
    "a..b",
    ".a",
    "a.",
    "a/...",
    "1.2/3.4",
    "..a/b",
    "a?b",
    "a#b",
    "a%2Fb",
    "a b",
    "ș\"'&<>",
    "a\\b",
    "https:x",
    "x" * 100,
]


def test_an_id_that_would_be_folded_on_its_way_is_refused_when_it_is_given(crm: Crm) -> None:
    for wanted in FOLDED:
        made = crm.call("POST", "/properties", {"title": "Casă", "external_id": wanted})
        assert made.status_code == 422 and "external_id" in made.text, (wanted, made.text)
        many = crm.call("POST", "/properties/bulk", {"data": [{"title": "Casă", "external_id": wanted}]})
        assert many.json["data"][0]["status"] == "error" or "error" in many.json["data"][0], (wanted, many.text)
    assert crm.get("/properties").json["data"] == []


def test_an_odd_id_names_its_own_property_wherever_it_stands(crm: Crm) -> None:
    crm.call("PUT", "/properties/external/x", FULL)
    for wanted in ODD:
        path = f"/properties/external/{quote(wanted, safe='')}"
        made = crm.call("PUT", path, {"title": wanted[:50]})
        assert made.status_code == 201 and made.json["external_id"] == wanted, (wanted, made.text)
        assert crm.get(path).json["id"] == made.json["id"]
        assert crm.get(f"/properties?external_id={quote(wanted, safe='')}").json["data"][0]["id"] == made.json["id"]


def test_a_path_with_two_slashes_is_nobody_elses(crm: Crm) -> None:
    made = crm.call("PUT", "/properties/external/x", FULL)
    crm.call("PUT", "/properties/external/a/b", FULL)
    for path in ("//x", "/%2Fx", "/a//b", "/a/%2Fb", "///x"):
        assert crm.get(f"/properties/external{path}").status_code == 404, path
        put = crm.call("PUT", f"/properties/external{path}", {"title": "Alta"})
        assert put.status_code in {404, 405, 422}, (path, put.status_code)
    assert crm.get("/properties/external/x").json["title"] == made.json["title"]
    assert len(crm.get("/properties").json["data"]) == 2


def test_an_id_of_dots_that_a_browser_folds_is_refused_with_the_reason(crm: Crm) -> None:
    schemas = crm.get("/openapi.json").json["components"]["schemas"]
    for folded in DOTS:
        sent = crm.call("POST", "/properties", {"title": "Casă", "external_id": folded})
        assert sent.status_code == 422 and "only . or .." in sent.json["errors"][0]["detail"], sent.text
        (bulk,) = crm.call("POST", "/properties/bulk", {"data": [{"title": "Casă", "external_id": folded}]}).json[
            "data"
        ]
        assert bulk["status"] == "error", folded
        assert not re.search(schemas["PropertyBulkItem"]["properties"]["external_id"]["pattern"], folded)


def test_what_nobody_can_see_is_no_value_of_a_property(crm: Crm) -> None:
    lines = ("title_en", "address", "zone", "city", "county", "buyer_commission", "description", "description_en")
    for nothing in ("", " ", "\u00ad", " \u00ad\u200b ", "\u3164", "\u00a0"):
        made = crm.put("A", **dict.fromkeys(lines, nothing))
        assert [made.json[name] for name in lines] == [None] * len(lines), ascii(nothing)
    for name in lines:
        assert crm.put("A", **{name: "Flo\u00adreas\u200bca"}).json[name] == "Floreasca", name
    assert crm.put("A", title="Ca\u00adsă").json["title"] == "Casă"


def test_the_api_takes_and_gives_decimals(crm: Crm) -> None:
    made = crm.put("A", usable_area_sqm=65.5, rooms=2.5, land_area_sqm=300)
    assert (made.json["usable_area_sqm"], made.json["rooms"], made.json["warnings"]) == (65.5, 2.5, [])
    assert b'"land_area_sqm": 300,' in made.data.replace(b":3", b": 3"), "whole ones stay whole"
    read = crm.get(f"/properties/{made.json['id']}").json
    assert crm.call("PUT", "/properties/external/A", read).headers["ETag"] == '"1"'
    odd = crm.put("A", usable_area_sqm=7240)
    assert [one["pointer"] for one in odd.json["warnings"]] == ["/usable_area_sqm"]
    for wrong in ("65,5", "65.5", True, 0, -1, [1]):
        assert crm.put("A", usable_area_sqm=wrong).status_code == 422, wrong
    for price in ("125.000", "125.000,00", "€125000", "125000 lei", "125 000", 125000):
        assert crm.put("A", asking_price=price).status_code == 422, price
