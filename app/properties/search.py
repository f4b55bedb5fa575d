"""Words of a property's title, place or CRM id, found without regard to case and diacritics, alike on both engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, String, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.core.database import ACCENTED, UNACCENTED, plain
from app.models import Property

MOST = 6
_COLUMNS = (
    Property.title, Property.title_en, Property.address, Property.zone, Property.city, Property.county,
    Property.external_id,
)  # fmt: skip


class Plain(FunctionElement[str]):
    """Text as `app.core.database.plain` spells it."""

    name = "plain"
    type = String()
    inherit_cache = True


@compiles(Plain)
def _translated(text: Plain, compiler: SQLCompiler, **kw: Any) -> str:
    return f"translate(lower({compiler.process(text.clauses, **kw)}), '{ACCENTED}', '{UNACCENTED}')"


@compiles(Plain, "sqlite")
def _by_us(text: Plain, compiler: SQLCompiler, **kw: Any) -> str:
    return f"plain({compiler.process(text.clauses, **kw)})"


def holding_words(text: str) -> Sequence[ColumnElement[bool]]:
    """One condition for each word; a property is found that meets all."""
    words: Any = ""
    for column in _COLUMNS:
        words = words + func.coalesce(column, "") + " "
    return [Plain(words).contains(plain(word), autoescape=True) for word in text.split()[:MOST]]
