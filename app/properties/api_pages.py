"""Properties as the API lists them: keyset pages, newest first or in order of change."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, tuple_
from sqlalchemy.orm import joinedload

from app.core.access import KeyHolder, properties_of
from app.core.clock import from_rfc3339, rfc3339
from app.extensions import db
from app.models import Property
from app.properties.listing import Counts, count_offers
from app.properties.representation import property_json
from app.properties.search import holding_words


@dataclass(frozen=True, slots=True)
class ApiPropertyFilter:
    """Every field is optional. With `updated_since` the list is in order of change, else newest first."""

    updated_since: datetime | None = None
    accepts_offers: bool | None = None
    external_id: str | None = None
    q: str | None = None
    archived: bool = False

    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.updated_since is None:
            found.append(Property.archived_at.is_not(None) if self.archived else Property.archived_at.is_(None))
        else:
            found = [Property.updated_at >= self.updated_since]  # whoever follows changes must see archivings too
        if self.accepts_offers is not None:
            found.append(Property.accepts_offers.is_(self.accepts_offers))
        if self.external_id is not None:
            found.append(Property.external_id == self.external_id)
        return [*found, *holding_words(self.q or "")]


def list_properties(
    by: KeyHolder, chosen: ApiPropertyFilter, *, after: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """One page as the API shows it, and the place from which the next one goes on, if there is one."""
    query = properties_of(by).where(*chosen.conditions()).options(joinedload(Property.agent))
    rows = db.session.scalars(_ordered(query, chosen, after).limit(limit + 1)).all()
    page = rows[:limit]
    more = _place(page[-1], chosen) if len(rows) > limit else None
    return shown(by, page), more


def shown(by: KeyHolder, rows: Sequence[Property]) -> list[dict[str, Any]]:
    counts = count_offers([prop.id for prop in rows], by)
    return [property_json(prop, offers_count=counts.get(prop.id, Counts()).offers) for prop in rows]


def _ordered(query: Select[Property], chosen: ApiPropertyFilter, after: str | None) -> Select[Property]:
    if chosen.updated_since is None:
        query = query.where(Property.id < uuid.UUID(after)) if after else query
        return query.order_by(Property.id.desc())
    if after:
        moment, _, last = after.partition(" ")
        query = query.where(tuple_(Property.updated_at, Property.id) > (from_rfc3339(moment), uuid.UUID(last)))
    return query.order_by(Property.updated_at, Property.id)


def _place(prop: Property, chosen: ApiPropertyFilter) -> str:
    return str(prop.id) if chosen.updated_since is None else f"{rfc3339(prop.updated_at)} {prop.id}"
