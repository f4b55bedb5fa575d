"""What a browser without scripts would send of a page: its forms, filled in and pressed."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import html5lib
from werkzeug.datastructures import MultiDict

Element = ElementTree.Element
SILENT = {"submit", "button", "file", "image", "reset"}


class Page:
    def __init__(self, html: str) -> None:
        self.root: Element = html5lib.parse(html, namespaceHTMLElements=False)

    def form(self, name: str) -> Element:
        """By its id, or by what its action ends with."""
        for form in self.root.iter("form"):
            if form.get("id") == name or (form.get("action") or "").split("?")[0].endswith(name):
                return form
        raise AssertionError(f"no form {name}")

    def fields(self, name: str, /, **typed: Any) -> MultiDict[str, str]:
        """The form's fields as they are shown, with `typed` in them; None leaves one out."""
        found: MultiDict[str, str] = MultiDict()
        for field in self.form(name).iter():
            named, value = field.get("name"), _value(field)
            if named and value is not None:
                for one in value:
                    found.add(named, one)
        for named, given in typed.items():
            found.poplist(named)
            for one in [] if given is None else given if isinstance(given, list) else [given]:
                found.add(named, one)
        return found

    def switch(self) -> Element:
        """What leads to the page in the other language."""
        found = [one for one in self.root.iter() if one.get("data-language") is not None]
        assert len(found) == 1
        return found[0]


def _value(field: Element) -> list[str] | None:
    kind = field.get("type") or "text"
    if field.tag == "textarea":
        return [(field.text or "").replace("\n", "\r\n")]
    if field.tag == "select":
        options = list(field.iter("option"))
        chosen = [one for one in options if one.get("selected") is not None]
        chosen = chosen or ([] if field.get("multiple") is not None else options[:1])
        return [one.get("value") or "" for one in chosen]
    if field.tag != "input" or kind in SILENT or field.get("disabled") is not None:
        return None
    if kind in {"checkbox", "radio"} and field.get("checked") is None:
        return None
    return [field.get("value") or ("on" if kind in {"checkbox", "radio"} else "")]
