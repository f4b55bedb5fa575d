"""The file: right in Excel, harmless, and written down before it leaves."""

from __future__ import annotations

import csv
import io
import json

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select

from app.extensions import db
from app.models import Access, LedgerEntry, Property, User
from app.offer_document import Bidder
from app.services.exports import harmless
from tests.factories import login, make_agency, make_draft, make_offer, make_property, make_user


@pytest.fixture
def owner(app: Flask) -> User:
    return make_user(make_agency(), "owner")


@pytest.fixture
def prop(owner: User) -> Property:
    return make_property(owner.agency_id, owner.id)


def rows(client: FlaskClient, query: str = "") -> list[dict[str, str]]:
    response = client.get(f"/app/offers.csv{query}")
    assert response.status_code == 200 and response.mimetype == "text/csv"
    assert "attachment" in response.headers["Content-Disposition"]
    assert response.data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(response.data.decode("utf-8-sig"), newline=""), delimiter=";"))


def recorded() -> list[dict[str, object]]:
    db.session.rollback()
    bodies = db.session.scalars(select(LedgerEntry.body).where(LedgerEntry.kind == "offers.exported"))
    return [json.loads(body)["data"] for body in bodies]


def test_every_offer_is_a_row_that_excel_reads(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    login(client, owner)
    (row,) = rows(client)
    values = list(row.values())
    assert "Andrei Țurcanu" in values and "118500,00" in values and "94,8" in values and "125000,00" in values


def test_what_a_spreadsheet_would_compute_is_made_harmless(client: FlaskClient, owner: User, prop: Property) -> None:
    bidder = Bidder('=HYPERLINK("http://x";"y")', "plus@client.example", "+40722000111", "company", "@SUM(A1)", "-1")
    make_offer(prop, make_draft(bidder=bidder))
    login(client, owner)
    (row,) = rows(client)
    for value in row.values():
        assert not value.startswith(("=", "+", "-", "@", "\t", "\r")), value
    assert "'@SUM(A1)" in row.values() and "'+40722000111" in row.values()


@pytest.mark.parametrize(
    "cell", ["=1+1", "+1", "-1", "@a", "\t=1", "\r=1", " =1", "a,=1", "a;=1", "a\n=1", 'a","=1', "\x00=1"]
)
def test_no_separator_opens_a_formula(cell: str) -> None:
    for delimiter in ",;\t":
        out = io.StringIO()
        csv.writer(out, delimiter=";").writerow([harmless(cell)])
        for row in csv.reader(io.StringIO(out.getvalue()), delimiter=delimiter):
            for field in row:
                assert not field.strip(' "').startswith(("=", "+", "-", "@")), (cell, delimiter, field)


def test_filters_hold_and_the_export_is_written_down(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    wanted = make_offer(prop, make_draft(financing="credit"))
    login(client, owner)
    assert wanted and len(rows(client, f"?financing=credit&property_id={prop.id}")) == 1
    assert recorded() == [{"rows": 1, "filter": {"financing": "credit", "property_id": str(prop.id)}}]
    assert db.session.scalars(select(Access.kind)).all() == ["exported"]


def test_more_than_one_batch_comes_whole(
    client: FlaskClient, owner: User, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.queries.offer_list.EXPORT_BATCH", 3)
    for _ in range(7):
        make_offer(prop)
    login(client, owner)
    assert len({tuple(row.values()) for row in rows(client)}) == 7


def test_an_agent_takes_out_only_their_own(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    login(client, make_user(owner.agency_id))
    assert rows(client) == []


def test_head_and_prefetch_take_nothing_and_record_nothing(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    login(client, owner)
    client.head("/app/offers.csv")
    assert not client.get("/app/offers.csv", headers={"Sec-Purpose": "prefetch"}).data
    assert recorded() == []
