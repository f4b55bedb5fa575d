"""Files as spreadsheets save them: read, or refused with the true reason and the line; one bad row spoils no other."""

from __future__ import annotations

import codecs
import gzip
import io
import zipfile
from datetime import date
from typing import Any

import openpyxl
import pytest
from flask import Flask
from flask_babel import force_locale

from app.errors import Invalid
from app.feed_faults import FILE, LONG_ROW, LOST_LETTERS, MORE_CELLS, QUOTES
from app.ledger import SYSTEM
from app.models import User
from app.services import feeds
from app.services.csv_rows import COLUMNS, RECORD, BadRow, NotCsv
from app.services.feed_files import OPENED, rows_of
from app.services.feed_rows import read_row
from app.services.feeds import FeedValues
from tests.factories import make_agency, make_user
from tests.patterns import slow
from tests.properties.test_feeds import properties, read_again


@pytest.fixture
def owner(app: Flask) -> User:
    return make_user(make_agency(), "owner")


TWO = [{"id": "1", "titlu": "Casă în Iași"}, {"id": "2", "titlu": "Vilă"}]
PLAIN = "id;titlu\n1;Casă în Iași\n2;Vilă\n"


def read(body: bytes) -> list[Any]:
    return [dict(row) if isinstance(row, dict) else row for row in rows_of(body)]


@pytest.mark.parametrize(
    "body",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.encode("utf-16"),
        codecs.BOM_UTF16_BE + PLAIN.encode("utf-16-be"),
        PLAIN.encode("utf-16-le"),
        PLAIN.encode("utf-16-be"),
        PLAIN.replace(";", ",").encode(),
        PLAIN.replace(";", "\t").encode(),
        PLAIN.replace(";", "\t").encode("utf-16"),  # what Excel calls Unicode text
        PLAIN.replace(";", "|").encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.rstrip("\n").encode(),
        f"sep=;\r\n{PLAIN}".encode(),
        f"\ufeffSEP=;\n{PLAIN}".encode(),
        f'"sep=;"\n{PLAIN}'.encode(),
        f"sep=^\n{PLAIN.replace(';', '^')}".encode(),
        f"\n ; \n\n{PLAIN}\n\n;;\n".encode(),
        '"id";"titlu"\n"1";"Casă în Iași"\n"2";"Vilă"'.encode(),
        "id ; titlu;;;\n1;Casă în Iași;;;\n2;Vilă\n".encode(),
        ";id;;titlu\nx;1;y;Casă în Iași\n;2;;Vilă\n".encode(),
        gzip.compress(PLAIN.encode()),
        gzip.compress(PLAIN[:20].encode()) + gzip.compress(PLAIN[20:].encode()),
    ],
)
def test_what_spreadsheets_save_is_read(body: bytes) -> None:
    assert read(body) == TWO


@pytest.mark.parametrize("encoding", ["cp1250", "iso-8859-2"])
def test_the_encodings_of_eastern_europe_are_read(encoding: str) -> None:
    text = "id;titlu\n1;Căsuţă în Iaşi, lângă pădure\n"
    assert read(text.encode(encoding)) == [{"id": "1", "titlu": "Căsuţă în Iaşi, lângă pădure"}]


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ('2;Casa "Rosa"', 'Casa "Rosa"'),
        ('2;5" țeavă', '5" țeavă'),
        ('2;"Casa ""Rosa"", la drum"', 'Casa "Rosa", la drum'),
        ('2;"Casa;\nRosa"', "Casa;\nRosa"),
        ("2;" + "a" * 140_000, "a" * 140_000),
        ('2;"' + "a" * 140_000 + '"', "a" * 140_000),
        ("2;=1+1", "=1+1"),
    ],
)
def test_an_odd_cell_is_read(row: str, cells: str) -> None:
    assert read(f"id;titlu\n1;A\n{row}\n3;C\n".encode())[1:] == [{"id": "2", "titlu": cells}, {"id": "3", "titlu": "C"}]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ('2;"Casa" Rosa', QUOTES),
        ('2;"Casa Rosa', QUOTES),
        ('"2;Casa Rosa', QUOTES),
        ("2;" + "a" * 2 * RECORD, LONG_ROW),
        ("2;Casa; frumoasă", MORE_CELLS),
        (b"2;Cas\xe3", LOST_LETTERS),
    ],
)
def test_a_bad_row_is_named_by_its_line_and_spoils_no_other(row: str | bytes, why: str) -> None:
    said = row if isinstance(row, bytes) else row.encode()
    body = 'id;titlu\n1;"două\nrânduri"\n'.encode() + said + "\n3;ț\n4;D\n".encode()
    first, bad, *others = read(body)
    assert (first, bad) == ({"id": "1", "titlu": "două\nrânduri"}, BadRow(4, why))
    assert others == [{"id": "3", "titlu": "ț"}, {"id": "4", "titlu": "D"}]
    assert [row.line for row in rows_of(body)] == [2, 4, 5, 6]


@pytest.mark.parametrize("line", ['"x;y', 'a;"b" c', '";"";"', '"""a', "x" * 100 + ';"'])
def test_many_bad_rows_cost_no_more_than_twice_the_reading(line: str) -> None:
    body = b"a;b\n1;2\n" + (line + "\n").encode() * 200_000

    def count() -> None:
        with_end = 0
        try:
            for _row in rows_of(body):
                with_end += 1
        except NotCsv:
            pass
        assert with_end

    assert not slow(count)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "file_empty"),
        (b" \r\n\n", "file_empty"),
        (b";;\n;;\n", "file_empty"),
        (b"id;titlu\n", "file_no_rows"),
        (b"sep=;\nid;titlu\n;\n", "file_no_rows"),
        (b"id;titlu;titlu\n1;2;3\n", "file_names"),
        (b";".join(b"c%d" % n for n in range(COLUMNS + 1)) + b"\n1\n", "file_columns"),
        (b'id;"titlu\n', "file"),
        (b'id;titlu\n1;"', "file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "file_xls"),
        (b"<html><table><tr><td>id</td></tr></table>", "file_other"),
        (b'\xef\xbb\xbf[{"id": 1}]', "file_other"),
        (b"%PDF-1.7\n", "file_other"),
        (b"\x89PNG\r\n\x1a\n", "file_other"),
        (b"PK\x03\x04 and no more", "file_xlsx"),
        (gzip.compress(bytes(OPENED + 1)), "file_large"),
        (gzip.compress(b"id;titlu\n1;2\n")[:-9], "file_other"),
        (b"\x1f\x8b", "file_other"),
    ],
)
def test_what_is_no_file_of_rows_is_refused_with_its_reason(owner: User, body: bytes, code: str) -> None:
    with pytest.raises(NotCsv) as why:
        read(body)
    assert why.value.code == code
    values = FeedValues("C", "csv", file=body, mapping={"external_id": "id", "title": "titlu"})
    with pytest.raises(Invalid) as refused:
        feeds.create(owner.agency_id, values, by=SYSTEM)
    assert refused.value.errors["file"] == [FILE[code]]
    with force_locale("en"):
        english = str(FILE[code])
    with force_locale("ro"):
        assert str(FILE[code]) != english


# --- Excel ------------------------------------------------------------------------------------------------------


def workbook(*rows: list[Any], **sheets: list[list[Any]]) -> bytes:
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    for name, more in sheets.items():
        sheet = book.create_sheet(name)
        for row in more:
            sheet.append(row)
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


def repacked(body: bytes, **parts: bytes) -> bytes:
    """The same archive with some parts put in place of others."""
    names = {name.replace("__", "/").replace("_xml", ".xml"): said for name, said in parts.items()}
    saved = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            new.writestr(part, names.pop(part, None) or old.read(part))
        for name, said in names.items():
            new.writestr(name, said)
    return saved.getvalue()


def test_a_workbook_is_read_by_its_first_sheet() -> None:
    body = workbook(
        ["id", "titlu", "preț", "de vânzare", "din", None, "tva"],
        [],
        [101, "Casă în Iași", 85000.0, True, date(2026, 11, 28), None, "#N/A"],
        ["A-2", "Vilă\nla drum", 85000.5, False, None, None, None, "rest"],
        [103, "Teren", 0.1 + 0.2],
        Foaia2=[["x"], ["y"]],
    )
    first, second, third = rows_of(body)
    assert first == {
        "id": 101,
        "titlu": "Casă în Iași",
        "preț": 85000,
        "de vânzare": True,
        "din": "2026-11-28",
        "tva": None,
    }
    assert second == BadRow(4, MORE_CELLS)
    assert isinstance(third, dict) and (third["preț"], third.line) == (0.3, 5)


ROW = b'<row r="%d">%s</row>'
SHEET = (
    b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
    b'<dimension ref="A1:XFD1048576"/><sheetData>%s</sheetData></worksheet>'
)
CELLS = b'<c t="inlineStr"><is><t>%s</t></is></c><c t="inlineStr"><is><t>%s</t></is></c>'
HEAD = ROW % (1, CELLS % (b"id", b"titlu"))
BOMBS: dict[str, tuple[bytes, str]] = {
    "one row without an end": (SHEET % (HEAD + ROW % (2, b"<c/>" * 300_000)), "file_large"),
    "a row far below": (SHEET % (HEAD + ROW % (10**15, CELLS % (b"1", b"A"))), "file_large"),
    "rows of nothing": (SHEET % (HEAD + b"".join(ROW % (n, b"") for n in range(2, 300_000))), "file_large"),
    "a long text": (SHEET % (HEAD + b" " * 90_000_000), "file_large"),
    "larger than allowed": (SHEET % (b" " * 110_000_000), "file_large"),
    "cut off": ((SHEET % (HEAD + ROW % (2, CELLS % (b"1", b"A"))))[:-40], "file_xlsx"),
    "no sheet": (b"<a/>", "file_empty"),
    "entities": (b'<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;">]>' + SHEET % (HEAD + b"&c;"), "file_xlsx"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_workbook_is_given_up_soon(name: str) -> None:
    sheet, code = BOMBS[name]
    body = repacked(workbook(["id", "titlu"], [1, "A"]), xl__worksheets__sheet1_xml=sheet)

    def give_up() -> None:
        with pytest.raises(NotCsv) as why:
            read(body)
        assert why.value.code == code

    assert not slow(give_up)


@pytest.mark.parametrize(
    "parts",
    [
        {"xl__sharedStrings_xml": b"<sst>" + b"<si><t/></si>" * 1_000_000 + b"</sst>"},
        {"xl__styles_xml": b"<styleSheet>" + b"<a/>" * 1_000_000 + b"</styleSheet>"},
        {"xl__workbook_xml": b"<a/>" * 1_000_000},
    ],
)
def test_parts_that_are_read_whole_have_a_bound(parts: dict[str, bytes]) -> None:
    body = repacked(workbook(["id", "titlu"], [1, "A"]), **parts)
    with pytest.raises(NotCsv, match="file_large"):
        read(body)


def test_other_archives_are_no_workbook() -> None:
    saved = io.BytesIO()
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr("content.xml", "<office/>")
    with pytest.raises(NotCsv, match="file_other"):
        read(saved.getvalue())


def test_a_file_is_read_from_upload_to_property(owner: User) -> None:
    mapping = {"external_id": "id", "title": "titlu", "asking_price": "preț", "currency": "monedă"}
    body = workbook(
        ["id", "titlu", "preț", "monedă"], [101, "Casă", 85000, "euro"], ["A-2", None, 1], [103, "Vilă", "x"]
    )
    feed_id = feeds.create(owner.agency_id, FeedValues("C", "csv", file=body, mapping=mapping), by=SYSTEM)
    run = read_again(owner, feed_id)
    assert (run.state, run.created, run.refused) == ("done", 1, 2)
    assert {key: prop.asking_minor for key, prop in properties().items()} == {"101": 8_500_000}


def test_a_row_that_cannot_be_read_makes_nothing_vanish(owner: User) -> None:
    mapping = {"external_id": "id", "title": "titlu"}

    def values(text: str) -> FeedValues:
        return FeedValues("C", "csv", file=text.encode(), mapping=mapping)

    feed_id = feeds.create(owner.agency_id, values("id;titlu\n1;Casă\n2;Vilă\n"), by=SYSTEM)
    assert read_again(owner, feed_id).created == 2
    feeds.change(feeds.get_feed(owner.agency_id, feed_id), values('id;titlu\n1;Casă\n2;"Vilă" mare\n'), by=SYSTEM)
    run = read_again(owner, feed_id)
    assert (run.state, run.complete, run.refused, run.vanished) == ("done", False, 1, 0)
    feeds.change(feeds.get_feed(owner.agency_id, feed_id), values("id;titlu\n1;Casă\n"), by=SYSTEM)
    assert read_again(owner, feed_id).vanished == 1


# --- what is in a row ---------------------------------------------------------------------------------------------

NAMES = {"external_id": "id", "title": "t", "description": "d", "currency": "c"}


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("Casă", "Casă"),
        ("<p>Cas&#259; &icirc;n Ia&#x219;i</p>", "Casă în Iași"),
        ("<p>Unu</p><p>Doi</p>", "Unu\n\nDoi"),
        ("<p>Unu\n continuă</p>\n\n<p>&nbsp;</p>\n<P CLASS='x'>Doi<br/>Trei</P>", "Unu continuă\n\nDoi\nTrei"),
        ("Unu\n\nDoi &amp; <b>trei</b>", "Unu\n\nDoi & trei"),
        ("<ul><li>Unu</li><li>Doi</li></ul>Trei", "• Unu\n• Doi\n\nTrei"),
        ("&lt;p&gt;Cas&amp;abreve; &amp;icirc;n&lt;/p&gt;", "Casă în"),
        ("Preț <100.000 €, a < b > c, R&D, &region=1 &no;", "Preț <100.000 €, a < b > c, R&D, &region=1 &no;"),
        ("Scrieți la <ana@example.com>", "Scrieți la <ana@example.com>"),
        ("<script>alert('<b>x</b>')</script>Casă<style>p{}</style><!-- <p>nu</p> -->", "Casă"),
        ("<!-- neînchis", "<!-- neînchis"),
        ("Apar&shy;ta&#8203;ment <b>mare</b>", "Apartament mare"),
        ("<p></p>", None),
        ("<table><tr><td>Etaj</td><td>2</td></tr></table>", "Etaj 2"),
    ],
)  # fmt: skip
def test_html_becomes_the_text_that_it_says(said: str, text: str | None) -> None:
    sent = read_row({"id": 1, "t": "Casă", "d": said}, NAMES)
    assert sent.columns["description"] == text


def test_a_title_of_html_is_one_line() -> None:
    assert read_row({"id": 1, "t": "<h1>Cas&#259;</h1><br>mare"}, NAMES).columns["title"] == "Casă mare"


@pytest.mark.parametrize(
    "part", ["<!--", "<p", "<script>", "&", "&#", "<p>", "</", "<a href='", "&amp;amp;amp;", "<li>"]
)
def test_hostile_html_costs_little(part: str) -> None:
    def refuse() -> None:
        with pytest.raises(Invalid):
            read_row({"id": 1, "t": part * (390_000 // len(part)) + "x" * 300}, NAMES)

    assert not slow(refuse)


@pytest.mark.parametrize(
    ("said", "code"),
    [("euro", "EUR"), ("Euro", "EUR"), ("EUR", "EUR"), ("€", "EUR"), ("lei", "RON"), ("Leu", "RON"), ("ron.", "RON")],
)
def test_a_currency_is_read_by_its_word(said: str, code: str) -> None:
    assert read_row({"id": 1, "t": "Casă", "c": said}, NAMES).columns["currency"] == code
