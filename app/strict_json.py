"""Reading JSON from outside, strictly: RFC 8259 in UTF-8 and nothing else, no name twice in one object (RFC 7493)."""

from __future__ import annotations

import json
from typing import Any


class NotJson(ValueError):
    """Says what keeps the bytes from being one clear JSON document; never what stands in them."""


def read_json(body: bytes) -> Any:
    """The document; raises `NotJson`."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(f"The body is not UTF-8: see byte {error.start}.") from None
    try:
        found = json.loads(text, object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
    except json.JSONDecodeError as error:
        raise NotJson(f"The body is not JSON: see line {error.lineno}, column {error.colno}.") from None
    except NotJson:
        raise
    except (ValueError, RecursionError):
        raise NotJson("The body holds a number too long or is nested too deeply.") from None
    try:
        json.dumps(found, ensure_ascii=False).encode("utf-8") if "\\u" in text else None
    except UnicodeEncodeError:
        raise NotJson("The body holds half of a surrogate pair.") from None
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJson("The body names a key twice in one object.")
    return found


def _constant(name: str) -> Any:
    raise NotJson(f"{name} is not JSON.")


def _float(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise NotJson("The body holds a number that is too large.")
    return number
