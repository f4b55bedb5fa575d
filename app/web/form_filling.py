"""Fills in a form of a page that is already HTML, as a browser does that comes back to it.

What a person has typed outlives the page around it: the page in another language, or after signing in once more,
is made by the same GET as ever, and what was typed is written into its form.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from html.parser import HTMLParser

from werkzeug.datastructures import MultiDict

# What the page itself says, or what no browser fills in.
NOT_TYPED = frozenset({"hidden", "file", "password", "submit", "button", "image", "reset"})
Attributes = list[tuple[str, str | None]]


def fill(page: str, is_form: Callable[[dict[str, str | None]], bool], values: MultiDict[str, str]) -> str:
    """The page with `values` in its first form whose attributes satisfy `is_form`."""
    filling = _Filling(is_form, values)
    filling.feed(page)
    filling.close()
    return "".join(filling.out)


class _Filling(HTMLParser):
    """Passes everything on as it came, but the fields of one form."""

    def __init__(self, is_form: Callable[[dict[str, str | None]], bool], values: MultiDict[str, str]) -> None:
        super().__init__(convert_charrefs=False)
        self.out: list[str] = []
        self.is_form = is_form
        self.left = {name: list(values.getlist(name)) for name in values}
        self.within = self.done = self.muted = False
        self.chosen: list[str] | None = None  # of the select that is open

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        attributes = dict(attrs)
        if tag == "form" and not self.done and self.is_form(attributes):
            self.within = self.done = True
        elif self.within and tag in {"input", "option"}:
            self._field(tag, attrs, attributes)
            return
        self.out.append(self.get_starttag_text() or "")
        if self.within and tag == "select":
            self.chosen = self.left.get(attributes.get("name") or "")
        if self.within and tag == "textarea" and (typed := self._next(attributes.get("name"))) is not None:
            self.out.append("\n" + escape(typed, quote=False))
            self.muted = True

    handle_startendtag = handle_starttag

    def _field(self, tag: str, attrs: Attributes, attributes: dict[str, str | None]) -> None:
        name, value = attributes.get("name") or "", attributes.get("value") or ""
        kind = (attributes.get("type") or "text").lower()
        if tag == "option":
            if self.chosen is not None:
                attrs = _marked(attrs, "selected", value in self.chosen)
        elif kind in {"checkbox", "radio"}:
            if kind == "checkbox" or name in self.left:
                attrs = _marked(attrs, "checked", (attributes.get("value") or "on") in self.left.get(name, []))
        elif kind not in NOT_TYPED and (typed := self._next(name)) is not None:
            attrs = [pair for pair in attrs if pair[0] != "value"] + [("value", typed)]
        written = "".join(f" {key}" if text is None else f' {key}="{escape(text)}"' for key, text in attrs)
        self.out.append(f"<{tag}{written}>")

    def _next(self, name: str | None) -> str | None:
        """Of several fields of one name each takes its own."""
        waiting = self.left.get(name or "")
        return waiting.pop(0) if waiting else None

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self.muted = False
        elif tag == "select":
            self.chosen = None
        elif tag == "form":
            self.within = False
        self.out.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if not self.muted:
            self.out.append(data)

    def handle_entityref(self, name: str) -> None:
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        self.handle_data(f"&#{name};")

    def handle_comment(self, data: str) -> None:
        self.handle_data(f"<!--{data}-->")

    def handle_decl(self, decl: str) -> None:
        self.handle_data(f"<!{decl}>")


def _marked(attrs: Attributes, mark: str, on: bool) -> Attributes:
    return [pair for pair in attrs if pair[0] != mark] + ([(mark, None)] if on else [])
