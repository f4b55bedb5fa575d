"""A workbook (ECMA-376, SpreadsheetML) of one sheet, written as it is sent.

Libraries that write large workbooks in little memory put the rows into temporary files first, and no temporary file
holds what is personal (docs/decisions/0010-workbook.md). Text is written as inline strings: never a formula.
"""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date

AT_ONCE = 200
EPOCH = date(1899, 12, 30)  # day 0 of spreadsheets, as everything from March 1900 on counts it
# Whatever may not stand in a cell as it is.
_ODD = re.compile("[<>&_\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ESCAPE_LIKE = re.compile("_(?=x[0-9A-Fa-f]{4}_)")
MOST_TEXT = 32_767  # characters in a cell


# Positions in `cellXfs` below.
_STYLES = {"whole": 0, "head": 1, "money": 2, "percent": 3, "day": 4, "moment": 5}
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_PARTS = {
    "[Content_Types].xml": f'<Types xmlns="{_PACKAGE}/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.styles+xml"/></Types>',
    "_rels/.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_RELATIONS}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}/relationships">'
    f'<Relationship Id="rId1" Type="{_RELATIONS}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_RELATIONS}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet xmlns="{_MAIN}"><numFmts count="2">'
    '<numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/><numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm"/>'
    '</numFmts><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '</fills><borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="6">'
    '<xf xfId="0"/><xf fontId="1" applyFont="1" xfId="0"/>'
    + "".join(f'<xf numFmtId="{n}" applyNumberFormat="1" xfId="0"/>' for n in (4, 10, 164, 165))
    + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>',
}


def workbook(title: str, head: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """The file in pieces; cells are made by the functions below. Memory does not grow with the rows, and nothing of
    them is kept anywhere else."""
    out = _Outgoing()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as file:
        for name, text in _PARTS.items():
            file.writestr(name, _XML + text)
        name = html.escape(re.sub(r"[\[\]:*?/\\]", " ", title)[:31])
        sheets = f'<sheets><sheet name="{name}" sheetId="1" r:id="rId1"/></sheets>'
        file.writestr("xl/workbook.xml", f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}">{sheets}</workbook>')
        with file.open("xl/worksheets/sheet1.xml", "w") as sheet:
            sheet.write((_XML + _opening(head, widths)).encode())
            yield out.taken()
            cells: list[str] = []
            for row in rows:
                cells.append(f"<row>{''.join(row)}</row>")
                if len(cells) == AT_ONCE:
                    sheet.write("".join(cells).encode())
                    cells.clear()
                    yield out.taken()
            sheet.write(("".join(cells) + "</sheetData></worksheet>").encode())
    yield out.taken()


def _opening(head: Sequence[str], widths: Sequence[int]) -> str:
    pane = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    columns = "".join(f'<col min="{n}" max="{n}" width="{w}" customWidth="1"/>' for n, w in enumerate(widths, 1))
    cells = "".join(text_cell(text, f' s="{_STYLES["head"]}"') for text in head)
    views = f'<sheetViews><sheetView workbookViewId="0">{pane}</sheetView></sheetViews>'
    return f'<worksheet xmlns="{_MAIN}">{views}<cols>{columns}</cols><sheetData><row>{cells}</row>'


NOTHING = "<c/>"


def text_cell(value: str, style: str = "") -> str:
    if not value:
        return NOTHING
    if _ODD.search(value) or len(value) > MOST_TEXT:
        value = html.escape(_ESCAPE_LIKE.sub("_x005F_", _NO_XML.sub("", value)[:MOST_TEXT]), quote=False)
    return f'<c t="inlineStr"{style}><is><t xml:space="preserve">{value}</t></is></c>'


def number_cell(digits: str, shown: str) -> str:
    """Digits as they stand in the file, shown as `money`, `percent` or `whole`."""
    return f'<c s="{_STYLES[shown]}"><v>{digits}</v></c>'


def moment_cell(day: date, seconds: int) -> str:
    """A local time, so far into its day, without a zone: workbooks know none."""
    return f'<c s="{_STYLES["moment"]}"><v>{(day - EPOCH).days + seconds / 86_400:.8f}</v></c>'


def day_cell(day: date) -> str:
    return f'<c s="{_STYLES["day"]}"><v>{(day - EPOCH).days}</v></c>'


class _Outgoing(io.RawIOBase):
    """What the archive has written and nobody has taken yet. It cannot be sought in, as a stream cannot."""

    def __init__(self) -> None:
        self._held = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # of buffers only bytes are ever written
        self._held += data
        return len(data)

    def taken(self) -> bytes:
        data = bytes(self._held)
        self._held.clear()
        return data
