"""The script reads an amount as the server does: one table of spellings holds both."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import Browser

from app.core.formats import STATIC
from tests.patterns import ROOT

CASES = json.loads((Path(ROOT) / "tests/core/amounts.json").read_text(encoding="utf-8"))


def test_the_script_reads_every_spelling_as_the_table_says(browser: Browser) -> None:
    source = (STATIC / "js" / "buyer.js").read_text(encoding="utf-8")
    reader = source[source.index("  function readAmount") : source.index("  function showAmount")]
    page = browser.new_page()
    read = page.evaluate(f"(all) => {{ {reader}; return all.map(readAmount); }}", [case["typed"] for case in CASES])
    page.close()
    for case, said in zip(CASES, read, strict=True):
        if case["minor"] is None:
            assert said is None, case
            continue
        assert said is not None, case
        assert (round(said["value"] * 100), said["currency"] or None) == (case["minor"], case.get("currency")), case
        assert bool(said["other"] or said["odd"]) == case.get("doubtful", False), case
