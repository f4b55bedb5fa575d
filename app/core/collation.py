"""Romanian order of names and titles, and their plain spelling, alike on both engines and whatever their collations.

Ă, Â, Î, Ș and Ț are letters of their own, each after the letter it looks like; other marks do not count. Each letter
becomes one whose code point is its place in the alphabet, so that comparing bytes is enough.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, String
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.core.database import ACCENTED, ALPHABET_PLACES, ALPHABET_WRITTEN, UNACCENTED


class _Translated(FunctionElement[str]):
    """A text whose letters are replaced by others: by the server's `translate`, or by our function in SQLite."""

    type = String()
    inherit_cache = True
    written = places = collated = ""


@compiles(_Translated)
def _by_server(text: _Translated, compiler: SQLCompiler, **kw: Any) -> str:
    inner = compiler.process(text.clauses, **kw)
    return f"translate(lower({inner}), '{text.written}', '{text.places}'){text.collated}"


@compiles(_Translated, "sqlite")
def _by_us(text: _Translated, compiler: SQLCompiler, **kw: Any) -> str:
    return f"{text.name}({compiler.process(text.clauses, **kw)})"


class Alphabetical(_Translated):
    """What a column is sorted by: `order_by(Alphabetical(Property.title), Property.title)`."""

    name = "alphabetical"
    inherit_cache = True
    written, places, collated = ALPHABET_WRITTEN, ALPHABET_PLACES, ' COLLATE "C"'


class Plain(_Translated):
    """Text as `app.core.database.plain` spells it."""

    name = "plain"
    inherit_cache = True
    written, places = ACCENTED, UNACCENTED


def alphabetically(column: Any) -> list[ColumnElement[Any]]:
    """For `order_by`: by the alphabet; what it finds alike, by the text itself."""
    return [Alphabetical(column), column]
