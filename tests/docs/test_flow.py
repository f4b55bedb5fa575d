"""Every file and function that the guides name exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import ROOT

FLOW = (ROOT / "docs" / "flow.md").read_text()
NAMED = re.findall(r"^\|[^|]*\|[^|]*\| `([\w/.]+)` \|([^|]*)\|$", FLOW, re.M)


@cache
def names_in(path: str) -> set[str]:
    """Functions, classes and methods of a file, a method as `Class.method`."""
    names = set()
    for node in ast.parse((ROOT / path).read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return names


def test_the_flow_names_a_file_in_each_row() -> None:
    rows = [line for line in FLOW.splitlines() if re.match(r"\| *\d* *\|", line)]
    assert len(rows) == len(NAMED) > 30


@pytest.mark.parametrize(("path", "functions"), NAMED)
def test_what_the_flow_names_exists(path: str, functions: str) -> None:
    named = re.findall(r"`([\w.]+)`", functions)
    assert named
    assert set(named) <= names_in(path), f"docs/flow.md: {set(named) - names_in(path)} not in {path}"


def test_the_steps_are_numbered_through() -> None:
    numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", FLOW, re.M)]
    assert numbers == list(range(1, len(numbers) + 1))


GUIDES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.name)
def test_every_file_that_a_guide_names_exists(page: Path) -> None:
    paths = re.findall(r"`((?:app|tests|tools|migrations|docs)/[\w/.-]*)`", page.read_text())
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_the_recipes_are_all_there() -> None:
    text = (ROOT / "docs" / "contributors.md").read_text()
    for what in ("a field", "a mail", "a webhook type", "a page", "a setting", "a language", "a table"):
        assert f"\n## To add {what}" in text


def test_the_glossary_has_each_word_once_in_both_languages() -> None:
    text = (ROOT / "docs" / "contributors.md").read_text().split("## Glossary")[1]
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", text, re.M)
    words = [row[0] for row in rows if row[0] != "English" and not row[0].startswith("-")]
    assert len(words) == len(set(words)) > 100
