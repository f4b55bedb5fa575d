"""The test client: every page it fetches must be a good page."""

from __future__ import annotations

from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.extensions import db

XHTML = "{http://www.w3.org/1999/xhtml}"
# html5lib knows the HTML of 2012; these are no faults today.
FORGIVEN = {"expected-doctype-but-got-start-tag", "expected-doctype-but-got-chars"}
LABELLED = {"input", "select", "textarea"}
UNLABELLED_TYPES = {"hidden", "submit", "button"}


class CheckedClient(FlaskClient):
    """Checks HTML answers: valid, unique ids, labelled fields, forms with an action, one `h1`, nothing unsaved."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        with self.application.app_context():  # a fresh one, as each request has outside tests
            response = super().open(*args, **kwargs)
            assert not (db.session.new or db.session.dirty or db.session.deleted), "a change was left uncommitted"
        db.session.rollback()  # the test looks at the database as it is now
        if response.mimetype == "text/html" and response.data:
            check_html(response.get_data(as_text=True), fragment=response.request.headers.get("HX-Request") == "true")
        return response


def check_html(text: str, *, fragment: bool = False) -> None:
    """Raise AssertionError naming what is wrong with a page."""
    parser = html5lib.HTMLParser(strict=False, tree=html5lib.getTreeBuilder("etree"))
    tree = parser.parseFragment(text) if fragment else parser.parse(text)
    faults = [code for _, code, _ in parser.errors if code not in FORGIVEN]
    assert not faults, f"not valid HTML: {faults[:5]}"
    elements = list(tree.iter())
    _check_ids(elements)
    _check_fields(elements)
    _check_forms(elements)
    if not fragment:
        titles = [element for element in elements if element.tag == f"{XHTML}h1"]
        assert len(titles) == 1, f"{len(titles)} h1 on the page"
        assert "style=" not in "".join(k + "=" for e in elements for k in e.attrib), "a style attribute under CSP"


def _check_ids(elements: list[Element]) -> None:
    ids = [element.attrib["id"] for element in elements if "id" in element.attrib]
    twice = {name for name in ids if ids.count(name) > 1}
    assert not twice, f"ids used twice: {twice}"
    for element in elements:
        for name in (element.attrib.get("aria-describedby") or "").split():
            assert name in ids, f"aria-describedby names {name}, which is not there"


def _check_fields(elements: list[Element]) -> None:
    labels = {e.attrib.get("for") for e in elements if e.tag == f"{XHTML}label"}
    wrapped = {id(child) for e in elements if e.tag == f"{XHTML}label" for child in e.iter()}
    for element in elements:
        if str(element.tag).removeprefix(XHTML) not in LABELLED or element.attrib.get("type") in UNLABELLED_TYPES:
            continue
        named = element.attrib.get("aria-label") or element.attrib.get("aria-labelledby")
        assert named or element.attrib.get("id") in labels or id(element) in wrapped, f"no label: {element.attrib}"


def _check_forms(elements: list[Element]) -> None:
    for element in elements:
        if element.tag == f"{XHTML}form":
            assert element.attrib.get("action"), "a form without an action"
            assert element.attrib.get("method"), "a form without a method"
