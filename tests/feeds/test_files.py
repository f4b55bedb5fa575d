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
from flask_babel import force_locale

from app.core.errors import Invalid
from app.core.labels import FEED_FILE
from app.core.ledger import SYSTEM
from app.feeds import editing as feeds
from app.feeds.cells import LONG_ROW, LOST_LETTERS, MORE_CELLS, NO_RESULT, QUOTES, SHEET_ERROR, Unread
from app.feeds.csv_rows import COLUMNS, RECORD, BadRow, NotCsv
from app.feeds.editing import FeedValues
from app.feeds.files import OPENED, rows_of
from app.feeds.rows import NOT_CURRENCY, NOT_VAT, read_row
from app.models import User
from tests.feeds.test_runs import properties, read_again
from tests.patterns import slow

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
        PLAIN.encode("utf-32"),
        codecs.BOM_UTF32_BE + PLAIN.encode("utf-32-be"),
        f"\ufeff\ufeff{PLAIN}".encode(),
        PLAIN.replace("id;titlu", "id\u00a0;\u200btitlu").encode(),
        f"sep=\\t\n{PLAIN.replace(';', chr(9))}".encode(),
        f"sep=\n{PLAIN}".encode(),
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


def test_letters_of_two_bytes_need_no_latin_among_them() -> None:
    text = "Идентификатор;Название\n1;Дом\n"
    for encoding in ("utf-16-le", "utf-16-be"):
        assert read(text.encode(encoding)) == [{"Идентификатор": "1", "Название": "Дом"}]


@pytest.mark.parametrize("separator", ";,\t|")
def test_marks_in_the_names_separate_nothing(separator: str) -> None:
    other = "," if separator == ";" else ";"
    name = f"preț{other} EUR{other} fără TVA{other} negociabil"
    text = f"id{separator}{name}\n1{separator}125000\n2{separator}99\n"
    assert read(text.encode()) == [{"id": "1", name: "125000"}, {"id": "2", name: "99"}]


@pytest.mark.parametrize("encoding", ["cp1250", "iso-8859-2"])
def test_the_encodings_of_eastern_europe_are_read(encoding: str) -> None:
    text = "id;titlu\n1;Căsuţă în Iaşi, lângă pădure\n"
    assert read(text.encode(encoding)) == [{"id": "1", "titlu": "Căsuţă în Iaşi, lângă pădure"}]


OLD_TEXTS = {
    "Căsuţă în Iaşi, lângă pădure": ("cp1250", "cp852", "iso-8859-2"),
    "Apartament – „Zorilor”, Cluj-Napoca, 65 mp, ţară": ("cp1250",),
    "VILĂ ÎN ORAŞ, preţ: 125000": ("cp1250", "cp852"),
    "Căsuță în Iași, lângă pădure": ("mac_romanian", "iso8859_16"),
    "Győr, Ödön utca, Müller": ("cp1250", "cp852"),
    "Квартира в центре Кишинёва, ул. Пушкина": ("cp1251", "cp866", "koi8-r"),
    "ДОМ У МОРЯ, цена 125000": ("cp1251", "cp866"),
    "125000 €": ("cp1250",),
}


@pytest.mark.parametrize(("text", "encoding"), [(text, one) for text, some in OLD_TEXTS.items() for one in some])
def test_the_encoding_of_an_old_program_is_found_by_its_words(text: str, encoding: str) -> None:
    (row,) = read(f"id;titlu\n1;{text}\n".encode(encoding))
    assert row["titlu"].translate(str.maketrans("şţŞŢ", "șțȘȚ")) == text.translate(str.maketrans("şţŞŢ", "șțȘȚ"))


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
        (b"Oferta noastra\nid;titlu\n1;Casa\n", "file_narrow"),
        (b"# export\n1;Casa\n", "file_narrow"),
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
    assert refused.value.errors["file"] == [FEED_FILE[code]]
    with force_locale("en"):
        english = str(FEED_FILE[code])
    with force_locale("ro"):
        assert str(FEED_FILE[code]) != english


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
        "tva": Unread(SHEET_ERROR),
    }
    assert second == BadRow(4, MORE_CELLS)
    assert isinstance(third, dict) and (third["preț"], third.line) == (0.3, 5)


def merged(*ranges: str) -> list[Any]:
    book = openpyxl.Workbook()
    for row in [["id", "titlu", "oraș"], [1, "A", "Cluj"], [2, "B"], [], [3, "C"], [4, "D", "Iași"], [5, "E"]]:
        book.active.append(row)
    for one in ranges:
        book.active.merge_cells(one)
    saved = io.BytesIO()
    book.save(saved)
    return [row.get("oraș") if isinstance(row, dict) else row for row in rows_of(saved.getvalue())]


def test_a_cell_over_several_lines_says_the_same_of_each() -> None:
    assert merged() == ["Cluj", None, None, "Iași", None]
    assert merged("C2:C5") == ["Cluj", "Cluj", "Cluj", "Iași", None], "an empty line stays one"
    assert merged("C2:C3", "C6:C7") == ["Cluj", "Cluj", None, "Iași", "Iași"]
    assert merged("C2:D3") == ["Cluj", "Cluj", None, "Iași", None], "over two columns it is the first one's"
    assert merged("C1:C2")[0] is None, "what a name covers is no value"


def formatted(*cells: tuple[Any, str]) -> bytes:
    """One row of prices, each with how its number looks."""
    book = openpyxl.Workbook()
    book.active.append([f"preț {number}" for number in range(len(cells))])
    book.active.append([value for value, _looks in cells])
    for number, (_value, looks) in enumerate(cells, 1):
        book.active.cell(2, number).number_format = looks
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


def test_a_currency_that_only_the_looks_of_a_number_say_is_read() -> None:
    body = formatted(
        (700_000, '#,##0 "lei"'),
        (700_000.5, '_-* #,##0.00\\ "RON"_-;\\-* #,##0.00\\ "RON"_-'), (230_000, "[$€-2] #,##0.00"),
        (5, "[$lei-418] #,##0"), (6, "#,##0\\ €"), (7, "$#,##0"), (8, "[$CHF] #,##0"), (9, "#,##0"), (10, "0.00%"),
        (11, '0 "mp"'), (12, "[Red][$-418]#,##0"), (True, '0 "lei"'),
    )  # fmt: skip
    (row,) = rows_of(body)
    assert isinstance(row, dict)
    said = ["700000 lei", "700000.5 ron", "230000 €", "5 lei", "6 €", "7 $", "8 chf", 9, 10, 11, 12, True]
    assert list(row.values()) == said
    mapping = {"external_id": "id", "title": "id", "asking_price": "p"}
    meant = {"preț 0": (700_000_00, "RON"), "preț 1": (700_000_50, "RON"), "preț 2": (230_000_00, "EUR")}
    for price, told in meant.items():
        for separators in ("ask", "comma", "point"):
            sent = read_row({"id": "1", "p": row[price]}, mapping, separators)
            assert (sent.columns["asking_minor"], sent.columns["currency"]) == told, (price, separators)
    for price in ("preț 5", "preț 6"):
        with pytest.raises(Invalid) as why:
            read_row({"id": "1", "p": row[price]}, mapping)
        assert why.value.errors == {"asking_price": [NOT_CURRENCY]}


def test_a_formula_without_a_result_and_an_error_are_never_nothing() -> None:
    body = workbook(["id", "titlu", "pret"], [1, "A", "=2*3"], [2, "B", "#REF!"], [3, '=""', 5], [4, "D", None])
    one, two, three, four = [dict(row) for row in rows_of(body) if isinstance(row, dict)]
    assert (one["pret"], two["pret"], three["titlu"], four.get("pret")) == (
        Unread(NO_RESULT), Unread(SHEET_ERROR), Unread(NO_RESULT), None,
    )  # fmt: skip
    mapping = {"external_id": "id", "title": "titlu", "asking_price": "pret", "photo_url": "foto"}
    for row, faults in (
        (one, {"asking_price": [NO_RESULT]}), (two, {"asking_price": [SHEET_ERROR]}), (three, {"title": [NO_RESULT]}),
        ({"id": "5", "titlu": "#N/A", "pret": "#DIV/0!"}, {"title": [SHEET_ERROR], "asking_price": [SHEET_ERROR]}),
        ({"id": "6", "titlu": "F", "foto": Unread(NO_RESULT)}, {"photo_url": [NO_RESULT]}),
    ):  # fmt: skip
        with pytest.raises(Invalid) as why:
            read_row(row, mapping)
        assert why.value.errors == faults
    cached = '<c r="B2" t="str"><f>A2&amp;""</f><v></v></c><c r="C2"><f>2*3</f><v>6</v></c>'
    sheet = SHEET % (
        ROW % (1, CELLS % (b"id", b"titlu") + CELLS % (b"pret", b"x")) + ROW % (2, b"<c><v>1</v></c>" + cached.encode())
    )
    assert read(repacked(body, xl__worksheets__sheet1_xml=sheet)) == [{"id": 1, "titlu": None, "pret": 6}]


def test_a_sheet_without_anything_is_passed_over() -> None:
    assert read(workbook([], [None, ""], Lista=[["id", "titlu"], [1, "A"]])) == [{"id": 1, "titlu": "A"}]


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


def one(**given: Any) -> dict[str, Any]:
    """A row of one field more than it needs, as it would come in."""
    named = {name: name for name in ("external_id", "title", *given)}
    sent = read_row({"external_id": "1", "title": "Casă", **given}, named)
    return {**sent.columns, "photo": sent.photo, "agent": sent.agent_email}


@pytest.mark.parametrize(
    ("name", "given", "column", "value"),
    [
        ("price_vat", "TVA inclus", "price_vat", "included"), ("price_vat", "cu TVA", "price_vat", "included"),
        ("price_vat", "plus TVA", "price_vat", "excluded"),
        ("price_vat", "+tva", "price_vat", "excluded"), ("price_vat", "Scutit de TVA", "price_vat", "exempt"),
        ("price_vat", "VAT excluded", "price_vat", "excluded"), ("price_vat", True, "price_vat", "included"),
        ("price_vat", "", "price_vat", None), ("price_vat", None, "price_vat", None),
        ("accepts_offers", "ADEVĂRAT", "accepts_offers", True), ("accepts_offers", "Fals", "accepts_offers", False),
        ("accepts_offers", 1.0, "accepts_offers", True), ("property_type", "Apartamente", "property_type", "apartment"),
        ("property_type", "Casă / Vilă", "property_type", "house"),
        ("property_type", "Garsoniere", "property_type", "apartment"),
        ("property_type", "Spațiu de birouri", "property_type", "office"),
        ("property_type", "iaht", "property_type", "other"),
        ("asking_price", "125.000 &euro;", "asking_minor", 125_000_00), ("currency", "&euro;", "currency", "EUR"),
        ("usable_area_sqm", "65 m&sup2;", "usable_area_sqm", 65),
        ("usable_area_sqm", "65 m<sup>2</sup>", "usable_area_sqm", 65),
        ("title", "<![CDATA[Casă]]>", "title", "Casă"), ("title", "Ca\u200bsă\u00ad", "title", "Casă"),
        ("buyer_commission", "2%<br>+ TVA", "buyer_commission", "2% + TVA"),
        ("crm_url", "https://x.ro/?a=1&amp;b=2", "crm_url", "https://x.ro/?a=1&b=2"),
        ("agent_email", "Ana <ana@x.ro>;", "agent", "ana@x.ro"),
        ("photo_url", "https://x.ro/1.jpg|https://x.ro/2.jpg", "photo", "https://x.ro/1.jpg"),
        ("photo_url", "https://x.ro/1.jpg, https://x.ro/2.jpg", "photo", "https://x.ro/1.jpg"),
        ("photo_url", "//x.ro/ă.jpg?a=1&amp;b=2", "photo", "https://x.ro/%C4%83.jpg?a=1&b=2"),
        ("photo_url", "https://x.ro//a.jpg?of=https://y.ro/b", "photo", "https://x.ro//a.jpg?of=https://y.ro/b"),
    ],
)  # fmt: skip
def test_a_cell_of_a_real_file_is_read_as_it_is_meant(name: str, given: Any, column: str, value: Any) -> None:
    found = one(**{name: given})
    assert (found.get(column), type(found.get(column))) == (value, type(value))


@pytest.mark.parametrize("said", ["fără TVA", "21%", "TVA", "nu este inclus", "inclus plus", "xyz", 21])
def test_what_is_said_of_vat_and_not_understood_is_never_dropped(said: Any) -> None:
    with pytest.raises(Invalid) as why:
        one(price_vat=said)
    assert why.value.errors == {"price_vat": [NOT_VAT]}


def test_lines_that_reach_far_out_and_empty_sheets_without_end_are_given_up() -> None:
    """A few kilobytes: one cell in the last column makes 16,384 of its line, one in a late line all those before."""
    wide = openpyxl.Workbook()
    wide.active.append(["id", "titlu"])
    for line in range(2, 1200):
        wide.active.cell(line, 16384, 1)
    deep = openpyxl.Workbook()
    for name in ("a", "b", "c"):
        deep.create_sheet(name).cell(70_000, 1).number_format = "0.0"
    for book in (wide, deep):
        saved = io.BytesIO()
        book.save(saved)
        with pytest.raises(NotCsv) as refused:
            list(rows_of(saved.getvalue()))
        assert refused.value.code == "file_large"
