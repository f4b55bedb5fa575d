"""Addresses of our own pages, put together as text: `url_for` builds each anew, and a list holds some forty."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import flask
from flask import has_request_context, request

_PLAIN = "!$'()*,/:;?@"  # what `url_for` leaves as it is in a query


def path_to(endpoint: str, **values: Any) -> str:
    """As `url_for` gives it. That of a page which is always in one place is kept."""
    if any(value is not None for value in values.values()) or not has_request_context() or endpoint.startswith("."):
        return flask.url_for(endpoint, **values)
    return _kept(endpoint, request.script_root)


@lru_cache(maxsize=1024)
def _kept(endpoint: str, _root: str) -> str:
    """Within this request, whose root (its language) the address begins with."""
    return flask.url_for(endpoint)


def query_of(values: Mapping[str, str]) -> str:
    """What stands after the question mark, as `url_for` writes it."""
    return urlencode(values, safe=_PLAIN)


def with_query(path: str, *parts: str) -> str:
    """A path with what `query_of` gave, in parts; those that are empty are left out."""
    query = "&".join(part for part in parts if part)
    return f"{path}?{query}" if query else path
