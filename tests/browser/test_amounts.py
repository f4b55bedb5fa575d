"""The script reads and writes an amount as the server does: one table of spellings holds both, and spellings put
together at random."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from app.core.formats import STATIC
from app.core.money import Money, NotMoney, read_amount, show
from tests.patterns import ROOT

CASES = json.loads((Path(ROOT) / "tests/core/amounts.json").read_text(encoding="utf-8"))
PIECES = [
    "1", "12", "125", "250", "000", "00", "0", "5", "99", ".", ",", "'", " ", "\u00a0", "’", "-", ",-", ".-", " lei",
    " RON", "€", "EUR ", "euro", " mii", " mil", " milioane", "k", "m", " de", " noi", " $", "x", "½", "٣", "．", "，",
]  # fmt: skip


@pytest.fixture
def script(browser: Browser) -> Iterator[Callable[[str, list[Any]], list[Any]]]:
    """Runs the functions of the buyer's script over a list."""
    source = (STATIC / "js" / "buyer.js").read_text(encoding="utf-8")
    functions = source[source.index("  function readAmount") : source.index("  function echo")]
    page = browser.new_page()
    yield lambda each, values: page.evaluate(f"(all) => {{ var lang; {functions}; return all.map({each}); }}", values)
    page.close()


def read_by(script: Callable[[str, list[Any]], list[Any]], texts: list[str]) -> list[dict[str, Any] | None]:
    """As the table writes it: None for what is no amount."""
    found = script("readAmount", texts)
    return [
        said
        and {
            "minor": round(said["value"] * 100),
            "other": round(said["other"] * 100) or None,
            "currency": said["currency"] or None,
            "doubtful": bool(said["other"] or said["odd"]),
        }
        for said in found
    ]


def read_by_server(text: str) -> dict[str, Any] | None:
    try:
        read = read_amount(text)
    except NotMoney:
        return None
    return {"minor": read.minor, "other": read.other, "currency": read.currency, "doubtful": read.doubtful}


def test_the_script_reads_every_spelling_as_the_table_says(
    script: Callable[[str, list[Any]], list[Any]],
) -> None:
    for case, said in zip(CASES, read_by(script, [case["typed"] for case in CASES]), strict=True):
        if case["minor"] is None:
            assert said is None, case
            continue
        usual = {"other": None, "currency": None, "doubtful": False}
        assert said == {name: value for name, value in (usual | case).items() if name != "typed"}, case


def test_the_script_reads_what_nobody_thought_of_as_the_server_does(
    script: Callable[[str, list[Any]], list[Any]],
) -> None:
    chance = random.Random(125_000)  # the same spellings each time
    texts = ["".join(chance.choices(PIECES, k=chance.randint(1, 6))) for _ in range(4000)]
    read = read_by(script, texts)
    assert sum(said is not None for said in read) > 300
    for text, said in zip(texts, read, strict=True):
        assert said == read_by_server(text), text


def test_the_script_shows_an_amount_as_the_server_does(script: Callable[[str, list[Any]], list[Any]]) -> None:
    amounts = [
        (minor, language)
        for minor in (0, 5, 50, 99, 100, 99_999, 100_000, 12_500_050, 10**13)
        for language in ("ro", "en")
    ]
    shown = script("a => (lang = a[1], showAmount(a[0] / 100, 'EUR'))", [list(amount) for amount in amounts])
    assert shown == [show(Money(minor, "EUR"), language) for minor, language in amounts]
