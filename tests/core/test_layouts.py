"""A macro laid out once and filled shows what the macro itself would show, whatever the values are."""

from __future__ import annotations

import pytest
from flask import Flask
from markupsafe import escape

from app.core.layouts import Layout, escaped

HOSTILE = ["<b>", "%s %(name)s 100%", "\ue000name\ue000", "a\0b", "\"'&", "", "{{ 7 }}"]
MACRO = """{% macro one(name, size, wide) %}
<i title="{{ name }}" width="100%">{{ size }}{% if wide %} %s{% endif %}{{ name }}</i>
{% endmacro %}"""


@pytest.mark.parametrize("wide", [True, False])
def test_filled_is_as_rendered(app: Flask, wide: bool) -> None:
    macro = app.jinja_env.from_string(MACRO).module.one  # type: ignore[attr-defined]  # the template's own
    layout = Layout(macro, ("size", "name"), wide=wide)
    for name in HOSTILE:
        for size in HOSTILE:
            assert layout.filled(escaped([size, name])) == str(macro(escape(name), escape(size), wide))


def test_a_value_that_nobody_gives_is_no_layout(app: Flask) -> None:
    macro = app.jinja_env.from_string(MACRO).module.one  # type: ignore[attr-defined]  # the template's own
    layout = Layout(macro, ("name",), size="", wide=False)
    assert layout.filled(["x"]).strip() == '<i title="x" width="100%">x</i>'


def test_each_value_is_escaped_alone() -> None:
    assert escaped(HOSTILE) == [str(escape(value)) for value in HOSTILE]
    assert escaped([]) == [] and escaped([""]) == [""]
