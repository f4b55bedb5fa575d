"""The file: right in Excel, harmless, and written down before it leaves."""

from __future__ import annotations

import csv
import io
import json
from datetime import date, datetime
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from flask.testing import FlaskClient
from openpyxl.utils.escape import unescape
from sqlalchemy import select

from app.extensions import db
from app.models import Access, LedgerEntry, Offer, Property, User
from app.offers.document import Bidder
from app.offers.exports.writing import harmless
from tests.factories import login, make_draft, make_offer, make_user


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


@pytest.mark.parametrize("sign", ["\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_wide_signs_open_none_either(sign: str) -> None:
    assert harmless(f"{sign}1+1") == f"'{sign}1+1"
    assert harmless(f"a; {sign}1") == f"a; '{sign}1"


def test_filters_hold_and_the_export_is_written_down(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    wanted = make_offer(prop, make_draft(financing="credit"))
    login(client, owner)
    assert wanted and len(rows(client, f"?financing=credit&property_id={prop.id}")) == 1
    filter_ = {"financing": "credit", "property_id": str(prop.id)}
    assert recorded() == [{"rows": 1, "filter": filter_, "form": "csv", "purpose": "unstated"}]
    assert db.session.scalars(select(Access.kind)).all() == ["exported"]


def test_more_than_one_batch_comes_whole(
    client: FlaskClient, owner: User, prop: Property, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.offers.exports.reading.BATCHES", (2, 3))
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


def test_everything_that_was_offered_is_in_the_file(client: FlaskClient, owner: User, prop: Property) -> None:
    more = {"conditions": ("home_sale", "bank_approval"), "conditions_text": "acte în regulă", "advance_percent": "10"}
    dates = {"precontract_date": date(2030, 5, 17), "deed_date": date(2030, 7, 1)}
    make_offer(prop, make_draft(**more, **dates, co_buyers=("Ana Pop", "Dan Pop"), represented_by="Agent Unu"))
    login(client, owner)
    (row,) = rows(client, "?purpose=seller")
    kinds = "Aprobarea creditului de către bancă; Vânzarea altei locuințe"
    assert row["Condiții"] == kinds and row["Alte condiții"] == "acte în regulă" and row["Avans, în procente"] == "10,0"
    assert row["Data preferată pentru antecontract"] == "2030-05-17" and row["Cocumpărători"] == "Ana Pop; Dan Pop"
    machine = client.get("/app/offers.csv?columns=machine")
    (row,) = csv.DictReader(io.StringIO(machine.data.decode(), newline=""))
    assert row["conditions"] == "bank_approval home_sale" and row["deed_date"] == "2030-07-01"
    assert "oferte-" in machine.headers["Content-Disposition"]
    seen = client.get("/app/settings/access").get_data(as_text=True)
    assert "1 ofertă · Raport pentru vânzător" in seen and "a scos" in seen


def test_machines_get_the_names_and_values_of_the_api(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop, make_draft(message="=1+1"))
    login(client, owner)
    for language in ("ro", "en"):
        response = client.get(f"/{language}/app/offers.csv?columns=machine&purpose=accounting")
        (row,) = csv.DictReader(io.StringIO(response.data.decode(), newline=""))
        assert row["amount"] == "118500.00" and row["status"] == "new" and row["signed"] == "false"
        assert row["submitted_at"].endswith("Z") and row["phone"] == "+40722000111" and row["message"] == "'=1+1"
        assert row["property_title"] == prop.title and row["payment_term_days"] == "30"
    assert recorded()[-1] == {"rows": 1, "filter": {}, "form": "csv-machine", "purpose": "accounting"}


def test_the_workbook_has_real_numbers_and_dates_and_no_formulas(
    client: FlaskClient, owner: User, prop: Property
) -> None:
    bidder = Bidder('=HYPERLINK("x")', "ana@client.example", "+40722000111", "company", "A & <B> _x0041_\x07", "-1")
    offer = make_offer(prop, make_draft(bidder=bidder, valid_until=date(2030, 5, 17), message="ș\nț \U0001f3e0"))
    make_offer(prop)
    login(client, owner)
    response = client.get("/app/offers.xlsx?sort=submitted_at")
    assert response.mimetype.endswith("spreadsheetml.sheet") and ".xlsx" in response.headers["Content-Disposition"]
    sheet = openpyxl.load_workbook(io.BytesIO(response.data)).active
    head, first, second = sheet.iter_rows()
    row = {title.value: cell for title, cell in zip(head, first, strict=True)}
    assert row["Sumă"].value == 118_500 and row["Sumă"].number_format == "#,##0.00"
    assert abs(row["% din prețul cerut"].value - 0.948) < 1e-9
    assert row["Valabilă până la"].value == datetime(2030, 5, 17) and row["Valabilă până la"].is_date
    at = db.session.get_one(Offer, offer).submitted_at.astimezone(ZoneInfo("Europe/Bucharest")).replace(tzinfo=None)
    assert abs((row["Trimisă"].value - at).total_seconds()) < 2
    assert row["Nume complet"].value == '=HYPERLINK("x")' and row["Nume complet"].data_type == "s"
    assert unescape(row["Firmă"].value) == "A & <B> _x0041_" and row["Mesaj"].value == "ș\nț \U0001f3e0"
    assert len(second) == len(head) and sheet.freeze_panes == "A2"
    assert recorded()[-1] == {"rows": 2, "filter": {"sort": "submitted_at"}, "form": "xlsx", "purpose": "unstated"}


def test_what_was_searched_for_is_not_written_down(client: FlaskClient, owner: User, prop: Property) -> None:
    make_offer(prop)
    login(client, owner)
    assert len(rows(client, "?q=turcanu&email=andrei.turcanu@client.example")) == 1
    assert recorded()[-1]["filter"] == {"q": "…", "email": "…"}
