"""`If-Match` and `If-None-Match` as RFC 9110 has them, and as proxies on the way leave them."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from flask import Flask

from app.backups import epochs
from app.blueprints.api.examples import BODIES
from app.blueprints.api.schemas.offers import OfferNew
from app.extensions import db
from app.models import Property
from tests.api.conftest import Crm, make_crm
from tests.factories import make_offer, make_property

MALFORMED = [
    "", " ", "1", "1, 2", '"1', '1"', '"1" "2"', '"1";"2"', 'w/"1"', 'W"1"', 'W/ "1"', "W/1", "W/*", '*, "1"', '"1", *',
    '**', ",", " , ,", '"1", x', '"\x01"', '"a b"', "'1'", '"1"\x0b, "2"',
]  # fmt: skip
SAME = [
    '"1"', 'W/"1"', '"1-gzip"', 'W/"1-gzip"', '"1--gzip"', '"1;gzip"', '"1-br"', '"1-zstd"', '"1-deflate"',
    '"7", "1"', '"1","7"', ' "7" ,\t"1" ', ',"1",', 'W/"7", W/"1"', "*", " * ", '"a,b", "1"', '"ÿ", "1"',
]  # fmt: skip
OTHER = ['"7"', '""', '"01"', '"1.0"', '"1-gzip-gzip"', '"-1"', '"1x"', '"1-gzipped"', '"gzip"', 'W/""', '"7", "8"']


@pytest.fixture
def house(crm: Crm) -> str:
    assert crm.put("A-1").status_code == 201
    return "/properties/external/A-1"


@pytest.mark.parametrize("tag", SAME)
def test_what_names_the_present_version_is_taken(crm: Crm, house: str, tag: str) -> None:
    assert crm.get(house, If_None_Match=tag).status_code == 304
    assert crm.get(house, If_Match=tag).status_code == 200
    assert crm.call("PUT", house, {"title": "Vilă"}, If_Match=tag).status_code == 200


@pytest.mark.parametrize("tag", OTHER)
def test_what_names_another_is_not(crm: Crm, house: str, tag: str) -> None:
    assert crm.get(house, If_None_Match=tag).status_code == 200
    assert crm.get(house, If_Match=tag).status_code == 412
    stale = crm.call("PUT", house, {"title": "Vilă"}, If_Match=tag)
    assert stale.status_code == 412 and stale.mimetype == "application/problem+json"
    assert crm.get(house).json["title"] != "Vilă"


@pytest.mark.parametrize("tag", MALFORMED)
def test_what_is_no_list_of_tags_is_400(crm: Crm, house: str, tag: str) -> None:
    offer = make_offer(make_property(crm.owner.agency_id, crm.owner.id))
    prop = crm.get(house).json["id"]
    for name in ("If_Match", "If_None_Match"):
        given: dict[str, Any] = {name: tag}
        assert crm.get(house, **given).status_code == 400, name
        assert crm.call("PUT", house, {"title": "Vilă"}, **given).status_code == 400
        assert crm.call("PATCH", f"/properties/{prop}", {"rooms": 2}, **given).status_code == 400
        assert crm.call("POST", f"/properties/{prop}/link", **given).status_code == 400
        assert crm.call("PATCH", f"/offers/{offer}/status", {"status": "viewed"}, **given).status_code == 400
    assert crm.get("/offers", If_None_Match=tag).status_code == 400


def test_every_write_that_answers_with_a_tag_minds_it(crm: Crm) -> None:
    prop = make_property(crm.owner.agency_id, crm.owner.id)
    offer = make_offer(prop)
    writes = [
        ("PATCH", f"/properties/{prop.id}", {"rooms": 2}),
        ("POST", f"/properties/{prop.id}/link", None),
        ("PATCH", f"/offers/{offer}/status", {"status": "viewed"}),
        ("PUT", f"/offers/{offer}/status", {"status": "accepted"}),
    ]
    for method, path, body in writes:
        where = path.removesuffix("/link").removesuffix("/status")
        tag = crm.get(where).headers["ETag"]
        assert crm.call(method, path, body, If_Match='"99"').status_code == 412, path
        assert crm.call(method, path, body, If_None_Match=tag).status_code == 412, path
        done = crm.call(method, path, body, If_Match=f'"98", W/{tag}')
        assert done.status_code == 200 and done.headers["ETag"] == crm.get(where).headers["ETag"] != tag


@pytest.mark.parametrize(
    ("method", "action", "body"),
    [("PATCH", "", {"enabled": False}), ("DELETE", "", None), ("POST", "/rotate-secret", None)],
    ids=("change", "remove", "rotate"),
)
def test_a_webhook_is_not_changed_by_who_has_seen_another(crm: Crm, method: str, action: str, body: Any) -> None:
    hook = "/webhooks/" + crm.call("POST", "/webhooks", {"url": "https://crm.example/in"}).json["id"]
    old = crm.get(hook).headers["ETag"]
    changed = crm.call("PATCH", hook, {"url": "https://crm.example/other"}, If_Match=old)
    new = crm.get(hook).headers["ETag"]
    assert changed.status_code == 200 and changed.headers["ETag"] == new != old
    for given in ({"If_Match": old}, {"If_None_Match": new}, {"If_None_Match": "*"}):
        assert crm.call(method, hook + action, body, **given).status_code == 412, given
    assert crm.call(method, hook + action, body, If_Match="other").status_code == 400
    assert crm.get(hook).headers["ETag"] == new, "nothing was done"
    assert crm.call(method, hook + action, body, If_Match=f'"x", {new}').status_code in {200, 204}
    assert crm.get(hook).headers.get("ETag") != new


def test_created_and_never_replaced(crm: Crm) -> None:
    path = "/properties/external/N-1"
    assert crm.call("PUT", path, {"title": "Casă"}, If_None_Match="*").status_code == 201
    assert crm.call("PUT", path, {"title": "Alta"}, If_None_Match="*").status_code == 412
    assert crm.call("PUT", path, {"title": "Alta"}, If_Match="*", If_None_Match="*").status_code == 412
    assert crm.get(path).json["title"] == "Casă"
    for tag in ('"1"', "*"):
        assert crm.call("PUT", "/properties/external/N-2", {"title": "Casă"}, If_Match=tag).status_code == 412


def test_of_two_who_create_at_once_one_does(either_crm: Crm) -> None:
    answers: list[int] = []

    def create() -> None:
        with either_crm.app.app_context():
            done = either_crm.call("PUT", "/properties/external/R-1", {"title": "Casă"}, If_None_Match="*")
            answers.append(done.status_code)

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [201, 412, 412, 412]
    db.session.rollback()
    assert db.session.query(Property).count() == 1


def test_every_read_says_what_it_is_and_when_it_is_still_that(crm: Crm) -> None:
    prop = make_property(crm.owner.agency_id, crm.owner.id)
    offer = make_offer(prop)
    reads = [
        "/offers", f"/offers/{offer}", "/properties", f"/properties/{prop.id}", "/events", "/stats", "/webhooks",
        "/openapi.json",
    ]  # fmt: skip
    for path in reads:
        first = crm.get(path)
        again = crm.get(path, If_None_Match=f'"other", {first.headers["ETag"]}')
        assert again.status_code == 304 and not again.data, path
        assert again.headers["ETag"] == first.headers["ETag"] and "Content-Type" not in again.headers
        assert crm.get(path, If_None_Match='"other"').data == first.data
    make_offer(prop)
    for path in ("/offers", "/events", "/stats"):
        assert crm.get(path).status_code == 200
    assert crm.get("/offers/01890a5d-ac96-774b-bcce-b302099a8098", If_None_Match="*").status_code == 404


def test_after_a_restore_no_tag_from_before_is_taken(crm: Crm, house: str) -> None:
    old = crm.get(house).headers["ETag"]
    epochs.begin_all()
    new = crm.get(house).headers["ETag"]
    assert old == '"1"' and new.startswith('"1.') and new != old
    assert crm.call("PUT", house, {"title": "Vilă"}, If_Match=old).status_code == 412
    assert crm.get(house, If_None_Match=old).status_code == 200
    assert crm.call("PUT", house, {"title": "Vilă"}, If_Match=f"W/{new}").status_code == 200
    assert crm.call("PUT", house, {"title": "Casă"}, If_Match=new).status_code == 412
    epochs.begin_all()
    assert crm.get(house).headers["ETag"] != new


def test_a_hostile_header_costs_nothing(crm: Crm, house: str) -> None:
    """Read in one go: what would be tried again from each place would not end with these."""
    for text in (
        " \t" * 100_000,
        ", " * 100_000,
        '"' + "x" * 200_000,
        "W/" * 100_000,
        '"1",' * 60_000 + "x",
        '"-' * 90_000,
    ):
        for name in ("If_Match", "If_None_Match"):
            assert crm.call("PUT", house, {"title": "Vilă"}, **{name: text + "x"}).status_code == 400


def test_another_agency_s_tags_say_nothing(crm: Crm, house: str) -> None:
    other = make_crm(crm.app, "Alta")
    assert other.call("PUT", house, {"title": "Vilă"}, If_Match='"1"').status_code == 412
    assert other.get(house, If_None_Match="*").status_code == 404


def test_a_kept_answer_is_asked_for_as_carefully(crm: Crm, house: str) -> None:
    """Found by Schemathesis: a header that is no list of tags was passed over where the answer had been kept."""
    kept: dict[str, Any] = {"Idempotency_Key": "once"}
    assert crm.call("PUT", house, {"title": "Vilă"}, **kept).status_code == 200
    for tag in ("", "1", "0"):
        assert crm.call("PUT", house, {"title": "Vilă"}, If_None_Match=tag, **kept).status_code == 400
        assert crm.call("PUT", house, {"title": "Vilă"}, If_Match=tag, If_None_Match="*").status_code == 400
    assert crm.call("PUT", house, {"title": "Vilă"}, **kept).status_code == 200


def test_archiving_and_back(crm: Crm) -> None:
    made = crm.put("CRM-1", accepts_offers=True)
    where = f"/properties/{made.json['id']}"
    archived = crm.call("POST", f"{where}/archive", If_Match=made.headers["ETag"])
    assert archived.status_code == 200, archived.text
    assert archived.json["archived_at"] and not archived.json["accepts_offers"] and archived.json["offer_url"] is None
    again = crm.call("POST", f"{where}/archive", If_Match=made.headers["ETag"])
    assert (again.status_code, again.json) == (200, archived.json), "repeated, it is answered as at first"
    assert crm.call("POST", f"{where}/archive").headers["ETag"] == archived.headers["ETag"]
    kinds = [event["type"] for event in crm.get("/events").json["data"]]
    assert kinds == ["property.created", "property.archived"]
    assert crm.call("POST", f"{where}/unarchive", If_Match='"1"').status_code == 412
    back = crm.call("POST", f"{where}/unarchive", If_Match=archived.headers["ETag"])
    assert back.json["archived_at"] is None and not back.json["accepts_offers"]
    assert crm.call("POST", f"{where}/archive", If_Match=made.headers["ETag"]).status_code == 412
    assert crm.call("POST", f"{where}/unarchive").json == back.json


def test_nobody_archives_what_is_not_theirs(crm: Crm, app: Flask) -> None:
    made = crm.put("CRM-1").json
    other = make_crm(app, "Alta")
    assert other.call("POST", f"/properties/{made['id']}/archive").status_code == 404
    assert other.call("POST", f"/properties/{made['id']}/unarchive").status_code == 404


def test_what_became_of_it_closes_the_link_and_says_so(crm: Crm) -> None:
    made = crm.put("CRM-1", accepts_offers=True)
    assert made.json["offer_url"] and made.json["warnings"] == []
    sold = crm.put("CRM-1", accepts_offers=True, availability="sold").json
    assert sold["offer_url"] is None and sold["accepts_offers"]
    assert [one["pointer"] for one in sold["warnings"]] == ["/availability"]
    refused = crm.call("POST", "/offers", {**BODIES[OfferNew], "property_external_id": "CRM-1"})
    assert refused.status_code == 409, refused.text
    back = crm.put("CRM-1", availability="reserved").json
    assert back["offer_url"] == made.json["offer_url"]
