"""A4 pages of titled blocks in the fonts beside this file: what receipts and a person's copy of their data share.

Knows nothing of offers: it draws the words it is given.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import TYPE_CHECKING

from app.proof.pdf import lettering
from app.proof.pdf.lettering import FONTS, DrawnLine

if TYPE_CHECKING:
    from fpdf import FPDF

INK, SOFT, LINE = (17, 24, 39), (87, 96, 111), (214, 219, 227)
MARGIN, GUTTER, WIDTH = 15.0, 8.0, 180.0  # millimetres
COLUMN = (WIDTH - GUTTER) / 2
LABEL = 38.0
PICTURE = 22.0  # a signature's height
SPACE, TITLE, RULE = 1.6, 4.6, 0.8  # before a block, a line of its title, after the line under it
SIZE, SMALL = 8.0, 6.5  # points
LEADING, ROW = 0.46, 0.5  # millimetres of a line for each point
WHOLE = 60.0  # a row that is lower than this is not torn over two pages
PAGES = "\ue000pages\ue000"  # stands for their number until it is known; nobody can type it into an offer


@dataclass(frozen=True, slots=True)
class SheetBlock:
    """A titled group: rows of label and value, then a picture (PNG), then free text. Any part may be missing."""

    title: str
    rows: Sequence[tuple[str, str]] = ()
    image: bytes | None = None
    text: str = ""
    image_said: str = ""  # what the picture is, for whoever does not see it


class Sheet:
    """Pages that fill from top to bottom. `pdf` is fpdf2's, for what is drawn by hand.

    Tagged (PDF 1.7, 14.8): headings, paragraphs and figures in reading order; footers and lines are artifacts.
    `lacking` becomes True when a letter that no font has was drawn as a box with its number.
    """

    def __init__(self, *, title: str, language: str, foot: str, page_word: str, at: datetime) -> None:
        from fpdf import FPDF
        from fpdf.prefs import ViewerPreferences

        for name in ("fpdf", "fontTools"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # they quote the letters of people's names

        sheet = self

        class PdfPages(FPDF):
            def footer(self) -> None:
                with sheet.artifact():
                    self.set_y(-11)
                    sheet.font(SMALL, soft=True)
                    words = f"{foot} · {page_word} {self.page_no()}/"
                    [*_, line] = sheet.wrapped(words, WIDTH, SMALL)
                    with sheet._shape(line):
                        self.cell(WIDTH, 4, line.text + PAGES, align="C")

        self.lacking = False
        self._opened: list[str] = []
        self._widths: dict[tuple[bool, float], dict[str, float]] = {}
        self.pdf: FPDF = PdfPages(format="A4")
        pdf = self.pdf
        pdf.alias_nb_pages(PAGES)
        pdf.set_margins(MARGIN, 12, MARGIN)
        pdf.set_auto_page_break(True, margin=14)
        pdf.add_font("Sans", "", FONTS / lettering.MAIN)
        pdf.add_font("Sans", "B", FONTS / lettering.BOLD)
        pdf.set_title(title)
        pdf.set_lang(language)
        pdf.viewer_preferences = ViewerPreferences(display_doc_title=True)
        pdf.set_creator("BidFlux")
        pdf.set_creation_date(at)
        pdf.add_page()

    def font(self, size: float, *, bold: bool = False, soft: bool = False) -> None:
        self.pdf.set_font("Sans", "B" if bold else "", size)
        self.pdf.set_text_color(*(SOFT if soft else INK))

    def line(
        self, text: str, size: float, height: float, width: float = WIDTH, *, bold: bool = False, tag: str = "P"
    ) -> None:
        """A heading: words over the whole width, as many lines as they need."""
        lines = self.wrapped(text, width, size, bold=bold)
        self.font(size, bold=bold, soft=not bold)
        self._write(lines, MARGIN, width, height, tag)

    @contextmanager
    def artifact(self) -> Iterator[None]:
        """What is drawn inside says nothing: lines, boxes, the foot of a page."""
        self.pdf._out("/Artifact BMC")
        yield
        self.pdf._out("EMC")

    @contextmanager
    def tagged(self, tag: str, alternative: str = "") -> Iterator[None]:
        """What is drawn inside, on one page, is one element of the document's structure."""
        pdf = self.pdf
        mcid = pdf.struct_builder.next_mcid_for_page(pdf.page)
        pdf._add_marked_content(struct_type=f"/{tag}", mcid=mcid, alt_text=alternative or None)
        pdf._out(f"/{tag} <</MCID {mcid}>> BDC")
        yield
        pdf._out("EMC")

    def column(self, blocks: Iterable[SheetBlock], x: float = MARGIN, width: float = WIDTH) -> None:
        for block in blocks:
            self.block(block, x, width)

    def height(self, block: SheetBlock, width: float) -> float:
        """What `block` takes on a page that has room for it."""
        height = SPACE + RULE + TITLE * len(self.wrapped(block.title, width, SIZE + 1, bold=True))
        height += sum(ROW * SIZE * max(map(len, self._row_lines(*row, width, SIZE))) for row in block.rows)
        height += PICTURE + 1 if block.image else 0
        return height + (LEADING * SIZE * len(self.wrapped(block.text, width, SIZE)) if block.text else 0)

    def block(self, block: SheetBlock, x: float, width: float, *, small: bool = False) -> None:
        pdf, size = self.pdf, SMALL if small else SIZE
        pdf.set_xy(x, pdf.get_y() + SPACE)
        self.room_for(12)
        titles = self.wrapped(block.title, width, size + 1, bold=True)
        self.font(size + 1, bold=True)
        self._write(titles, x, width, TITLE, "H2")
        with self.artifact():
            pdf.set_draw_color(*LINE)
            pdf.line(x, pdf.get_y(), x + width, pdf.get_y())
        pdf.set_y(pdf.get_y() + RULE)
        for label, value in block.rows:
            self.row(label, value, x, width, size)
        if block.image:
            self._image(block.image, x, width, block.image_said or block.title)
        if block.text:
            lines = self.wrapped(block.text, width, size)
            self.font(size, soft=small)
            self._write(lines, x, width, LEADING * size)

    def room_for(self, height: float) -> None:
        """Begin a new page unless this one has that many millimetres left."""
        if self.pdf.auto_page_break and self.pdf.will_page_break(height):
            self.pdf.add_page()

    def row(self, label: str, value: str, x: float, width: float, size: float) -> None:
        """Label and value beside each other; the taller one decides where the next row begins."""
        pdf, height, share = self.pdf, ROW * size, _share(width)
        labels, values = self._row_lines(label, value, width, size)
        if (tall := height * max(len(labels), len(values))) < WHOLE:
            self.room_for(tall)
        top, page = pdf.get_y(), pdf.page
        self.font(size, soft=True)
        self._write(labels, x, share, height)
        pdf.page = page
        pdf.set_y(top)
        self.font(size)
        self._write(values, x + share, width - share, height)
        if pdf.page == page:
            pdf.set_y(max(top + len(labels) * height, pdf.get_y()))

    def _row_lines(self, label: str, value: str, width: float, size: float) -> tuple[list[DrawnLine], list[DrawnLine]]:
        share = _share(width)
        return self.wrapped(label, share - 2, size), self.wrapped(value, width - share, size)

    def wrapped(self, text: str, width: float, size: float, *, bold: bool = False) -> list[DrawnLine]:
        """Lines no wider than that, broken at spaces, and inside a word only where it alone is too wide.

        fpdf2's own breaking measures the line anew at every letter, which takes eight times as long.
        """
        words = lettering.drawable(text)
        self.lacking = self.lacking or (lettering.BOX in words and lettering.BOX not in text)
        self._open_fonts(words)
        self.font(size, bold=bold)
        room = width - 2 * self.pdf.c_margin
        widths = self._widths.setdefault((bold, size), {})
        lines = []
        for paragraph in words.replace("\t", "    ").splitlines() or [""]:
            rtl = lettering.runs_from_right(paragraph)
            for line in self._broken(paragraph, room, widths):
                lines.append(DrawnLine(line, rtl, lettering.needs_shaping(line)))
        return lines

    def _broken(self, paragraph: str, room: float, widths: dict[str, float]) -> Iterator[str]:
        line, used = "", 0.0
        for word in paragraph.split(" "):
            long = self._measured(f" {word}" if line else word, widths)
            if line and used + long > room:
                yield line
                line, used, long = "", 0.0, self._measured(word, widths)
            line, used = f"{line} {word}" if line else word, used + long
            while used > room:
                fits = self._fitting(line, room, widths)
                if fits == len(line):
                    break
                yield line[:fits]
                line, used = line[fits:], self._measured(line[fits:], widths)
        yield line

    def _open_fonts(self, text: str) -> None:
        """Have at hand whatever font a letter of it needs."""
        if text.isascii():
            return
        needed = {lettering.font_of(letter) for letter in set(text)} - {None, lettering.MAIN, *self._opened}
        for file in filter(None, needed):
            self.pdf.add_font(file, "", FONTS / file)
            self._opened.append(file)
        if needed:
            self._opened.sort(key=lettering.OTHERS.index)
            self.pdf.set_fallback_fonts(self._opened, exact_match=False)

    def _measured(self, text: str, widths: dict[str, float]) -> float:
        for letter in text:
            if letter not in widths:
                widths[letter] = self.pdf.get_string_width(letter)
        return sum(widths[letter] for letter in text)

    def _fitting(self, text: str, room: float, widths: dict[str, float]) -> int:
        """How many letters fit, at least one; marks stay with theirs."""
        used, n = 0.0, 0
        while n < len(text) and used + widths[text[n]] <= room:
            used, n = used + widths[text[n]], n + 1
        whole = max(1, n)
        while 1 < whole < len(text) and not lettering.may_break_before(text[whole]):
            whole -= 1
        return whole if whole > 1 else max(1, n)

    def _write(self, lines: Sequence[DrawnLine], x: float, width: float, height: float, tag: str = "P") -> None:
        """Lines below each other; those on one page are one element."""
        rest = list(lines)
        while rest:
            self.pdf._perform_page_break_if_need_be(height)
            self.pdf.set_x(x)
            with self.tagged(tag):
                while rest:
                    line = rest.pop(0)
                    side = "R" if line.rtl and len(lines) > 1 else "L"
                    with self._shape(line):
                        self.pdf.cell(width, height, line.text, new_x="LEFT", new_y="NEXT", align=side)
                    if self.pdf.auto_page_break and self.pdf.will_page_break(height):
                        break

    @contextmanager
    def _shape(self, line: DrawnLine) -> Iterator[None]:
        """Letters joined, stacked and turned round where their script wants it. A reader is told the words themselves
        (ActualText), since glyphs no longer stand in the order of letters."""
        pdf = self.pdf
        if not line.shaped:
            yield
            return
        pdf.set_text_shaping(True, direction="rtl" if line.rtl else "ltr")
        words = f"\ufeff{line.text}".encode("utf-16-be").hex()
        pdf._out(f"/Span <</ActualText <{words}>>> BDC")
        yield
        pdf._out("EMC")
        pdf.set_text_shaping(False)

    def _image(self, image: bytes, x: float, width: float, alternative: str) -> None:
        self.room_for(PICTURE)
        top = self.pdf.get_y()
        with self.tagged("Figure", alternative):
            self.pdf.image(BytesIO(image), x, top, min(width, COLUMN), PICTURE, keep_aspect_ratio=True)
        self.pdf.set_y(top + PICTURE + 1)


def _share(width: float) -> float:
    """The part of a row that its label has."""
    return min(LABEL, width * 0.42)
