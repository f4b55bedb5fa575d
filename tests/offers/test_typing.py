"""What people type and paste is read as they meant it, or refused with the reason."""

from __future__ import annotations

from datetime import date

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from app.contacts import NotAContact, read_email, read_phone
from app.days import MONTHS, NotADay, read_day
from app.incoming import _cleaned
from app.models import Property
from app.services.exports import harmless
from app.tax_ids import NotATaxId, read_tax_id
from tests.factories import login, make_agency, make_offer, make_property, make_user
from tests.public.test_offer_form import GOOD, fill, path_of

UNSEEN = ["\u200b", "\u200e", "\u00ad", "\u2060", "\ufeff", "\u2066", "\u061c", "\u200d", "\u3164", "\U000e0041"]
DAYS = {
    "31.12.2026": (2026, 12, 31), "31. 12. 2026": (2026, 12, 31), "31.12.26": (2026, 12, 31),
    "31-12-2026": (2026, 12, 31), "31/12/2026": (2026, 12, 31), "2026-12-31": (2026, 12, 31),
    "2026/12/31": (2026, 12, 31), "2026.12.31": (2026, 12, 31), "5 decembrie 2026": (2026, 12, 5),
    "5 dec. 2026": (2026, 12, 5), "5 Dec 2026": (2026, 12, 5),
    "5-dec-2026": (2026, 12, 5), "Dec 5, 2026": (2026, 12, 5),
    "December 5th, 2026": (2026, 12, 5), "1 ianuarie 2027": (2027, 1, 1), "1 ian. 2027": (2027, 1, 1),
    "3 mai 2027": (2027, 5, 3), "May 3 2027": (2027, 5, 3), "9 iulie 2027": (2027, 7, 9), "9 iul 2027": (2027, 7, 9),
    "9 iunie 2027": (2027, 6, 9), "2 sept 2027": (2027, 9, 2), "2 noi. 2027": (2027, 11, 2),
    "31.12.2026.": (2026, 12, 31),
    "5 DECEMBRIE 2026": (2026, 12, 5), " 7.1.2027 ": (2027, 1, 7),
}  # fmt: skip


@pytest.mark.parametrize("typed", list(DAYS))
def test_a_day_in_every_way_of_writing(typed: str) -> None:
    assert read_day(typed) == date(*DAYS[typed])


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_every_day_reads_back_with_either_months_name(day: date) -> None:
    for name in MONTHS[day.month - 1]:
        assert read_day(f"{day.day} {name} {day.year}") == read_day(f"{name} {day.day}, {day.year}") == day
    assert read_day(f"{day:%d.%m.%y}") == read_day(day.isoformat()) == day


@pytest.mark.parametrize("typed", ["31.02.2027", "0.1.2027", "32 mai 2027", "12/31/2026", "2027-13-01", "00.00.0000"])
def test_a_day_that_no_calendar_has_is_named_as_such(typed: str) -> None:
    with pytest.raises(NotADay) as why:
        read_day(typed)
    assert why.value.impossible


@pytest.mark.parametrize(
    "typed", ["", "mâine", "31.12", "5 brumar 2026", "2026", "1-2/2026", "31.12.20266", "9" * 100_000]
)
def test_what_is_no_day_is_none(typed: str) -> None:
    with pytest.raises(NotADay) as why:
        read_day(typed)
    assert not why.value.impossible


@pytest.mark.parametrize(
    "typed",
    ["ana@example.com", "Ana <ana@example.com>", '"Pop, Ana" <ana@example.com>', "mailto:ana@example.com",
     "MAILTO:ana@example.com?subject=x", "ana@example.com;", "ana@example.com,", " ana@example.com. ",
     "<ana@example.com>",
     "(ana@example.com)"],
)  # fmt: skip
def test_an_address_as_it_is_pasted(typed: str) -> None:
    assert read_email(typed).address == "ana@example.com"


@pytest.mark.parametrize("typed", ["ana@@x.ro", "ana", "a@b@c.ro", "ana@example.com, dan@example.com", "<>", "mailto:"])
def test_what_is_no_one_address_is_none(typed: str) -> None:
    with pytest.raises(NotAContact):
        read_email(typed)


@pytest.mark.parametrize(
    "typed",
    ["0722 000 111", "Tel: 0722 000 111", "tel:+40722000111", "+40 (0) 722 000 111", "0722.000.111;", "0722/000/111",
     "(0722) 000-111", "０７２２０００１１１", "0040 722 000 111"],
)  # fmt: skip
def test_a_phone_as_it_is_pasted(typed: str) -> None:
    assert read_phone(typed).e164 == "+40722000111"


@pytest.mark.parametrize("typed", ["021 310 2040 int. 5", "021 310 2040 ext 12", "0213102040 x5"])
def test_a_number_behind_a_switchboard_is_refused_as_such(typed: str) -> None:
    with pytest.raises(NotAContact) as why:
        read_phone(typed)
    assert why.value.extension


@pytest.mark.parametrize(
    ("typed", "read"),
    [("12345678", "12345678"), ("CUI: 12345678", "12345678"), ("cui RO 123 456 78", "RO12345678"),
     ("RO12345678", "RO12345678"),
     ("C.U.I. 12345678", "12345678"), ("CIF RO12345678", "RO12345678"), ("Cod fiscal: 12345678", "12345678"),
     ("DE 123.456.789", "DE123456789"), ("VAT ID: ATU12345678", "ATU12345678"), ("RO 12345678;", "RO12345678"),
     ("NL123456789B01", "NL123456789B01")],
)  # fmt: skip
def test_a_tax_id_loses_what_stands_around_it(typed: str, read: str) -> None:
    assert read_tax_id(typed) == read


@pytest.mark.parametrize("typed", ["J40/1234/2020", "j12 / 55 / 2001", "CUI"])
def test_what_is_no_tax_id_says_why(typed: str) -> None:
    with pytest.raises(NotATaxId) as why:
        read_tax_id(typed)
    assert why.value.register is typed.lower().startswith("j")


@pytest.mark.parametrize("mark", UNSEEN)
def test_marks_that_nobody_sees_refuse_nothing_and_hide_nothing(client: FlaskClient, prop: Property, mark: str) -> None:
    values = {
        name: f"{mark}{value[:2]}{mark}{value[2:]}{mark}"
        for name, value in GOOD.items()
        if name not in {"financing", "consent"}
    }
    status, page = fill(client, path_of(prop), **values)
    assert status == 200 and mark not in page and "118.500" in page


def test_joiners_stay_where_their_script_needs_them() -> None:
    assert _cleaned("message", "می\u200cتواند 👨\u200d👩") == "می\u200cتواند 👨\u200d👩"
    assert _cleaned("full_name", "An\u200da") == "Ana" and _cleaned("password", "a\u200bb") == "a\u200bb"


def test_a_pasted_search_finds(client: FlaskClient, prop: Property) -> None:
    make_offer(prop)
    agent = make_user(prop.agency_id, "owner")
    login(client, agent)
    page = client.get("/app/offers", query_string={"q": "\u200bȚur\u00adcanu\ufeff"}).get_data(as_text=True)
    assert "Andrei Țurcanu" in page
    assert "Andrei Țurcanu" in client.get("/app/offers", query_string={"min_amount": "\u200e100.000"}).get_data(
        as_text=True
    )


def test_reasons_are_said_in_the_form(client: FlaskClient, prop: Property) -> None:
    for field, value, said in (
        ("phone", "021 310 2040 int. 5", "fără interior"),
        ("valid_until", "31.02.2031", "Această zi nu există"),
    ):
        status, page = fill(client, path_of(prop), **{field: value})
        assert status == 422 and said in page, field


def test_digits_leave_in_a_file_as_they_came(app: Flask) -> None:
    assert harmless("0012345") == "'0012345" and harmless("12345678") == "12345678"
    assert harmless("123456789012") == "'123456789012" and harmless("RO12345678") == "RO12345678"


@pytest.fixture
def prop(app: Flask) -> Property:
    agency = make_agency()
    return make_property(agency, make_user(agency).id)
