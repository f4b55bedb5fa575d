"""A row is read strictly: an odd value is refused with its reason, and spoils no other row."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask_babel import force_locale, gettext

from app.core.errors import Invalid
from app.core.ledger import SYSTEM
from app.core.strict_json import read_json
from app.feeds import editing as feeds
from app.feeds.editing import FeedValues
from app.feeds.rows import named_by, read_row
from app.models import User
from app.workers.feeds import read_due_feeds
from tests.feeds.conftest import Crm, last_run, properties, read_again, rebs, row
from tests.outbound.servers import Receiver, reply
from tests.patterns import slow


def test_every_fault_of_a_row_is_said_in_romanian(owner: User, server: Receiver, crm: Crm) -> None:
    wrong = {"title": "x" * 201, "price_sale": "mult", "rooms": "-2", "currency_sale": "USD", "accepts_offers": "poate"}
    crm.rows = [row(1, **wrong), row(2, title=[]), row(3, url="ftp://x"), row(4), row(4, title="Altul"), {}]
    feed_id = rebs(owner, server)
    read_due_feeds()
    said = {fault["message"] for fault in json.loads(last_run(owner, feed_id).errors)}
    assert len(said) == 9
    with force_locale("ro"):
        assert not [text for text in said if gettext(text) == text]


HALF = "\ud83d"


REFUSED: dict[str, dict[str, Any]] = {
    "rooms": {"rooms": "1e2000000"},
    "rooms of digits": {"rooms": "9" * 5_000_000},
    "too many rooms": {"rooms": 5_000_000},
    "not a number": {"rooms": "NaN"},
    "area": {"surface_useable": "1e2000000"},
    "price": {"price_sale": "1e2000000"},
    "price of digits": {"price_sale": "9" * 100_000},
    "half a pair": {"title": f"Casă {HALF}"},
    "half a pair as id": {"internal_id": f"CP{HALF}"},
    "half a pair in a town": {"city": HALF},
    "a zero byte": {"title": "Ca\0să"},
    "a control character": {"city": "Cluj\x1b[31m"},
    "a text turned around": {"title": "Casă \u202e moc.live"},
    "a mark of direction": {"title": "Casă \u200f"[::-1]},
    "two lines in an id": {"internal_id": "CP\n1"},
    "a long title": {"title": "a" * 1_000_000},
    "a long id": {"internal_id": "9" * 1_000_000},
    "a link": {"url": "https://a b"},
    "an object as title": {"title": {"a": [[[["x"]]]]}},
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_odd_value_is_refused_with_its_row_and_spoils_no_other(
    owner: User, server: Receiver, crm: Crm, name: str
) -> None:
    crm.rows, crm.size = [row(1), row(2, **REFUSED[name]), row(3)], 9
    feed_id = rebs(owner, server)

    def read() -> None:
        assert read_due_feeds() == 1

    assert not slow(read)
    run = last_run(owner, feed_id)
    assert (run.state, run.created, run.refused) == ("done", 2, 1)
    (told,) = json.loads(run.errors)
    assert told["row"] == 2 and told["field"] and told["message"]
    assert properties().keys() == {"CP1", "CP3"}


@pytest.mark.parametrize(
    ("number", "said"),
    [("1e2000000", None), ("9" * 4000, None), ("1e400", None), ("54.50", 54.5), ("1e2", 100), ("-3", None)],
)
def test_a_number_in_json_is_read_only_when_it_is_one(
    owner: User, server: Receiver, crm: Crm, number: str, said: float | None
) -> None:
    crm.rows = [row(1, surface_useable="@")]
    crm.twist = lambda _page, _said: reply(body=json.dumps({"objects": crm.rows}).replace('"@"', number).encode())
    feed_id = rebs(owner, server)
    assert read_due_feeds() == 1
    assert last_run(owner, feed_id).refused == (said is None)
    assert [prop.usable_area_sqm for prop in properties().values()] == ([] if said is None else [said])


NO_PRICE = [
    "la cerere", "Preț la cerere", "PREŢ LA CERERE", "pret: la cerere", "on request", "Price on request",
    "POA", "p.o.a.", "la cerere EUR", "La solicitare", "-", "n/a", "fără preț", " la  cerere ",
]  # fmt: skip


def test_a_price_that_is_told_on_request_is_none() -> None:
    mapping = {"external_id": "id", "title": "id", "asking_price": "p"}
    for said in NO_PRICE:
        assert read_row({"id": "A", "p": said}, mapping).columns["asking_minor"] is None, said
    for said in ("la cerere 125000", "cerere mare", "on", "preț", "la 125000 sau la cerere", "x"):
        with pytest.raises(Invalid):
            read_row({"id": "A", "p": said}, mapping)


def test_an_id_is_the_same_however_json_writes_its_number() -> None:
    mapping = {"external_id": "id", "title": "t"}
    for said in ("101", "101.0", "1.01e2", '"101"'):
        (found,) = read_json(f'[{{"id": {said}, "t": 101.0}}]'.encode(), row_by_row=True)
        columns = read_row(found, mapping).columns
        assert (columns["external_id"], columns["title"], named_by(found, mapping)) == ("101", "101", "101"), said


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000, b'{"objects": [], "objects": [{}]}', b'{"objects": [NaN]}', b'{"objects": [{"a": \xff}]}',
        b'{"objects": [' + b"[" * 40 + b"]" * 40 + b"]}",
    ],
)  # fmt: skip
def test_what_is_no_clear_json_breaks_the_run_and_says_so(owner: User, server: Receiver, crm: Crm, body: bytes) -> None:
    crm.twist = lambda _page, _said: reply(body=body)
    feed_id = rebs(owner, server)
    assert read_due_feeds() == 1
    run = last_run(owner, feed_id)
    assert (run.state, run.code) == ("broken", "not_json")


def test_a_next_page_that_is_no_address_ends_the_run(owner: User, server: Receiver, crm: Crm) -> None:
    crm.rows = [row(1)]
    for following in (f"/api?offset={HALF}", "/api?\x00"):
        body = json.dumps({"meta": {"next": following}, "objects": crm.rows}).encode()
        crm.twist = lambda _page, _said, body=body: reply(body=body)  # type: ignore[misc]
        run = read_again(owner, rebs(owner, server, every_hours=0))
        assert (run.state, run.code, run.created + run.unchanged) == ("broken", "next", 0)


def test_a_csv_is_read_as_strictly(owner: User) -> None:
    file = 'id;title;rooms\n1;Casă;2\n2;"Ca\u202esă";2\n3;Casă;1e2000000\n4;Casă;5000000\n'.encode()
    mapping = {"external_id": "id", "title": "title", "rooms": "rooms"}
    feed_id = feeds.create(owner.agency_id, FeedValues("C", "csv", file=file, mapping=mapping), by=SYSTEM)
    run = read_again(owner, feed_id)
    assert (run.created, run.refused, [one["row"] for one in json.loads(run.errors)]) == (1, 3, [2, 3, 4])
