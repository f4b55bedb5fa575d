"""What a view hands to its template hides none of the functions that every template calls."""

from __future__ import annotations

import ast

from flask import Flask

from tests.conftest import ROOT

RENDER = {"render_template", "page"}


def test_no_value_of_a_page_is_called_like_what_pages_call(app: Flask) -> None:
    ours = set(app.jinja_env.globals) - {"request", "session", "g", "config"}
    hidden = [
        f"{path.name}:{call.lineno} {word.arg}"
        for path in (ROOT / "app").rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in RENDER
        for word in call.keywords
        if word.arg in ours
    ]
    assert ours and not hidden
