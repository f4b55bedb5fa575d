"""Each requirement of the OWASP ASVS 5.0.0 has one answer, and what the answer names exists."""

from __future__ import annotations

import ast
import re
from collections import Counter
from functools import lru_cache
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT

SECURITY = ROOT / "docs" / "security"
ID = re.compile(r"^V(\d+)\.(\d+)\.(\d+):$", re.M)
# How many requirements of level 1 and of level 2 each chapter of the standard has: 70 and 183 in all.
OF_CHAPTER = {
    1: (8, 19), 2: (4, 7), 3: (8, 11), 4: (2, 8), 5: (4, 5), 6: (13, 22), 7: (6, 12), 8: (4, 3), 9: (4, 3),
    10: (5, 24), 11: (3, 11), 12: (3, 6), 13: (1, 12), 14: (2, 7), 15: (3, 10), 16: (0, 16), 17: (0, 7),
}  # fmt: skip


@pytest.fixture(scope="module")
def answers() -> dict[str, dict[str, Any]]:
    return yaml.safe_load((SECURITY / "asvs.yml").read_text(encoding="utf-8"))  # type: ignore[no-any-return]


@lru_cache
def running_in(path: str) -> frozenset[str]:
    """The names of a file's tests, those of classes as `Class::test`, but for those that are always skipped."""
    found = set()
    for node in ast.parse((ROOT / path).read_text(encoding="utf-8")).body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        within = f"{node.name}::" if isinstance(node, ast.ClassDef) else ""
        for one in inside:
            if isinstance(one, ast.FunctionDef) and one.name.startswith("test_"):
                marks = {ast.unparse(mark).partition("(")[0] for mark in one.decorator_list}
                if "pytest.mark.skip" not in marks:
                    found.add(within + one.name)
    return frozenset(found)


@lru_cache
def headings_of(path: str) -> frozenset[str]:
    """The anchors of a page, as GitHub makes them."""
    lines = re.findall(r"^#+ (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.M)
    return frozenset(re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines)


def test_each_requirement_is_answered_once(answers: dict[str, dict[str, Any]]) -> None:
    written = [f"V{'.'.join(one)}" for one in ID.findall((SECURITY / "asvs.yml").read_text(encoding="utf-8"))]
    assert written == list(answers), "a key twice, or one that is no requirement's"
    assert written == sorted(written, key=lambda one: [int(part) for part in one[1:].split(".")])
    counted = Counter((int(one[1:].split(".")[0]), answer["level"]) for one, answer in answers.items())
    assert {chapter: (counted[chapter, 1], counted[chapter, 2]) for chapter, _level in counted} == OF_CHAPTER
    for one, answer in answers.items():
        kinds = answer.keys() - {"level"}
        assert kinds and kinds <= {"test", "document", "not_applicable", "open"}, one
        assert "not_applicable" not in kinds or len(kinds) == 1, f"{one}: it applies or it does not"
        for kind in kinds & {"not_applicable", "open"}:
            assert isinstance(answer[kind], str) and len(answer[kind]) > 10, f"{one}: why?"
        for kind in kinds & {"test", "document"}:
            assert answer[kind] and len(set(answer[kind])) == len(answer[kind]), one


def test_named_tests_exist_and_run(answers: dict[str, dict[str, Any]]) -> None:
    for one, answer in answers.items():
        for name in answer.get("test", ()):
            path, _, test = name.partition("::")
            assert re.fullmatch(r"tests/[\w/]+/test_\w+\.py", path), (one, name)
            assert (ROOT / path).is_file() and test in running_in(path), f"{one}: {name} is gone; what shows it now?"


def test_named_documents_have_their_headings(answers: dict[str, dict[str, Any]]) -> None:
    for one, answer in answers.items():
        for name in answer.get("document", ()):
            path, _, heading = name.partition("#")
            assert (ROOT / path).is_file() and heading in headings_of(path), f"{one}: {name} is gone"


def test_the_page_lists_what_is_open_and_counts_the_rest(answers: dict[str, dict[str, Any]]) -> None:
    page = (SECURITY / "asvs.md").read_text(encoding="utf-8")
    opened = [one for one, answer in answers.items() if "open" in answer]
    listed = re.findall(r"\bV\d+\.\d+\.\d+\b", page)
    assert sorted(listed) == sorted(opened), set(listed) ^ set(opened)
    counted: Counter[tuple[str, int]] = Counter()
    for answer in answers.values():
        shown = next((kind for kind in ("not_applicable", "test", "document") if kind in answer), "")
        counted[(f"partly {shown}" if shown else "open") if "open" in answer else shown, answer["level"]] += 1
    rows = {
        "a test": ("test",),
        "a document": ("document",),
        "does not apply": ("not_applicable",),
        "partly open": ("partly test", "partly document"),
        "open": ("open",),
    }
    for name, kinds in rows.items():
        first, second = (sum(counted[kind, level] for kind in kinds) for level in (1, 2))
        assert f"| {name} | {first} | {second} |" in page, f"| {name} | {first} | {second} |"
