"""What is wrong with a request, field by field, in words that say what would be right; never what was typed."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import BaseModel, ValidationError

MOST = 100  # faults that are told: more help nobody, and to look for what was meant by each takes long
_SAID = {
    "missing": "Required",
    "model_type": "Must be a JSON object",
    "model_attributes_type": "Must be a JSON object",
}


def faults(error: ValidationError, model: type[BaseModel], mark: str = "/") -> dict[str, list[str]]:
    """The faults, `MOST` of them, by their place: a JSON pointer, or with the mark `?` the name of a parameter."""
    found: dict[str, list[str]] = {}
    for fault in error.errors(include_url=False, include_context=False, include_input=False)[:MOST]:
        steps = [str(step).replace("~", "~0").replace("/", "~1") for step in fault["loc"]]
        where = mark + (steps[0] if mark == "?" and steps else "/".join(steps))
        found.setdefault(where if steps else "", []).append(_said(fault, model, mark))
    return found


def _said(fault: Any, model: type[BaseModel], mark: str) -> str:
    if fault["type"] == "extra_forbidden":
        what = "parameter" if mark == "?" else "field"
        near = get_close_matches(str(fault["loc"][-1]), _names(model), 1, 0.75)
        return f"Unknown {what}" + (f"; did you mean {near[0]}?" if near else "")
    return _SAID.get(fault["type"]) or str(fault["msg"]).removeprefix("Value error, ")


@cache
def _names(model: type[BaseModel]) -> tuple[str, ...]:
    """Every field of a model, those of the objects in it included."""
    schema = model.model_json_schema()
    return tuple({name for part in (schema, *schema.get("$defs", {}).values()) for name in part.get("properties", ())})
