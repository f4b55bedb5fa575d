"""Calls that run what they are given, guess, or hash as nobody should: a new one is looked at here first."""

from __future__ import annotations

import ast
import re

import pytest

from tests.conftest import ROOT

CALLS = re.compile(
    r"^(eval|exec|compile|__import__|os\.(system|popen|exec\w*|spawn\w*)|pickle\.\w+|marshal\.\w+|shelve\.\w+|yaml\.\w+"
    r"|render_template_string|hashlib\.(md5|sha1)|hashes\.(MD5|SHA1)|tempfile\.mktemp|subprocess\.(getoutput|getstatusoutput))$"
)
OURS = {("app/offers/exports/rows.py", "exec")}  # text made of our own declarations, when the module is imported
CHANCE = {  # waiting times, samples and pictures of the demo: nothing that anybody must not guess
    "app/delivery/retry.py", "app/offers/samples.py", "app/cli/demo.py", "app/demo/pictures.py", "app/demo/seeding.py",
    "app/accounts/test_agency.py",
}  # fmt: skip
SCRIPTS = re.compile(
    r"\b(eval|Function)\(|\.(innerHTML|outerHTML)\s*\+?=|insertAdjacentHTML|document\.write|set(Timeout|Interval)\(\s*[\"']"
    r"|postMessage|localStorage|indexedDB|WebSocket|document\.cookie"
)


@pytest.fixture(scope="module")
def nodes() -> list[tuple[str, ast.AST]]:
    """Each call and import of the product, with its file."""
    return [
        (str(path.relative_to(ROOT)), node)
        for path in sorted((ROOT / "app").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call | ast.Import | ast.ImportFrom)
    ]


def test_no_call_runs_or_opens_what_it_is_given(nodes: list[tuple[str, ast.AST]]) -> None:
    found = set()
    for where, node in nodes:
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if CALLS.match(called):
            found.add((where, called))
        shell = [word for word in node.keywords if word.arg == "shell"]
        assert not shell, f"{where}:{node.lineno}: no shell, whatever it is asked"
        if called.startswith("subprocess."):
            assert not isinstance(node.args[0], ast.Constant | ast.JoinedStr | ast.BinOp), f"{where}: words, not a line"
    assert found == OURS


def test_what_must_not_be_guessed_comes_from_the_system(nodes: list[tuple[str, ast.AST]]) -> None:
    found = {where for where, node in nodes if isinstance(node, ast.Import) and node.names[0].name == "random"}
    found |= {where for where, node in nodes if isinstance(node, ast.ImportFrom) and node.module == "random"}
    assert found == CHANCE


def test_no_script_makes_markup_of_text_or_keeps_it() -> None:
    scripts = sorted((ROOT / "app/static/js").glob("*.js"))
    found = [(path.name, hit[0]) for path in scripts for hit in SCRIPTS.finditer(path.read_text(encoding="utf-8"))]
    assert len(scripts) > 5 and found == []
