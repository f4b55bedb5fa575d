"""Reading JSON from outside, strictly: RFC 8259 in UTF-8 and nothing else, no name twice in one object (RFC 7493)."""

from __future__ import annotations

import json
from typing import Any

from app.core.numbers import NotANumber, json_number

DEPTH = 32  # of objects and lists in one another; ours have four
NAMES, LONGEST = 500, 200  # of one object, and characters in one of them; ours have a tenth of that
_BOM = b"\xef\xbb\xbf"


class NotJson(ValueError):
    """Says what keeps the bytes from being one clear JSON document; never what stands in them."""


def read_json(body: bytes, *, row_by_row: bool = False) -> Any:
    """The document; raises `NotJson`.

    `row_by_row`: what is odd in one value spoils no other. Numbers beyond all measure stay the text that they are, and
    halves of surrogate pairs stay in theirs, for whoever reads the row to refuse; a byte order mark is passed over.
    """
    if row_by_row:
        body = body.removeprefix(_BOM)
    elif body.startswith(_BOM):
        raise NotJson("The body begins with a byte order mark, which JSON does not have: leave it out.")
    if not body.strip():
        raise NotJson("The body is empty, where JSON is needed.")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotJson(f"The body is not UTF-8: see byte {error.start}.") from None
    try:
        number = _number_or_text if row_by_row else _number
        found = json.loads(
            text,
            object_pairs_hook=_object if row_by_row else _small,
            parse_constant=_constant,
            parse_float=number,
            parse_int=number,
        )
    except json.JSONDecodeError as error:
        raise NotJson(f"The body is not JSON: see line {error.lineno}, column {error.colno}.") from None
    except NotJson:
        raise
    except (ValueError, RecursionError):
        raise NotJson("The body holds a number too long or is nested too deeply.") from None
    _check_depth(found)
    if row_by_row:
        return found
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


def _small(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object that a model can be held against: each name that it does not know is a fault, told by its name."""
    if len(pairs) > NAMES or any(len(name) > LONGEST for name, _ in pairs):
        raise NotJson("An object in the body has too many names, or one that is too long.")
    return _object(pairs)


def _constant(name: str) -> Any:
    raise NotJson(f"{name} is not JSON.")


def _number(text: str) -> int | float:
    try:
        return json_number(text)
    except NotANumber:
        raise NotJson("The body holds a number that is too long or too large.") from None


def _number_or_text(text: str) -> int | float | str:
    try:
        return json_number(text)
    except NotANumber:
        return text


def _inside(node: dict[str, Any] | list[Any]) -> list[Any]:
    return [inner for inner in (node.values() if isinstance(node, dict) else node) if isinstance(inner, dict | list)]


def _check_depth(found: Any) -> None:
    level = [found]
    for _ in range(DEPTH):
        level = [inner for node in level if isinstance(node, dict | list) for inner in _inside(node)]
        if not level:
            return
    raise NotJson("The body is nested too deeply.")
