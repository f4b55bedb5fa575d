"""Romanian order of names and titles, alike on both engines and whatever their collations.

Ă, Â, Î, Ș and Ț are letters of their own, each after the letter it looks like; other marks do not count. Each letter
becomes one whose code point is its place in the alphabet, so that comparing bytes is enough.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.core.database import ALPHABET_PLACES, ALPHABET_WRITTEN


class Alphabetical(FunctionElement[str]):
    """What a column is sorted by: `order_by(Alphabetical(Property.title), Property.title)`."""

    name = "alphabetical"
    type = String()
    inherit_cache = True


@compiles(Alphabetical)
def _translated(text: Alphabetical, compiler: SQLCompiler, **kw: Any) -> str:
    inner = compiler.process(text.clauses, **kw)
    return f"translate(lower({inner}), '{ALPHABET_WRITTEN}', '{ALPHABET_PLACES}') COLLATE \"C\""


@compiles(Alphabetical, "sqlite")
def _by_us(text: Alphabetical, compiler: SQLCompiler, **kw: Any) -> str:
    return f"alphabetical({compiler.process(text.clauses, **kw)})"


def alphabetically(column: Any) -> list[ColumnElement[Any]]:
    """For `order_by`: by the alphabet; what it finds alike, by the text itself."""
    return [Alphabetical(column), column]
