"""Workbooks: read by their first sheet, and given up soon where they are hostile."""

from __future__ import annotations

import gzip
import io
import struct
import zipfile
from datetime import date
from typing import Any

import openpyxl
import pytest

from app.core.errors import Invalid
from app.core.ledger import SYSTEM
from app.feeds import editing as feeds
from app.feeds import xlsx_rows
from app.feeds.cells import MORE_CELLS, NO_RESULT, SHEET_ERROR, Unread
from app.feeds.csv_rows import BadRow, NotCsv
from app.feeds.editing import FeedValues
from app.feeds.files import looks_like_rows, rows_of
from app.feeds.rows import NOT_CURRENCY, read_row
from app.feeds.xlsx_rows import is_workbook
from app.models import User
from tests.feeds.conftest import properties, read_again
from tests.feeds.test_files import read
from tests.patterns import slow


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


def named(body: bytes, old: str, new: str, **parts: bytes) -> bytes:
    """The same workbook with a part under another name, by which everything else calls it too."""
    saved = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as archive, zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as made:
        for part in archive.namelist():
            made.writestr(new if part == old else part, archive.read(part).replace(old.encode(), new.encode()))
    return saved.getvalue()


ONE_ROW = SHEET % (HEAD + ROW % (2, b"<c/>" * 2_000_000))


@pytest.mark.parametrize("called", ["xl/media/picture.xml", "xl/drawings/drawing1.xml", "xl/sheet.bin", "a.png"])
def test_a_part_is_measured_by_what_it_is_and_not_by_its_name(called: str) -> None:
    body = repacked(workbook(["id", "titlu"], [1, "A"]), xl__worksheets__sheet1_xml=ONE_ROW)
    body = named(body, "xl/worksheets/sheet1.xml", called)

    def give_up() -> None:
        with pytest.raises(NotCsv, match="file_large"):
            read(body)

    assert not slow(give_up)


LOOKS = (
    b"<styleSheet><numFmts><numFmt numFmtId='170' formatCode='%s'/></numFmts><cellXfs><xf numFmtId='170'/></cellXfs>"
)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("xl__styles_xml", LOOKS % (b"[$" * 200_000) + b"</styleSheet>"),  # openpyxl takes the square of it
        ("xl__styles_xml", LOOKS % (b"&#91;" * 2_000) + b"</styleSheet>"),
        ("xl__worksheets__sheet1_xml", SHEET % (HEAD + b"<row %s/>" % b"".join(b"a%d='' " % n for n in range(90_000)))),
    ],
)
def test_no_element_and_no_format_goes_on_without_an_end(part: str, said: bytes) -> None:
    body = repacked(workbook(["id", "titlu"], [1, "A"]), **{part: said})

    def give_up() -> None:
        with pytest.raises(NotCsv, match="file_large"):
            read(body)

    assert not slow(give_up)


@pytest.mark.parametrize(
    "said",
    [
        b"<?xml version='1.0' encoding='UTF-7'?>+ADw-a/+AD4-",
        b"<?xml version='1.0'" + b" " * 600 + b"encoding='UTF-7'?>",
        "<?xml version='1.0' encoding='IBM037'?><a/>".encode("cp037"),
        b"\x89PNG",
    ],
)
def test_markup_whose_elements_could_not_be_counted_is_refused(said: bytes) -> None:
    body = repacked(workbook(["id", "titlu"], [1, "A"]), xl__worksheets__sheet1_xml=said)
    with pytest.raises(NotCsv, match="file_xlsx"):
        read(body)


def test_pictures_and_old_encodings_beside_the_rows_are_no_fault() -> None:
    plain = workbook(["id", "titlu"], [1, "A"])
    with zipfile.ZipFile(io.BytesIO(plain)) as archive:
        sheet = archive.read("xl/worksheets/sheet1.xml").removeprefix(b"<?xml version='1.0' encoding='UTF-8'?>")
    wide = ("<?xml version='1.0' encoding='UTF-16'?>" + sheet.decode()).encode("utf-16")
    body = repacked(plain, xl__worksheets__sheet1_xml=wide, **{"xl__media__a.png": b"\x89PNG" + b"\0" * 3_000_000})
    assert len(list(rows_of(body))) == 1


def test_an_archive_of_very_many_parts_is_not_opened() -> None:
    entry = b"PK\x01\x02" + bytes(42)
    with pytest.raises(NotCsv, match="file_large"):
        read(b"PK\x03\x04" + entry * 200_000)


def test_notes_of_an_archive_without_end_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """zipfile copies all that is left of them at each: 64 KB of empty notes are half a gigabyte, for each part."""
    with zipfile.ZipFile(made := io.BytesIO(), "w") as archive:
        archive.writestr("xl/workbook.xml", b"<a/>")
        archive.infolist()[0].extra = struct.pack("<HH", 0x7777, 0) * (2048 // 4 + 1)
    monkeypatch.setattr(zipfile.ZipInfo, "_decodeExtra", None)
    with pytest.raises(NotCsv) as refused:
        is_workbook(made.getvalue())
    assert refused.value.code == "file_large"


def test_a_workbook_packed_once_more_is_opened_by_the_job_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = gzip.compress(workbook(["id", "titlu"], ["1", "Casă"]))
    assert read(packed) == [{"id": "1", "titlu": "Casă"}]
    monkeypatch.setattr(xlsx_rows, "_lines", None)
    looks_like_rows(packed, 5)
    with pytest.raises(NotCsv):
        looks_like_rows(gzip.compress(packed), 5)
