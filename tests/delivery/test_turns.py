"""Agencies take turns: who is owed one thing is not behind who is owed five thousand. Counted, never timed."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import insert, select

from app.core.clock import now
from app.core.ids import new_id
from app.core.ledger import SYSTEM
from app.core.unit_of_work import housekeeping
from app.delivery import scheduling
from app.delivery.dispatcher import BATCH
from app.delivery.queue import claim
from app.delivery.scheduling import by_agency, by_endpoint
from app.delivery.turns import Turns, interleaved
from app.delivery.webhook_dispatcher import MOST, SLOW_EACH, WebhookDispatcher
from app.delivery.webhook_sender import Call
from app.extensions import db
from app.models import Delivery, PhotoCopy
from app.outbound.http_client import HttpClient
from app.proof.receipt_reading import RECEIPT_MAIL
from app.properties import photos
from app.webhooks import editing as webhooks
from app.workers.photos import copy_due_photos
from tests import factories

CROWD = 5000


def owe(agency_id: uuid.UUID, count: int, *, endpoint_id: uuid.UUID | None = None, template: str = "property_handed",
        hours: int = 1) -> None:  # fmt: skip
    """Deliveries that have been due for some hours, as a crowd of writes would have left them."""
    kind = "webhook" if endpoint_id else "receipt" if template == RECEIPT_MAIL else "mail"
    since = now() - timedelta(hours=hours)
    row = {
        "agency_id": agency_id, "kind": kind, "template": template, "endpoint_id": endpoint_id, "state": "pending",
        "created_at": now(), "attempts": 0, "tried_before": 0,
    }  # fmt: skip
    rows = [{**row, "id": new_id(), "due_at": since + timedelta(microseconds=n)} for n in range(count)]
    with housekeeping() as connection:
        connection.execute(insert(Delivery), rows)


def pair() -> tuple[uuid.UUID, uuid.UUID]:
    return factories.make_agency("Mulțimea"), factories.make_agency("Singura")


@pytest.mark.parametrize("template", ["property_handed", RECEIPT_MAIL])
def test_one_mail_is_in_the_first_batch_beside_five_thousand(either_app: Flask, template: str) -> None:
    crowd, single = pair()
    owe(crowd, CROWD, template=template, hours=5)
    owe(single, 1, template=template)
    kind = "receipt" if template == RECEIPT_MAIL else "mail"
    with housekeeping() as connection:
        leased = claim(connection, kind, by_agency(kind, BATCH))
    assert [one.agency_id for one in leased[:2]].count(single) == 1
    assert len(leased) == BATCH, "hands that are free are used"


def test_whose_letters_are_in_hand_waits_for_the_others(either_app: Flask) -> None:
    crowd, single = pair()
    owe(crowd, 50, hours=5)
    owe(single, 50)
    with housekeeping() as connection:
        leased = claim(connection, "mail", by_agency("mail", 6, {crowd: 4}))
    assert Counter(one.agency_id for one in leased) == {single: 5, crowd: 1}


def test_a_single_place_goes_round(either_app: Flask) -> None:
    """As it is with receipts, of which one is made at a time."""
    agencies = [factories.make_agency(f"Agenția {n}") for n in range(4)]
    for agency_id in agencies:
        owe(agency_id, 3, template=RECEIPT_MAIL)
    order = []
    with housekeeping() as connection:
        while leased := claim(connection, "receipt", by_agency("receipt", 1)):
            order += [one.agency_id for one in leased]
    assert len(order) == 12
    assert all(set(order[start : start + 4]) == set(agencies) for start in (0, 4, 8))


def test_what_a_crash_left_is_taken_before_what_waits(either_app: Flask) -> None:
    crowd, _single = pair()
    owe(crowd, 5)
    with housekeeping() as connection:
        first = claim(connection, "mail", by_agency("mail", 1))
        lapsed = Delivery.__table__.update().where(Delivery.id == first[0].id)
        connection.execute(lapsed.values(lease_until=now() - timedelta(seconds=1)))
        again = claim(connection, "mail", by_agency("mail", 1))
    assert first[0].id == again[0].id and again[0].attempts == 2


def test_claims_look_into_an_index_and_not_through_the_queue(app: Flask) -> None:
    at = now()
    query = select(Delivery.id).where(Delivery.agency_id == uuid.uuid4(), scheduling.due("mail", at))
    query = query.order_by(Delivery.due_at).limit(20)
    text = str(query.compile(db.engine, compile_kwargs={"literal_binds": True}))
    plan = db.session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
    assert len(plan) == 1 and "ix_delivery_turn (agency_id=? AND kind=? AND state=? AND due_at<?)" in str(plan)


def endpoint(agency_id: uuid.UUID) -> uuid.UUID:
    return webhooks.create(agency_id, "https://crm.example/hook", (), by=SYSTEM)[0]


def test_one_call_is_in_the_first_batch_beside_five_thousand(either_app: Flask) -> None:
    crowd, single = pair()
    factories.make_user(crowd, "owner"), factories.make_user(single, "owner")
    for _n in range(10):
        owe(crowd, CROWD // 10, endpoint_id=endpoint(crowd), hours=5)
    one = endpoint(single)
    owe(single, 1, endpoint_id=one)
    asked: list[uuid.UUID] = []

    def room(endpoint_id: uuid.UUID) -> int:
        asked.append(endpoint_id)
        return 40

    with housekeeping() as connection:
        claim(connection, "webhook", by_endpoint(uuid.uuid4(), room, 50))
        leased = select(Delivery.agency_id).where(Delivery.kind == "webhook", Delivery.state != "pending")
        taken = Counter(connection.scalars(leased))
    assert taken[single] == 1 and one in asked[:2]
    assert taken[crowd] == 25, "while another waits, none has more than its share"


def test_slow_endpoints_of_one_agency_leave_threads_to_the_others(app: Flask) -> None:
    crowd, single = uuid.uuid4(), uuid.uuid4()
    dispatcher = WebhookDispatcher(app)
    begun: list[uuid.UUID] = []
    dispatcher._pool.submit = lambda _work, endpoint: begun.append(endpoint.agency_id)  # type: ignore[method-assign,assignment]
    for agency_id, count in ((crowd, 50), (single, 1)):
        for _n in range(count):
            owed = [uuid.uuid4(), agency_id, "webhook", "x", "event", "1", 1, None, None, uuid.uuid4(), now(), None]
            call = Call(*owed, uuid.uuid4(), now(), 1, 1, None, "https://crm.example", [], b"", b"", False)  # type: ignore[arg-type]
            made = dispatcher._endpoint(call)
            made.ready.extend([call] * 4)
            made.took = 10.0
    dispatcher._assign_threads()
    assert Counter(begun) == {crowd: SLOW_EACH, single: 2} and single in begun[:4]
    assert MOST >= 2 * SLOW_EACH
    dispatcher.close()


def test_photos_of_one_do_not_wait_for_all_of_another(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[uuid.UUID] = []

    def refuse(taken: PhotoCopy, fault: photos._NoPhoto) -> None:
        order.append(taken.agency_id)

    def nothing(_http: HttpClient, _url: str) -> None:
        raise photos._NoPhoto("status")

    monkeypatch.setattr(photos, "_fetch", nothing)
    monkeypatch.setattr(photos, "_give_up", refuse)
    crowd, single = pair()
    for agency_id, count in ((crowd, 20), (single, 1)):
        user = factories.make_user(agency_id, "owner")
        for _n in range(count):
            prop = factories.make_property(agency_id, user.id)
            place = photos._place(agency_id, prop.id)
            sealed = photos.seal(photos.agency_key(agency_id, "secret"), place, b"https://x.example/a.jpg")
            row = {"property_id": prop.id, "agency_id": agency_id, "url_ct": sealed, "tries": 0, "fault": ""}
            with housekeeping() as connection:
                connection.execute(insert(PhotoCopy), {**row, "due_at": now(), "updated_at": now()})
    assert copy_due_photos() == 21
    assert order.index(single) <= 1


def test_nobody_has_two_threads_where_one_is_the_rule() -> None:
    turns, first, second = Turns(), uuid.uuid4(), uuid.uuid4()
    assert turns.begin([first, second]) == first
    assert turns.begin([first, second]) == second
    assert turns.begin([first, second]) is None
    turns.end(first)
    assert turns.begin([second, first]) == first
    assert interleaved("aabac", lambda letter: letter) == ["a", "b", "c", "a", "a"]  # type: ignore[arg-type,return-value]
