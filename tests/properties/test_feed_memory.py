"""Feeds that are large or hostile: read in a real process, whose memory is looked at."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys

import pytest

from app.integrations.door import Answer
from app.services.csv_rows import COLUMNS, RECORD, NotCsv, rows_of
from app.services.feed_sources import PAGE_PARTS, Bounds, Broken, Source, _get

MEMORY = """
import sys
from app.integrations.door import Door
from app.services.feed_sources import Broken, Source, pages
kind, size = sys.argv[1], int(sys.argv[2])
line = b"A%d;Apartament cu 2 camere;" + b"text " * 80 + b";85000\\n"
if kind == "rows":
    body = b"cod;nume;descriere;pret\\n" + line * (size // len(line))
elif kind == "short":
    body = b"a;b\\n" + b"1;2\\n" * (size // 4)
elif kind == "commas":
    body = b"a;b\\n" + b";" * size
elif kind == "quoted":
    body = b'a;b\\n' + b'"\\n";' * (size // 4)
def most():  # of this program alone: what getrusage says begins with the process that started it
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))) // 1024
before = most()
seen, code = 0, ""
try:
    for page in pages(Source("csv", file=body), Door()):
        seen += len(page)
except Broken as broken:
    code = broken.code
print(seen, code, most() - before)
"""
MB = 1024 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("kind", "rows", "code"),
    [("rows", 40_000, ""), ("short", 50_000, "rows"), ("commas", 0, "file"), ("quoted", 0, "file")],
)
def test_twenty_megabytes_of_csv_take_few_more(kind: str, rows: int, code: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, kind, str(20 * MB)], capture_output=True, text=True, check=True, timeout=120
    )
    words = run.stdout.split()
    seen, said, grown = int(words[0]), words[1] if len(words) == 3 else "", int(words[-1])
    assert said == code and seen >= rows
    assert grown < 60


@pytest.mark.parametrize(
    "body",
    [
        b"a," + b"x" * RECORD,
        b"a,b\n" + b"x" * (RECORD + 1),
        b'a,b\n"' + b"x\n" * RECORD,
        b'a,b\n"open',
        b",".join(b"c%d" % n for n in range(COLUMNS + 1)) + b"\n",
        b"a,a\n1,2\n",
        b"",
    ],
    ids=["long names", "long row", "never closed", "cut off", "columns", "twice", "empty"],
)
def test_what_is_no_csv_is_given_up_soon(body: bytes) -> None:
    with pytest.raises(NotCsv):
        list(rows_of(body))


def test_windows_1250_and_a_mark_of_order_are_read() -> None:
    assert list(rows_of("nume;oraș\nCasă;Iași\n".replace("ș", "ş").encode("cp1250"))) == [
        {"nume": "Casă", "oraş": "Iaşi"}
    ]
    assert list(rows_of("\ufeffa\tb\n1\t2\n".encode())) == [{"a": "1", "b": "2"}]


def test_a_page_of_very_many_values_is_refused_unread() -> None:
    class Says:
        def call(self, *_: object, **__: object) -> object:
            return Answer(200, {}, b"[" + b"[]," * PAGE_PARTS + b"[]]", True, 0.0)

    with pytest.raises(Broken, match="large"):
        _get(Source("json", "https://crm.example/"), "https://crm.example/", Says(), Bounds())  # type: ignore[arg-type]


def test_compressed_pages_are_not_opened() -> None:
    class Bomb:
        def call(self, *_: object, **__: object) -> object:
            return Answer(200, {"content-encoding": "gzip"}, gzip.compress(json.dumps([1]).encode()), True, 0.0)

    with pytest.raises(Broken, match="not_json"):
        _get(Source("json", "https://crm.example/"), "https://crm.example/", Bomb(), Bounds())  # type: ignore[arg-type]
