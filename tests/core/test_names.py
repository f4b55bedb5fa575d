"""One name, one class: who reads it in two modules is not left to guess which is meant."""

from __future__ import annotations

import ast
from collections import defaultdict

from tests.conftest import ROOT

BY_CONTRACT = ROOT / "app" / "blueprints" / "api" / "schemas"


def test_no_two_classes_share_a_name() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in (ROOT / "app").rglob("*.py"):
        if BY_CONTRACT not in path.parents:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                    places[node.name].append(str(path.relative_to(ROOT)))
    assert len(places) > 200
    assert not {name: found for name, found in places.items() if len(found) > 1}
