"""No pattern and no reader takes long over a text that was made to keep it: each is tried with its own worst."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from app.core.clock import now
from app.core.contacts import read_email, read_phone, show_phone
from app.core.days import read_day
from app.core.logs import without_tokens
from app.core.money import from_decimal_text, read_amount
from app.core.numbers import decimal, json_number, whole
from app.core.strict_json import read_json
from app.core.typed_numbers import read_days, read_quantity
from app.core.values import Clean, Named, OneLine, Seen
from app.delivery.retry import next_try
from app.feeds.sources import BrokenFeed, Source, pages
from app.offers import reading
from app.offers.document import fold
from app.offers.exports.writing import harmless
from app.offers.list import search
from app.offers.list.order import Cursor
from app.outbound.http_client import HttpClient
from tests.patterns import ROOT, SECONDS, Used, hostile, slow, uses

LONG = 100_000
READERS: dict[str, Callable[[str], Any]] = {
    "amount": read_amount,
    "decimal amount": from_decimal_text,
    "number": whole,
    "decimal": decimal,
    "number in JSON": json_number,
    "e-mail": read_email,
    "phone": read_phone,
    "phone shown": show_phone,
    "days": lambda text: read_days(text, 3650),
    "quantity": lambda text: read_quantity(text, {"mp": 1}),
    "date": read_day,
    "percent": reading._percent,
    "unseen": reading.unseen_removed,
    "name": fold,
    "clean": Clean._check,
    "line": OneLine._check,
    "seen": Seen._check,
    "named": Named._check,
    "log": without_tokens,
    "cell": harmless,
    "cursor": lambda text: Cursor.read(text, "amount"),
    "search": lambda text: search._NUMBER.sub("", text),
    "retry-after": lambda text: next_try("webhook", now(), now(), 1, retry_after=text),
    "json": lambda text: read_json(text.encode()),
    "csv": lambda text: list(pages(Source("csv", file=text.encode()), HttpClient())),
}
ENDLESS = [
    *(
        one * (LONG // len(one))
        for one in ("1", " ", "a", "0", "-", "=", "\n", "\t", '"', "[", "{", "'", ".", "@", "€")
    ),
    *(one * (LONG // len(one)) for one in ("1 ", "1.", "125.", "a@", "a.", "+4", "1/", ";=", "[1,", '{"a":', "\u2009")),
    "1" + " " * LONG + "x",
    "1e" + "9" * LONG,
    "1e999999999",
    "0." + "0" * LONG + "1",
    "2026-12-31" + "T" * LONG,
    "Mon, 01 Jan 2024 00:00:00 +" + "9" * LONG,
    "a" * LONG + "@" + "b." * 200 + "ro",
]


def test_every_pattern_comes_to_an_end_over_its_own_repeats() -> None:
    tried = subprocess.run(  # our own module, in a process that can be ended
        [sys.executable, "-m", "tests.patterns"], cwd=ROOT, capture_output=True, text=True, timeout=500, check=False
    )
    assert (tried.returncode, tried.stdout) == (0, ""), tried.stdout + tried.stderr


@pytest.mark.parametrize(
    "bad",
    [r"(?i)^(?:€|eur)?\s*(.*?)\s*(?:€|eur)?$", r"(a+)+$", r"x*x*y", r"\s+$", r"[;,\n]\s*="],
)
def test_the_search_for_bad_patterns_finds_them(bad: str) -> None:
    used = Used("here", re.compile(bad), anywhere=True)
    assert any(slow(partial(uses(used), text), SECONDS) for text in hostile(used.pattern))


@pytest.mark.parametrize("name", READERS)
def test_every_reader_comes_to_an_end(name: str) -> None:
    def read_all() -> None:
        for text in ENDLESS:
            try:
                READERS[name](text)
            except (ValueError, BrokenFeed):
                pass

    assert not slow(read_all, 20)
