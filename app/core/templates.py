"""Templates are compiled for each language, with their constant texts in it.

A page asks for some two hundred words, each by three calls, and makes a copy of a hundred global names for each file
that it is made of. Compiled for one language the words are part of the text around them. What a template gives to a
text (`%(amount)s`) is put in, and escaped, as the page is made. Nothing else of Jinja is changed.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, cast

from flask.templating import Environment
from flask_babel import force_locale, gettext
from jinja2 import Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.visitor import NodeTransformer
from markupsafe import Markup, escape

from app.core.language import language


def _shown(value: Any) -> str:
    """A value as it stands in a page; most have nothing that would have to be escaped, or have been."""
    kind = type(value)
    if kind is str:
        return escape(value) if _MARKED(value) else cast(str, value)
    return value if kind is Markup else escape(value)


_MARKED = re.compile("[&<>'\"]").search


class _Code(CodeGenerator):
    """Jinja's own, but that a value which is put out goes through `_shown`."""

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if frame.eval_ctx.volatile or not frame.eval_ctx.autoescape or finalize.src is not None:
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("environment.shown(")


class Templates(Environment):
    """`app.jinja_env`: it picks the environment of the reader's language, whose templates load each other from it."""

    spoken = ""  # by the templates of this environment; the application's own has those of each language
    code_generator_class = _Code
    shown = staticmethod(_shown)

    def _load_template(self, name: str, globals: MutableMapping[str, Any] | None) -> Template:
        if globals:
            raise TypeError("templates share their global names")
        if not self.spoken:
            return self._of(language())._load_template(name, None)
        loaded: dict[str, Template] = self.__dict__["loaded"]
        if (held := loaded.get(name)) is None:
            held = super()._load_template(name, None)
            if not self.auto_reload:
                loaded[name] = held
        return held

    def _of(self, code: str) -> Templates:
        held: dict[str, Templates] = self.__dict__.setdefault("by_language", {})
        if code not in held:
            made = self.overlay()
            made.spoken, made.__dict__["loaded"] = code, {}
            held[code] = made
        return held[code]

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:
        """One dictionary for all: a chain of two is walked through in Python each time that it is copied."""
        return super().make_globals(d) if d else self.globals

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        parsed = super()._parse(source, name, filename)
        if self.spoken:
            escapes = self.autoescape(name) if callable(self.autoescape) else self.autoescape
            with force_locale(self.spoken):
                _Words(escapes).visit(parsed)
        return parsed


class _Words(NodeTransformer):
    """`_("…")` becomes the text that it would give."""

    def __init__(self, escapes: bool) -> None:
        self.escapes = escapes

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        if not (isinstance(node.node, nodes.Name) and node.node.name == "_" and len(node.args) == 1):
            return node
        msgid = node.args[0]
        if not isinstance(msgid, nodes.Const) or node.dyn_args or node.dyn_kwargs:
            return node
        text = gettext(msgid.value)
        words: str = Markup(text) if self.escapes else text  # noqa: S704  # nosec B704  our own, as Jinja marks it
        if not node.kwargs:
            return nodes.Const(words % {}, lineno=node.lineno)
        given = [nodes.Pair(nodes.Const(one.key), one.value, lineno=one.lineno) for one in node.kwargs]
        return nodes.Mod(nodes.Const(words), nodes.Dict(given), lineno=node.lineno)
