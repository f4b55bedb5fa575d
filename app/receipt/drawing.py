"""How a receipt looks: A4, two columns on one page where everything fits, else one column over several.

Knows nothing of offers: it draws the words it is given, in the fonts beside it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from fpdf import FPDF

FONTS = Path(__file__).parent / "fonts"
INK, SOFT, LINE, TINT = (17, 24, 39), (87, 96, 111), (214, 219, 227), (243, 246, 250)
MARGIN, GUTTER, WIDTH = 15.0, 8.0, 180.0  # millimetres
COLUMN = (WIDTH - GUTTER) / 2
LABEL = 38.0
MARK = 26.0  # the QR code's edge
PICTURE = 22.0  # a signature's height
SPACE, TITLE, RULE = 1.6, 4.6, 0.8  # before a block, a line of its title, after the line under it
SIZE, SMALL = 8.0, 6.5  # points
LEADING, ROW = 0.46, 0.5  # millimetres of a line for each point


@dataclass(frozen=True, slots=True)
class Block:
    """A titled group: rows of label and value, then a picture (PNG), then free text. Any part may be missing."""

    title: str
    rows: Sequence[tuple[str, str]] = ()
    image: bytes | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """Everything that stands on a receipt, in the reader's language, and the files that travel in it."""

    language: str
    title: str
    lead: str
    amount: str
    about: Sequence[tuple[str, str]]
    left: Sequence[Block]
    right: Sequence[Block]
    proof: Sequence[Block]
    foot: str
    page_word: str
    check_url: str
    check_hint: str
    at: datetime
    files: dict[str, bytes]


def draw(paper: Paper) -> bytes:
    """The document, not yet sealed."""
    for name in ("fpdf", "fontTools"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # they quote the letters of people's names
    return _Pages(paper).finished()


class _Pages:
    def __init__(self, paper: Paper) -> None:
        from fpdf import FPDF

        class Document(FPDF):
            def footer(self) -> None:
                self.set_y(-11)
                self.set_font("Sans", size=6.5)
                self.set_text_color(*SOFT)
                self.cell(WIDTH, 4, f"{paper.foot} · {paper.page_word} {self.page_no()}/{{nb}}", align="C")

        self.paper = paper
        self.pdf: FPDF = Document(format="A4")
        pdf = self.pdf
        pdf.set_margins(MARGIN, 12, MARGIN)
        pdf.set_auto_page_break(True, margin=14)
        pdf.add_font("Sans", "", FONTS / "DejaVuSansCondensed.ttf")
        pdf.add_font("Sans", "B", FONTS / "DejaVuSansCondensed-Bold.ttf")
        pdf.set_title(paper.title)
        pdf.set_lang(paper.language)
        pdf.set_creator("BidFlux")
        pdf.set_creation_date(paper.at)
        pdf.add_page()

    def finished(self) -> bytes:
        self._head()
        paper, pdf = self.paper, self.pdf
        top = pdf.get_y()
        left, right = (sum(self._height(block, COLUMN) for block in side) for side in (paper.left, paper.right))
        if top + max(left, right) <= pdf.h - 14:
            ends = []
            for n, side in enumerate((paper.left, paper.right)):
                pdf.set_y(top)
                self._column(side, MARGIN + n * (COLUMN + GUTTER), COLUMN)
                ends.append(pdf.get_y())
            pdf.set_y(max(ends))
        else:
            self._column([*paper.left, *paper.right], MARGIN, WIDTH)
        for block in paper.proof:
            self._block(block, MARGIN, WIDTH, small=True)
        for name, content in paper.files.items():
            pdf.embed_file(basename=name, bytes=content, mime_type="application/json", desc=name)
        return bytes(pdf.output())

    def _head(self) -> None:
        pdf, paper, width = self.pdf, self.paper, WIDTH - MARK - GUTTER
        self._font(8, soft=True)
        pdf.multi_cell(width, 4, paper.lead, new_x="LMARGIN", new_y="NEXT")
        self._font(15, bold=True)
        pdf.multi_cell(width, 7, paper.title, new_x="LMARGIN", new_y="NEXT")
        self._font(20, bold=True)
        pdf.multi_cell(width, 10, paper.amount, new_x="LMARGIN", new_y="NEXT")
        for label, value in paper.about:
            self._row(label, value, MARGIN, width, SIZE)
        end = pdf.get_y()
        self._mark(MARGIN + WIDTH - MARK, 12)
        pdf.set_y(max(end, pdf.get_y()) + 1)

    def _mark(self, x: float, y: float) -> None:
        """The QR code, and under it what it is for."""
        import segno

        pdf, matrix = self.pdf, segno.make(self.paper.check_url, error="m", micro=False).matrix
        size = MARK / len(matrix)
        pdf.set_fill_color(*INK)
        for line, modules in enumerate(matrix):
            for place, dark in enumerate(modules):
                if dark:
                    pdf.rect(x + place * size, y + line * size, size, size, style="F")
        pdf.link(x, y, MARK, MARK, self.paper.check_url)
        pdf.set_xy(x - 4, y + MARK + 1)
        self._font(6.5, soft=True)
        pdf.multi_cell(MARK + 8, 3, self.paper.check_hint, align="C")

    def _column(self, blocks: Iterable[Block], x: float, width: float) -> None:
        for block in blocks:
            self._block(block, x, width)

    def _height(self, block: Block, width: float) -> float:
        """What `_block` takes on a page that has room for it."""
        height = SPACE + RULE + TITLE * self._lines(block.title, width, SIZE + 1, bold=True)
        height += sum(max(self._row_heights(label, value, width, SIZE)) for label, value in block.rows)
        height += PICTURE + 1 if block.image else 0
        return height + (LEADING * SIZE * self._lines(block.text, width, SIZE) if block.text else 0)

    def _block(self, block: Block, x: float, width: float, *, small: bool = False) -> None:
        pdf, size = self.pdf, SMALL if small else SIZE
        pdf.set_xy(x, pdf.get_y() + SPACE)
        if pdf.auto_page_break and pdf.will_page_break(12):
            pdf.add_page()
            pdf.set_x(x)
        self._font(size + 1, bold=True)
        pdf.multi_cell(width, TITLE, block.title, new_x="LEFT", new_y="NEXT")
        pdf.set_draw_color(*LINE)
        pdf.line(x, pdf.get_y(), x + width, pdf.get_y())
        pdf.set_y(pdf.get_y() + RULE)
        for label, value in block.rows:
            self._row(label, value, x, width, size)
        if block.image:
            self._image(block.image, x, width)
        if block.text:
            self._font(size, soft=small)
            pdf.set_x(x)
            pdf.multi_cell(width, LEADING * size, block.text, align="L", new_x="LEFT", new_y="NEXT")

    def _row(self, label: str, value: str, x: float, width: float, size: float) -> None:
        """Label and value beside each other; the taller one decides where the next row begins."""
        pdf, height, share = self.pdf, ROW * size, _share(width)
        labels, values = self._row_heights(label, value, width, size)
        if pdf.auto_page_break and max(labels, values) < 60 and pdf.will_page_break(max(labels, values)):
            pdf.add_page()
        top, page = pdf.get_y(), pdf.page
        self._font(size, soft=True)
        pdf.set_x(x)
        pdf.multi_cell(share - 2, height, label, align="L")
        pdf.page = page
        pdf.set_xy(x + share, top)
        self._font(size)
        pdf.multi_cell(width - share, height, value, align="L", new_x="LMARGIN", new_y="NEXT")
        if pdf.page == page:
            pdf.set_y(max(top + labels, pdf.get_y()))

    def _row_heights(self, label: str, value: str, width: float, size: float) -> tuple[float, float]:
        share = _share(width)
        lines = self._lines(label, share - 2, size), self._lines(value, width - share, size)
        return lines[0] * ROW * size, lines[1] * ROW * size

    def _lines(self, text: str, width: float, size: float, *, bold: bool = False) -> int:
        self._font(size, bold=bold)
        return len(cast("list[str]", self.pdf.multi_cell(width, 1, text, dry_run=True, output="LINES")))

    def _image(self, image: bytes, x: float, width: float) -> None:
        pdf, box = self.pdf, PICTURE
        if pdf.auto_page_break and pdf.will_page_break(box):
            pdf.add_page()
        top = pdf.get_y()
        pdf.image(BytesIO(image), x, top, min(width, COLUMN), box, keep_aspect_ratio=True)
        pdf.set_y(top + box + 1)

    def _font(self, size: float, *, bold: bool = False, soft: bool = False) -> None:
        self.pdf.set_font("Sans", "B" if bold else "", size)
        self.pdf.set_text_color(*(SOFT if soft else INK))


def _share(width: float) -> float:
    """The part of a row that its label has."""
    return min(LABEL, width * 0.42)
