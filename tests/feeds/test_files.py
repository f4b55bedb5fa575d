"""Files as spreadsheets save them: read, or refused with the true reason and the line; one bad row spoils no other."""

from __future__ import annotations

import codecs
import gzip
from typing import Any

import pytest
from flask_babel import force_locale

from app.core.errors import Invalid
from app.core.labels import FEED_FILE
from app.core.ledger import SYSTEM
from app.feeds import editing as feeds
from app.feeds.cells import LONG_ROW, LOST_LETTERS, MORE_CELLS, QUOTES
from app.feeds.csv_rows import COLUMNS, RECORD, BadRow, NotCsv
from app.feeds.editing import FeedValues
from app.feeds.files import OPENED, rows_of
from app.models import User
from tests.feeds.conftest import read_again
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
