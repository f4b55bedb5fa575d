"""Threads of one process share no alias of a table.

SQLAlchemy completes an alias, and each attribute that is taken from it, when it is first used. Two threads that do so
at the same moment can leave behind an attribute of the table itself, for as long as the process lives: every statement
made of it then joins a second, unbounded "user".
"""

from __future__ import annotations

import ast

from tests.patterns import ROOT

MAKES = {"aliased", "alias", "subquery", "cte", "lateral"}


def _made(node: ast.expr) -> bool:
    calls = (one.func for one in ast.walk(node) if isinstance(one, ast.Call))
    return any((call.id if isinstance(call, ast.Name) else getattr(call, "attr", "")) in MAKES for call in calls)


def _shared(source: str) -> list[str]:
    """Names of the module that stand for an alias and are used within a function of it, or by other modules."""
    tree = ast.parse(source)
    made: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value and _made(statement.value):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            made |= {one.id for target in targets for one in ast.walk(target) if isinstance(one, ast.Name)}
    within = {
        one.id
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for one in ast.walk(function)
        if isinstance(one, ast.Name)
    }
    return sorted(made & within | {name for name in made if not name.startswith("_")})


def test_no_alias_is_shared_by_threads() -> None:
    found = {str(path): held for path in sorted((ROOT / "app").rglob("*.py")) if (held := _shared(path.read_text()))}
    assert not found
