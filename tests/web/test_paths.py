"""Addresses that are put together as text are those that `url_for` builds."""

from __future__ import annotations

import pytest
from flask import Flask, url_for

from app.web.paths import path_to, query_of, with_query


def test_pages_are_where_url_for_says_in_every_language(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments]
    assert len(rules) > 20
    for root in ("", "/en", "/ro", "/en", ""):
        with app.test_request_context("/app/offers", environ_overrides={"SCRIPT_NAME": root}):
            for rule in rules:
                assert path_to(rule.endpoint) == url_for(rule.endpoint)
                assert path_to(rule.endpoint).startswith(root)
            assert path_to("offers.index", status="new", q=None) == url_for("offers.index", status="new", q=None)


@pytest.mark.parametrize(
    "text", ["new", "ana pop", "a&b=c#d", "ș+ț%20", "!$'()*,/:;?@", '"<>{}[]|^~', "=", "\u2028\U0001f600"]
)
def test_a_query_reads_as_url_for_writes_it(app: Flask, text: str) -> None:
    values = {"q": text, "sort": "-amount", "email": f"{text}@b.example"}
    with app.test_request_context("/app/offers"):
        path = path_to("offers.index")
        assert with_query(path, query_of(values)) == url_for("offers.index", **values)  # type: ignore[arg-type]  # no option among them
        assert with_query(path, query_of({}), "", "seen=1") == f"{path}?seen=1" and with_query(path, "") == path
