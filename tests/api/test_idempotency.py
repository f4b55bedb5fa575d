"""The same request sent twice is carried out once, on both databases, even when both arrive at the same moment."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from app.accounts import editing as accounts
from app.blueprints.api import idempotency
from app.core.clock import now
from app.core.ledger import SYSTEM
from app.extensions import db
from app.models import ApiKey, Idempotency, Offer, Property
from app.privacy import erasure
from tests.api.conftest import Crm, make_crm
from tests.api.test_offers import TAKEN
from tests.factories import make_property

NEW = {"title": "Casă"}


def count(table: Any) -> int:
    return db.session.scalar(select(func.count()).select_from(table)) or 0


def test_the_same_request_is_given_the_same_answer(crm: Crm) -> None:
    first = crm.call("POST", "/properties", NEW, Idempotency_Key="a-1")
    again = crm.call("POST", "/properties", NEW, Idempotency_Key="a-1")
    assert (again.status_code, again.data, again.headers["ETag"]) == (201, first.data, first.headers["ETag"])
    assert again.headers["Location"] == first.headers["Location"] and again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers and count(Property) == 1
    assert crm.call("POST", "/properties", NEW, Idempotency_Key="a-2").status_code == 201


def test_the_same_key_with_another_request_is_refused(crm: Crm) -> None:
    crm.call("POST", "/properties", NEW, Idempotency_Key="a-1")
    for method, where, body in (("POST", "/properties", {"title": "Alta"}), ("PUT", "/properties/external/x", NEW)):
        refused = crm.call(method, where, body, Idempotency_Key="a-1")
        assert refused.status_code == 422 and refused.json["type"].endswith("/idempotency-key-reused")
        assert refused.json["errors"][0]["header"] == "Idempotency-Key"
    assert count(Property) == 1 and crm.call("POST", "/properties", NEW, Idempotency_Key="ș").status_code == 422


def test_another_key_of_the_agency_is_given_the_same_answer(either_crm: Crm) -> None:
    """Keys change while calls are under way: what was tried with the old one is tried again with the new one."""
    crm = either_crm
    make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-1")
    first = crm.call("POST", "/offers", TAKEN, Idempotency_Key="a-1")
    new = replace(crm, key=accounts.create_api_key(crm.owner.agency_id, "New", by=SYSTEM))
    db.session.execute(update(ApiKey).where(ApiKey.name == "CRM").values(revoked_at=now()))
    db.session.commit()
    again = new.call("POST", "/offers", TAKEN, Idempotency_Key="a-1")
    assert (again.status_code, again.data) == (201, first.data) and "Idempotency-Replayed" in again.headers
    assert count(Offer) == 1
    assert new.call("POST", "/offers", {**TAKEN, "amount": "1.00"}, Idempotency_Key="a-1").status_code == 422
    assert crm.call("POST", "/offers", TAKEN, Idempotency_Key="a-1").status_code == 401, "who holds no key gets nothing"


def test_another_agency_may_use_the_same_name(app: Flask, crm: Crm) -> None:
    other = make_crm(app, "Alta")
    for one in (crm, other):
        made = one.call("POST", "/properties", NEW, Idempotency_Key="a-1")
        assert made.status_code == 201 and "Idempotency-Replayed" not in made.headers
    assert count(Property) == 2


def test_two_keys_at_once_make_one(either_crm: Crm) -> None:
    crm = either_crm
    make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-1")
    new = replace(crm, key=accounts.create_api_key(crm.owner.agency_id, "New", by=SYSTEM))
    db.session.rollback()
    answers: list[TestResponse] = []
    start = threading.Barrier(4)

    def send(one: Crm) -> None:
        start.wait()
        with crm.app.app_context():
            answers.append(one.call("POST", "/offers", TAKEN, Idempotency_Key="same"))

    threads = [threading.Thread(target=send, args=(one,)) for one in (crm, new, crm, new)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {a.status_code for a in answers} == {201} and len({a.data for a in answers}) == 1 and count(Offer) == 1


def test_what_failed_is_not_kept(crm: Crm) -> None:
    wrong = crm.call("POST", "/offers", TAKEN, Idempotency_Key="a-1")
    assert wrong.status_code == 422 and count(Idempotency) == 0
    make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-1")
    assert crm.call("POST", "/offers", TAKEN, Idempotency_Key="a-1").status_code == 201


def test_after_seven_days_the_key_is_free_again(crm: Crm) -> None:
    crm.call("POST", "/properties", NEW, Idempotency_Key="a-1")
    with time_machine.travel(now() + timedelta(days=8)):
        crm.call("POST", "/properties", NEW, Idempotency_Key="a-1")
    assert count(Property) == 2 and count(Idempotency) == 1


def test_a_kept_answer_goes_with_its_person_and_nothing_is_done_again(either_crm: Crm) -> None:
    crm = either_crm
    make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-1")
    crm.call("POST", "/offers", TAKEN, Idempotency_Key="a-1")
    offer = db.session.scalars(select(Offer)).one()
    erasure.erase_all(offer.agency_id, [offer.id], "person")
    for path, body in (("/offers", TAKEN), ("/offers", {**TAKEN, "amount": "1"})):
        again = crm.call("POST", path, body, Idempotency_Key="a-1")
        assert again.status_code == 409 and "erased" in again.text and "Țurcanu" not in again.text
    assert count(Offer) == 1
    for row in db.session.scalars(select(Idempotency)):
        assert row.answer_ct == row.body_mac == b"", "neither what was said nor a fingerprint of it"


def test_when_the_answer_cannot_be_kept_nothing_was_done(crm: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    crm.get("/offers")
    crm.app.config["PROPAGATE_EXCEPTIONS"] = False

    def fails(*_: Any) -> bytes:
        raise RuntimeError

    monkeypatch.setattr(idempotency, "seal", fails)
    assert crm.call("POST", "/properties", NEW, Idempotency_Key="a-1").status_code == 500
    assert count(Property) == 0 and crm.get("/events").json["data"] == []


def test_many_at_once_make_one(either_crm: Crm) -> None:
    crm = either_crm
    make_property(crm.owner.agency_id, crm.owner.id, external_id="CRM-1")
    crm.get("/offers")
    db.session.rollback()
    answers: list[TestResponse] = []
    start = threading.Barrier(6)

    def send() -> None:
        start.wait()
        with crm.app.app_context():
            answers.append(crm.call("POST", "/offers", TAKEN, Idempotency_Key="same"))

    threads = [threading.Thread(target=send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {a.status_code for a in answers} == {201} and len({a.data for a in answers}) == 1
    assert sum("Idempotency-Replayed" in a.headers for a in answers) == 5 and count(Offer) == 1


def test_one_external_id_is_one_property_however_many_put_it_at_once(either_crm: Crm) -> None:
    crm = either_crm
    crm.get("/offers")
    db.session.rollback()
    codes: list[int] = []
    start = threading.Barrier(6)

    def send(n: int) -> None:
        start.wait()
        with crm.app.app_context():
            codes.append(crm.put("CRM-1", title=f"Casa {n}").status_code)

    threads = [threading.Thread(target=send, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200, 200, 200, 200, 200, 201] and count(Property) == 1
    assert [event["seq"] for event in crm.get("/events").json["data"]] == list(range(1, 7))
