"""Words of a property's title, place or CRM id, found without regard to case and diacritics, alike on both engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, func

from app.core.collation import Plain
from app.core.database import plain
from app.models import Property

MOST = 6
_COLUMNS = (
    Property.title, Property.title_en, Property.address, Property.zone, Property.city, Property.county,
    Property.external_id,
)  # fmt: skip


def holding_words(text: str) -> Sequence[ColumnElement[bool]]:
    """One condition for each word; a property is found that meets all."""
    words: Any = ""
    for column in _COLUMNS:
        words = words + func.coalesce(column, "") + " "
    return [Plain(words).contains(plain(word), autoescape=True) for word in text.split()[:MOST]]
