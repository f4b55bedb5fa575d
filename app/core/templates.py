"""Templates are compiled for each language, with their constant texts in it.

A page asks for some two hundred words, each by three calls, and makes a copy of a hundred global names for each file
that it is made of. Compiled for one language the words are part of the text around them. What a template gives to a
text (`%(amount)s`) is put in, and escaped, as the page is made. Nothing else of Jinja is changed.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from flask.templating import Environment
from flask_babel import force_locale, gettext
from jinja2 import Template, nodes
from jinja2.visitor import NodeTransformer
from markupsafe import Markup

from app.core.language import language


class Templates(Environment):
    """`app.jinja_env`: it picks the environment of the reader's language, whose templates load each other from it."""

    spoken = ""  # by the templates of this environment; the application's own has those of each language

    def _load_template(self, name: str, globals: MutableMapping[str, Any] | None) -> Template:
        if globals:
            raise TypeError("templates share their global names")
        if self.spoken:
            return super()._load_template(name, None)
        return self._of(language())._load_template(name, None)

    def _of(self, code: str) -> Templates:
        held: dict[str, Templates] = self.__dict__.setdefault("by_language", {})
        if code not in held:
            made = self.overlay()
            made.spoken = code
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
