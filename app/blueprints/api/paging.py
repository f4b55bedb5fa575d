"""Cursors: a place in one list with one filter, signed, so that nothing can be read into or out of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from flask import request

from app.core.errors import Invalid, OtherEpoch
from app.core.signed_links import CURSOR, BadToken, read, sign
from app.core.urls import base_url
from app.web.api_keys import key_holder

NO_CURSOR = "Not a cursor of this list with this filter; begin without one"


def next_cursor(place: str, chosen: Mapping[str, Any]) -> str:
    """The cursor for what follows `place`."""
    return sign(CURSOR, json.dumps([_list(chosen), place, key_holder().epoch], separators=(",", ":")).encode())


def place_of(cursor: str | None, chosen: Mapping[str, Any]) -> str | None:
    """The place that a cursor names; raises `Invalid` when it is none of this list and filter,
    and `OtherEpoch` when it is from before a restore: rows that it has passed may be gone."""
    if cursor is None:
        return None
    try:
        named, place, *epoch = json.loads(read(CURSOR, cursor))
    except (BadToken, ValueError, TypeError):
        raise Invalid({"?cursor": [NO_CURSOR]}) from None
    if named != _list(chosen):
        raise Invalid({"?cursor": [NO_CURSOR]})
    if epoch != [key_holder().epoch] and (epoch or key_holder().restores):  # those of earlier versions name none
        raise OtherEpoch(key_holder().epoch)
    return str(place)


def page_body(data: list[Any], cursor: str | None) -> dict[str, Any]:
    return {"data": data, "has_more": cursor is not None, "next_cursor": cursor}


def link_next(name: str, value: str | None, **more: str) -> dict[str, str]:
    """`Link: <…>; rel="next"` (RFC 8288): this very list from `value` on, with `more` parameters."""
    if value is None:
        return {}
    kept = [(k, v) for k, v in request.args.items(multi=True) if k not in {name, *more}]
    query = urlencode([*kept, (name, value), *more.items()])
    return {"Link": f'<{base_url()}{request.path}?{query}>; rel="next"'}


def _list(chosen: Mapping[str, Any]) -> str:
    """Names a list with its filter, without saying what the filter holds."""
    text = json.dumps([request.path, chosen], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
