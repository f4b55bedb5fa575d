"""Every letter of a receipt is drawn, in the direction it is read; what no font has is a box with its number."""

from __future__ import annotations

import io
import unicodedata
from datetime import UTC, datetime

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader
from pypdf.generic import DictionaryObject

from app.models import Property
from app.offers.document import Bidder, Signature
from app.proof import receipts
from app.proof.pdf import lettering
from app.proof.pdf.sheet import Sheet, SheetBlock
from tests.factories import make_draft, make_offer

NAMES = {
    "Chinese": "李明明",
    "Japanese": "こんにちは カタカナ 漢字",
    "Korean": "안녕하세요",
    "Vietnamese": "Nguyễn Văn Đức",
    "Arabic": "محمد بن سلمان",
    "Persian": "می‌تواند",
    "Hebrew": "שלום עולם",
    "Hindi": "नमस्ते क्षत्रिय",
    "Bengali": "নমস্কার",
    "Tamil": "வணக்கம்",
    "Sinhala": "ආයුබෝවන්",
    "Thai": "สวัสดีครับ",
    "Khmer": "សួស្តី",
    "Burmese": "မင်္ဂလာပါ",
    "Amharic": "ሰላም",
    "Georgian": "გამარჯობა",
    "Armenian": "Բարեւ",
    "Greek": "Ελένη Παπαδοπούλου",
    "Ukrainian": "Олена Їжак",
    "Polish": "Łukasz Żółć",
    "decomposed": "S\u0326tefan T\u0326urcanu",
    "emoji": "Ne place 🏠😀🇷🇴 mult",
    "mathematical": "𝒜𝓫",
    "Cherokee": "ᏣᎳᎩ",
    "Tibetan": "བཀྲ་ཤིས",
}


def drawn(pdf: bytes) -> str:
    """The letters of the glyphs that are drawn, as another library reads them; control marks are its own, for a
    glyph that shares its letter with the one before."""
    return bare(" ".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages))


def bare(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFC", text) if letter > " " and letter != "\u200c")


def sheet(foot: str = "foot") -> Sheet:
    return Sheet(title="Title", language="ro", foot=foot, page_word="pagina", at=datetime(2026, 11, 28, tzinfo=UTC))


@pytest.mark.parametrize("script", list(NAMES))
def test_a_name_in_any_script_is_drawn_and_read_back(script: str) -> None:
    page = sheet(foot=NAMES[script])
    page.line(NAMES[script], 15, 7, bold=True)
    page.column([SheetBlock(NAMES[script], [("Nume", NAMES[script])], text=NAMES[script])])
    assert drawn(bytes(page.pdf.output())).count(bare(NAMES[script])) == 5 and not page.lacking


def test_the_receipt_holds_a_foreign_name_typed_signature_and_message(app: Flask, prop: Property) -> None:
    bidder = Bidder("李明明", "li@client.example", "+40722000111")
    draft = make_draft(bidder=bidder, signature=Signature("typed", text="李明明"), message="Casă frumoasă 🏠, مبروك")
    pdf = receipts.make(prop.agency_id, make_offer(prop, draft))
    assert drawn(pdf).count("李明明") == 2 and "🏠" in drawn(pdf) and "مبروك" in drawn(pdf)
    assert "(U+" not in drawn(pdf)


def test_a_letter_that_no_font_has_is_a_box_with_its_number_and_a_line_says_so(app: Flask, prop: Property) -> None:
    with_rare = receipts.make(prop.agency_id, make_offer(prop, make_draft(message="\U00020bb7野家 \U00017000")))
    assert "▯(U+20BB7)野家▯(U+17000)" in drawn(with_rare) and "număruleiUnicode" in drawn(with_rare)
    plain = receipts.make(prop.agency_id, make_offer(prop, make_draft(message="fără")))
    assert "număruleiUnicode" not in drawn(plain)


def test_lines_from_the_right_run_from_the_right() -> None:
    """The first letter of an Arabic name stands rightmost, whatever a reader's order of extraction."""
    places: list[tuple[float, str]] = []
    page = sheet()
    page.line("אבג", 12, 6)
    content = PdfReader(io.BytesIO(bytes(page.pdf.output()))).pages[0]
    content.extract_text(visitor_text=lambda text, _cm, tm, _font, _size: places.append((tm[4], text)))
    assert lettering.runs_from_right("123 אבג abc") and not lettering.runs_from_right("12 abc אבג")
    assert lettering.needs_shaping("אבג") and not lettering.needs_shaping("Țurcanu 12 €")
    assert any("אבג" in text for _x, text in places)
    raw = content.get_contents()
    assert raw is not None and "\ufeffאבג".encode("utf-16-be").hex().encode() in raw.get_data(), "read aloud as written"


def test_marks_that_turn_text_round_draw_nothing() -> None:
    assert lettering.drawable("ab\u202edc\u2066x\u00ad\u200b\ufeff") == "abdcx"
    assert lettering.drawable("a\u2028b\u0085c") == "a\nb\nc"
    assert lettering.drawable("می\u200cتواند") == "می\u200cتواند", "Persian keeps what parts its letters"


@given(st.text())
def test_no_letter_vanishes(text: str) -> None:
    kept = lettering.drawable(text)
    for letter in unicodedata.normalize("NFC", text):
        if unicodedata.category(letter) in {"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Sc", "So"} and letter not in kept:
            assert f"(U+{ord(letter):04X})" in kept
    assert all(lettering.font_of(letter) for letter in kept if not letter.isspace() and letter.isprintable())


def test_a_word_pages_in_a_message_is_not_taken_for_the_number_of_pages() -> None:
    page = sheet()
    page.line("{nb} of {nb}", 12, 6)
    assert "{nb}of{nb}" in drawn(bytes(page.pdf.output()))


def test_the_document_is_tagged_from_its_title_to_its_last_line(app: Flask, prop: Property) -> None:
    """ISO 32000-1, 14.7 and 14.8: whoever has it read aloud hears headings, paragraphs and pictures in order."""
    draft = make_draft(message="rând\n" * 150)
    reader = PdfReader(io.BytesIO(receipts.make(prop.agency_id, make_offer(prop, draft))))
    root = reader.trailer["/Root"]
    assert isinstance(root, DictionaryObject) and root["/MarkInfo"]["/Marked"] and root["/Lang"] == "ro"
    assert root["/ViewerPreferences"]["/DisplayDocTitle"]
    kids = [kid.get_object() for kid in root["/StructTreeRoot"]["/K"][0].get_object()["/K"]]
    tags = [kid["/S"] for kid in kids]
    assert tags.count("/H1") == 1 and "/H2" in tags and tags.count("/P") > 20
    assert all(kid.get("/Alt") for kid in kids if kid["/S"] == "/Figure")
    for page in reader.pages:
        depth = 0
        for operands, operator in page.get_contents().operations if page.get_contents() else []:  # type: ignore[union-attr]
            depth += {b"BMC": 1, b"BDC": 1, b"EMC": -1}.get(operator, 0)
            assert 0 <= depth <= 2 and (depth or operator not in {b"Tj", b"TJ", b"Do"}), operands
