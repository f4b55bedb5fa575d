"""How a receipt looks: two columns on one page where everything fits, else one column over several.

Knows nothing of offers: it draws the words it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from app.proof.pdf.sheet import COLUMN, GUTTER, INK, MARGIN, SIZE, SMALL, WIDTH, Sheet, SheetBlock

MARK = 26.0  # the QR code's edge, in millimetres


@dataclass(frozen=True, slots=True)
class ReceiptContent:
    """Everything that stands on a receipt, in the reader's language, and the files that travel in it."""

    language: str
    title: str
    lead: str
    amount: str
    about: Sequence[tuple[str, str]]
    left: Sequence[SheetBlock]
    right: Sequence[SheetBlock]
    proof: Sequence[SheetBlock]
    foot: str
    page_word: str
    check_url: str
    check_hint: str
    lacking: str
    at: datetime
    files: dict[str, bytes]


def draw(paper: ReceiptContent) -> bytes:
    """The document, not yet sealed."""
    sheet = Sheet(title=paper.title, language=paper.language, foot=paper.foot, page_word=paper.page_word, at=paper.at)
    pdf = sheet.pdf
    _head(sheet, paper)
    top = pdf.get_y()
    left, right = (sum(sheet.height(block, COLUMN) for block in side) for side in (paper.left, paper.right))
    if top + max(left, right) <= pdf.h - 14:
        ends = []
        for n, side in enumerate((paper.left, paper.right)):
            pdf.set_y(top)
            sheet.column(side, MARGIN + n * (COLUMN + GUTTER), COLUMN)
            ends.append(pdf.get_y())
        pdf.set_y(max(ends))
    else:
        sheet.column([*paper.left, *paper.right])
    for block in paper.proof:
        sheet.block(block, MARGIN, WIDTH, small=True)
    if sheet.lacking:
        sheet.line(paper.lacking, SMALL, 4)
    for name, content in paper.files.items():
        pdf.embed_file(basename=name, bytes=content, mime_type="application/json", desc=name)
    return bytes(pdf.output())


def _head(sheet: Sheet, paper: ReceiptContent) -> None:
    pdf, width = sheet.pdf, WIDTH - MARK - GUTTER
    sheet.line(paper.lead, SIZE, 4, width)
    sheet.line(paper.title, 15, 7, width, bold=True, tag="H1")
    sheet.line(paper.amount, 20, 10, width, bold=True)
    for label, value in paper.about:
        sheet.row(label, value, MARGIN, width, SIZE)
    end = pdf.get_y()
    _mark(sheet, paper, MARGIN + WIDTH - MARK, 12)
    pdf.set_y(max(end, pdf.get_y()) + 1)


def _mark(sheet: Sheet, paper: ReceiptContent, x: float, y: float) -> None:
    """The QR code, and under it what it is for."""
    import segno

    pdf, matrix = sheet.pdf, segno.make(paper.check_url, error="m", micro=False).matrix
    size = MARK / len(matrix)
    pdf.set_fill_color(*INK)
    with sheet.tagged("Figure", f"QR: {paper.check_url}"):
        for line, modules in enumerate(matrix):
            for place, dark in enumerate(modules):
                if dark:
                    pdf.rect(x + place * size, y + line * size, size, size, style="F")
    pdf.link(x, y, MARK, MARK, paper.check_url)
    pdf.set_xy(x - 4, y + MARK + 1)
    sheet.font(SMALL, soft=True)
    with sheet.tagged("P"):
        pdf.multi_cell(MARK + 8, 3, paper.check_hint, align="C")
