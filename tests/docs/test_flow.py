"""Every file and function that the guides for contributors name exists."""

from __future__ import annotations

import ast
import re
from functools import cache

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
