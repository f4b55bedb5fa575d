"""What people type and paste is read as they meant it, or refused with the reason."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from app.core.contacts import NotAContact, Phone, read_email, read_phone
from app.core.days import MONTHS, NotADay, read_day
from app.core.numbers import NotANumber
from app.core.typed_numbers import TypedNumber, read_quantity
from app.models import Property
from app.offers.exports.writing import harmless
from app.offers.tax_ids import NotATaxId, read_tax_id
from app.properties.plausible import UNITS
from app.web.request import _cleaned
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
    "5 dec. 26": (2026, 12, 5), "5 dec '26": (2026, 12, 5), "5.XII.2026": (2026, 12, 5), "5-xii-2026": (2026, 12, 5),
    "Sâmbătă, 5 decembrie 2026": (2026, 12, 5), "sâm. 5 dec 2026": (2026, 12, 5), "Sat, 5 Dec 2026": (2026, 12, 5),
    "Friday 4 December 2026": (2026, 12, 4), "marți, 2 martie 2027": (2027, 3, 2), "Mar. 2, 2027": (2027, 3, 2),
    "1st of December 2026": (2026, 12, 1), "the 1st of December 2026": (2026, 12, 1), "1-a mai 2027": (2027, 5, 1),
    "05/Dec/2026": (2026, 12, 5), "Dec-05-2026": (2026, 12, 5), "5‑12‑2026": (2026, 12, 5), "5–12–2026": (2026, 12, 5),
    "5 febr. 2027": (2027, 2, 5), "5 noiem. 2027": (2027, 11, 5), "5 mart. 2027": (2027, 3, 5),
}  # fmt: skip


@pytest.mark.parametrize("typed", list(DAYS))
def test_a_day_in_every_way_of_writing(typed: str) -> None:
    assert read_day(typed) == date(*DAYS[typed])


@given(st.dates(date(2000, 1, 1), date(2099, 12, 31)))
def test_every_day_reads_back_with_either_months_name(day: date) -> None:
    for name in MONTHS[day.month - 1]:
        assert read_day(f"{day.day} {name} {day.year}") == read_day(f"{name} {day.day}, {day.year}") == day
    assert read_day(f"{day:%d.%m.%y}") == read_day(day.isoformat()) == day


@pytest.mark.parametrize(
    "typed",
    [
        "31.02.2027",
        "0.1.2027",
        "32 mai 2027",
        "12/31/2026",
        "2027-13-01",
        "00.00.0000",
        "luni, 5 decembrie 2026",
        "Sun 4.12.2026",
    ],
)
def test_a_day_that_no_calendar_has_is_named_as_such(typed: str) -> None:
    with pytest.raises(NotADay) as why:
        read_day(typed)
    assert why.value.impossible


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "mâine",
        "31.12",
        "5 brumar 2026",
        "2026",
        "1-2/2026",
        "31.12.20266",
        "9" * 100_000,
        "5 ma 2027",
        "5 iiii 2027",
        "5 sau 6 decembrie 2026",
        "5-10 decembrie 2026",
        "decembrie 2026",
        "5 dec",
        "5.13.226",
        "luni",
    ],
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
     "(ana@example.com)", "Ana <ana@example.com>;", '"Ana" <ana@example.com> ,', "„ana@example.com”",
     "[ana@example.com]", "«ana@example.com»", "ana＠example.com", "ana@example.com <ana@example.com>",
     "<mailto:ana@example.com>"],
)  # fmt: skip
def test_an_address_as_it_is_pasted(typed: str) -> None:
    assert read_email(typed).address == "ana@example.com"


@pytest.mark.parametrize(
    "typed",
    [
        "ana@@x.ro",
        "ana",
        "a@b@c.ro",
        "ana@example.com, dan@example.com",
        "<>",
        "mailto:",
        ".ana@example.com",
        "Ana <ana@example.com>, Dan <dan@example.com>",
        "ana@example.com <dan@example.com>",
        '"ana@example.com" <dan@example.com>',
        "<ana@example.com> <dan@example.com>",
    ],
)
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


@pytest.mark.parametrize(
    "typed",
    ["079 123 456", "0 22 123 456", "022-123-456", "069123456", "0 22 12 34 56", "0230 23 456"],
)
def test_a_number_as_moldova_dials_it_is_asked_about_with_its_country(typed: str) -> None:
    read = read_phone(typed)
    assert read.doubtful and read.suggestion and read.suggestion.startswith("+373")
    assert read_phone(read.suggestion) == read_phone(read.suggestion.removeprefix("+")) != read


def test_a_number_that_only_moldova_has_is_asked_about() -> None:
    assert read_phone("79 123 456") == Phone("+37379123456", doubtful=True)


def test_no_number_of_romania_is_taken_for_one_of_moldova() -> None:
    for typed in ("0712 034 567", "021 310 2040", "0256 123 456", "+40 712 034 567", "+44 20 7946 0958", "0312345678"):
        assert read_phone(typed).suggestion is None, typed


def test_a_page_offers_the_number_with_its_country(client: FlaskClient, prop: Property) -> None:
    login(client, make_user(prop.agency_id, "owner"))
    _status, page = fill(client, path_of(prop), phone="079 123 456")
    assert 'data-suggest="+373 791 23 456"' in page and "V-ați gândit la +373 791 23 456?" in page


@pytest.mark.parametrize(
    "typed",
    ["021 310 2040 int. 5", "021 310 2040 ext 12", "0213102040 x5", "021 310 2040 interior 5", "021 310 2040, int 102",
     "0213102040-41", "021-310-2040/41", "0213102040p5", "+1 212 555 0123 x123"],
)  # fmt: skip
def test_a_number_behind_a_switchboard_is_refused_as_such(typed: str) -> None:
    with pytest.raises(NotAContact) as why:
        read_phone(typed)
    assert why.value.extension


@pytest.mark.parametrize(
    "typed",
    ["0712OOO567", "0712ooo567", "0712 O34 567", "0712-ANA-567", "0712 034 ANA", "+1-800-FLOWERS", "07120345G7",
     "0712034567 / 0722034567", "0712034567 sau 0722034567", "0712034567 (seara)"],
)  # fmt: skip
def test_letters_are_never_dialled(typed: str) -> None:
    with pytest.raises(NotAContact) as why:
        read_phone(typed)
    assert not why.value.extension


@pytest.mark.parametrize(
    ("typed", "size"),
    [("72,4 mp utili", "72.4"), ("72.4 m.p.", "72.4"), ("72 metri pătraţi", "72"), ("72,4㎡", "72.4"),
     ("72 m^2", "72"), ("72 qm", "72"), ("72 de metri pătrați", "72")],
)  # fmt: skip
def test_an_area_with_its_unit_as_people_write_it(typed: str, size: str) -> None:
    assert read_quantity(typed, UNITS["usable_area_sqm"]) == TypedNumber(Decimal(size))


@pytest.mark.parametrize("typed", ["1000 sq ft", "65-70", "65½", "65 + 5", "~65", "5 pogoane", "65 mp teren"])
def test_an_area_that_is_no_number_of_metres_is_none(typed: str) -> None:
    with pytest.raises(NotANumber):
        read_quantity(typed, UNITS["usable_area_sqm"])


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("ana@ɡmail.com", "ana@gmail.com"), ("anɑ@example.com", "ana@example.com"), ("ana@gmaiI.com", "ana@gmail.com"),
     ("ana@yahoo.cm", "ana@yahoo.com"), ("ana@exámple.com", "ana@example.com"), ("аna@example.com", "ana@example.com")],
)  # fmt: skip
def test_a_letter_that_looks_like_another_is_asked_about(typed: str, meant: str) -> None:
    assert read_email(typed).suggestion == meant


@pytest.mark.parametrize(
    ("typed", "read"),
    [("12345678", "12345678"), ("CUI: 12345678", "12345678"), ("cui RO 123 456 78", "RO12345678"),
     ("RO12345678", "RO12345678"),
     ("C.U.I. 12345678", "12345678"), ("CIF RO12345678", "RO12345678"), ("Cod fiscal: 12345678", "12345678"),
     ("DE 123.456.789", "DE123456789"), ("VAT ID: ATU12345678", "ATU12345678"), ("RO 12345678;", "RO12345678"),
     ("NL123456789B01", "NL123456789B01"), ("CF 12345678", "12345678"), ("CUI/CIF: RO12345678", "RO12345678"),
     ("Cod unic de înregistrare 12345678", "12345678"), ("nr. TVA RO12345678", "RO12345678"),
     ("(RO12345678)", "RO12345678"),
     ("USt-IdNr. DE123456789", "DE123456789"), ("USt-ID: DE 123456789", "DE123456789"), ("№12345678", "12345678"),
     ("Steuernummer 12/345/67890", "1234567890"), ("VAT number GB123456789", "GB123456789"),
     ("VAT Reg No: GB 123 4567 89", "GB123456789"), ("NIF B12345678", "B12345678"), ("ES X1234567X", "ESX1234567X"),
     ("P.IVA 12345678901", "12345678901"), ("P. IVA IT12345678901", "IT12345678901"),
     ("FRXX123456789", "FRXX123456789"),
     ("UID CHE-123.456.789 MWST", "CHE123456789"), ("CHE-123.456.789 TVA", "CHE123456789"),
     ("EIN 12-3456789", "123456789"),
     ("IDNO 1003600012345", "1003600012345"), ("NIP 123-456-78-90", "1234567890"), ("ATU 12345678", "ATU12345678"),
     ("GSTIN 27AAPFU0939F1ZV", "27AAPFU0939F1ZV"), ("IE 1234567 WA", "IE1234567WA"), ("CY10259033P", "CY10259033P"),
     ("ＲＯ１２３４５６７８", "RO12345678"), ("RO–12345678", "RO12345678"), ("ESJ12345678", "ESJ12345678"),
     ("CNP 1960101123456", "1960101123456")],
)  # fmt: skip
def test_a_tax_id_loses_what_stands_around_it(typed: str, read: str) -> None:
    assert read_tax_id(typed) == read


@pytest.mark.parametrize(
    "typed",
    ["J40/1234/2020", "j12 / 55 / 2001", "CUI", "J40-1234-2020", "J2020001234401", "j40/1234/2020, CUI 12345678",
     "fără", "nu am", "Firma mea 12345678", "ALFA12345678", "РО12345678"],
)  # fmt: skip
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
