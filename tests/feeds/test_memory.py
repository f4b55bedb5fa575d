"""Feeds that are large or hostile: read in a real process, whose memory is looked at."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import zlib
from typing import Any

import pytest

from app.feeds import inflating
from app.feeds.sources import PAGE_BYTES, PAGE_PARTS, Bounds, BrokenFeed, Source, _following, _get
from app.outbound.http_client import HttpAnswer

MEMORY = """
import sys
from app.outbound.http_client import HttpClient
from app.feeds.sources import BrokenFeed, Source, pages
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
    for page in pages(Source("csv", file=body), HttpClient()):
        seen += len(page)
except BrokenFeed as broken:
    code = broken.code
print(seen, code, most() - before)
"""
MB = 1024 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize(
    ("kind", "rows", "code"),
    [("rows", 40_000, ""), ("short", 50_000, "rows"), ("commas", 0, "file"), ("quoted", 50_000, "rows")],
)
def test_twenty_megabytes_of_csv_take_few_more(kind: str, rows: int, code: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", MEMORY, kind, str(20 * MB)], capture_output=True, text=True, check=True, timeout=120
    )
    words = run.stdout.split()
    seen, said, grown = int(words[0]), words[1] if len(words) == 3 else "", int(words[-1])
    assert said == code and seen >= rows
    assert grown < 60


def test_a_page_of_very_many_values_is_refused_unread() -> None:
    with pytest.raises(BrokenFeed, match="large"):
        got(Says(b"[" + b"[]," * PAGE_PARTS + b"[]]"))


def test_pages_without_rows_are_weighed_too() -> None:
    """A thousand of them, each under its own bound, were eight gigabytes."""
    says, read = Says(b'{"objects":[],"next":"?%d"}' + b" " * 9_900), 0
    bounds = Bounds(size=50_000)
    with pytest.raises(BrokenFeed, match="large"):
        for read in range(1, 1000):
            _get(Source("json", "https://crm.example/"), f"https://crm.example/?{read}", says, bounds)  # type: ignore[arg-type]
    assert read == 6


class Says:
    """A server that gives one answer."""

    def __init__(self, body: bytes, coding: str = "") -> None:
        self.body, self.coding = body, coding

    def call(self, *_: object, **__: object) -> HttpAnswer:
        return HttpAnswer(200, {"content-encoding": self.coding} if self.coding else {}, self.body, True, 0.0)


def got(says: Says) -> object:
    return _get(Source("json", "https://crm.example/"), "https://crm.example/", says, Bounds())  # type: ignore[arg-type]


SAID = json.dumps([{"id": 1}]).encode()
RAW = zlib.compressobj(wbits=-15)


@pytest.mark.parametrize(
    ("body", "coding"),
    [
        (gzip.compress(SAID), "gzip"),
        (gzip.compress(SAID), "x-GZIP"),
        (gzip.compress(SAID), ""),  # a file that was packed, handed out as it is
        (gzip.compress(gzip.compress(SAID)), "gzip"),
        (gzip.compress(zlib.compress(SAID)), "deflate, gzip"),
        (zlib.compress(SAID), "deflate"),
        (RAW.compress(SAID) + RAW.flush(), "deflate"),
        (gzip.compress(SAID[:4]) + gzip.compress(SAID[4:]), "gzip"),
        (SAID, "identity"),
    ],
)
def test_what_is_compressed_unasked_is_opened(body: bytes, coding: str) -> None:
    assert got(Says(body, coding)) == [{"id": 1}]


@pytest.mark.parametrize(
    ("body", "coding", "code"),
    [
        (SAID, "br", "encoding"),
        (SAID, "gzip", "encoding"),
        (SAID, "deflate", "encoding"),
        (gzip.compress(SAID)[:-9], "gzip", "encoding"),
        (gzip.compress(SAID) + b"more", "gzip", "encoding"),
        (gzip.compress(b"[" + b" " * PAGE_BYTES + b"]"), "gzip", "large"),
        (gzip.compress(gzip.compress(b" " * 10 * PAGE_BYTES)), "gzip", "large"),
        (gzip.compress(b" " * PAGE_BYTES) * 2, "gzip", "large"),
        (zlib.compress(b" " * 10 * PAGE_BYTES), "deflate", "large"),
        (gzip.compress(b"[" + b"[]," * PAGE_PARTS + b"[]]"), "gzip", "large"),
    ],
)
def test_what_cannot_be_opened_or_grows_too_large_says_so(body: bytes, coding: str, code: str) -> None:
    with pytest.raises(BrokenFeed, match=code):
        got(Says(body, coding))


@pytest.mark.parametrize(
    ("first", "following", "called"),
    [
        ("https://crm.example/a", "http://crm.example/a?page=2", "https://crm.example/a?page=2"),
        ("https://crm.example/a", "http://crm.example:80/b", "https://crm.example/b"),
        ("https://crm.example:443/a", "http://CRM.example/b", "https://crm.example/b"),
        ("https://crm.example:8443/a", "http://crm.example:8443/b", "https://crm.example:8443/b"),
        ("http://crm.example/a", "https://crm.example/b", "https://crm.example/b"),
        ("http://crm.example/a", "http://crm.example/b", "http://crm.example/b"),
        ("https://[2a00::1]/a", "http://[2a00::1]/b", "https://[2a00::1]/b"),
        ("https://crm.example/a", "http://other.example/b", None),
        ("https://crm.example/a", "http://crm.example:8080/b", None),
        ("https://crm.example/a", "https://me@crm.example/b", None),
        ("https://crm.example/a", "https://crm.example.other/b", None),
        ("https://crm.example/a", "ftp://crm.example/b", None),
        ("https://crm.example/a", "https://crm.example:99999/b", None),
        ("https://crm.example/a", "javascript:alert(1)", None),
    ],
)
def test_the_next_page_is_never_less_encrypted_nor_elsewhere(first: str, following: str, called: str | None) -> None:
    if called is None:
        with pytest.raises(BrokenFeed, match="next"):
            _following(first, following)
    else:
        assert _following(first, following) == called


def test_a_file_of_many_packed_members_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """zlib copies all it was given that stands behind a member's end: of 8 MB, once for each of 400,000 members."""
    given, opener = [0], zlib.decompressobj

    class Counting:
        def __init__(self, bits: int) -> None:
            self.real = opener(bits)

        def decompress(self, part: bytes, most: int) -> bytes:
            given[0] += len(part)
            return self.real.decompress(part, most)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

    monkeypatch.setattr(inflating.zlib, "decompressobj", Counting)
    empty = gzip.compress(b"")
    assert inflating.gunzip(empty * inflating.MEMBERS, 10) == b""
    assert given[0] <= inflating.MEMBERS * inflating.STEP
    given[0] = 0
    with pytest.raises(inflating.TooLarge):
        inflating.gunzip(empty * 400_000, PAGE_BYTES)
    assert given[0] <= inflating.MEMBERS * inflating.STEP
    rows = [f"{number};Casă\n".encode() for number in range(50)]
    assert inflating.gunzip(b"".join(map(gzip.compress, rows)), 10_000) == b"".join(rows)
