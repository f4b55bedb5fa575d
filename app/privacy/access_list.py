"""Who saw what: openings of offers, searches by person and exports, for the agency's owner."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Subquery, and_, func, or_, select, union_all

from app.core.collation import alphabetically
from app.core.keys import agency_key
from app.core.vault import blind
from app.extensions import db
from app.models import Access, ApiKey, KeyAccess, LedgerEntry, Offer, OfferTag, Property, User
from app.models.key_access import NOTED_ONCE_IN

PAGE = 100
LINE = ("id", "at", "who", "kind", "offer_id", "reference", "title")


@dataclass(frozen=True, slots=True)
class AccessLine:
    """One line: who (a colleague, or a key's name), what, when, of which offer; of an export how many and what for."""

    id: uuid.UUID
    at: datetime
    who: str
    kind: str
    offer_id: uuid.UUID | None
    reference: str | None
    property_title: str | None
    rows: int | None = None
    purpose: str | None = None


def offers_of_person(agency_id: uuid.UUID, folded: str) -> list[uuid.UUID]:
    """The offers that came in under an e-mail address (as `read_email` folds it) and are not erased."""
    tag = blind(agency_key(agency_id, "blind_email"), folded)
    return list(
        db.session.scalars(
            select(OfferTag.offer_id).where(
                OfferTag.agency_id == agency_id, OfferTag.field == "email", OfferTag.tag == tag
            )
        )
    )


def accesses(
    agency_id: uuid.UUID,
    *,
    by_id: uuid.UUID | None = None,
    offer_ids: Sequence[uuid.UUID] | None = None,
    before: uuid.UUID | None = None,
) -> tuple[list[AccessLine], uuid.UUID | None]:
    """One page, newest first, of one user or key or of all, and what the next page comes before.

    With `offer_ids`, only what concerns these offers: their openings and searches, and every export or list since the
    first of them came in, since it may have held them: a CRM's lists are noted once an hour, so from an hour before.
    """
    seen = _seen_in(agency_id)
    query = (
        select(seen, Offer.reference, Property.title)
        .outerjoin(Offer, and_(Offer.agency_id == agency_id, Offer.id == seen.c.offer_id))
        .outerjoin(Property, Property.id == Offer.property_id)
    )
    if by_id:
        query = query.where(seen.c.by_id == by_id)
    if offer_ids is not None:
        first = db.session.scalar(
            select(func.min(Offer.submitted_at)).where(Offer.agency_id == agency_id, Offer.id.in_(offer_ids))
        )
        if first is None:
            return [], None
        exported = and_(seen.c.kind == "exported", seen.c.at >= first)
        listed = and_(seen.c.kind == "listed", seen.c.at >= first - NOTED_ONCE_IN)
        query = query.where(or_(seen.c.offer_id.in_(offer_ids), exported, listed))
    whole = query
    if before:
        query = query.where(seen.c.id < before)
    rows = db.session.execute(query.order_by(seen.c.id.desc()).limit(PAGE + 1)).all()
    if before and not rows:  # forgotten by now: the oldest that there are
        rows = db.session.execute(whole.order_by(seen.c.id).limit(PAGE)).all()[::-1]
    told = _exports(agency_id, [row.at for row in rows if row.kind == "exported"])
    shown = [
        AccessLine(*(getattr(row, name) for name in LINE), *told.get((row.at, row.by_id), ())) for row in rows[:PAGE]
    ]
    return shown, shown[-1].id if len(rows) > PAGE else None


def _seen_in(agency_id: uuid.UUID) -> Subquery:
    """What people and keys saw, one line each."""
    people = (
        select(Access.id, Access.at, Access.kind, Access.offer_id, User.id.label("by_id"), User.full_name.label("who"))
        .join(User, User.id == Access.user_id)
        .where(Access.agency_id == agency_id)
    )
    of = KeyAccess
    keys = (
        select(of.id, of.at, of.kind, of.offer_id, ApiKey.id.label("by_id"), ApiKey.name.label("who"))
        .join(ApiKey, ApiKey.id == of.key_id)
        .where(of.agency_id == agency_id)
    )
    return union_all(people, keys).subquery("seen")


def keys_of(agency_id: uuid.UUID) -> list[tuple[uuid.UUID, str]]:
    """Every key that a CRM has or had, by name."""
    query = select(ApiKey.id, ApiKey.name).where(ApiKey.agency_id == agency_id).order_by(*alphabetically(ApiKey.name))
    return [(row[0], row[1]) for row in db.session.execute(query)]


def _exports(agency_id: uuid.UUID, moments: Sequence[datetime]) -> dict[tuple[datetime, uuid.UUID | None], Any]:
    """How many offers each of these exports held and what for, as the ledger has it, by moment and user."""
    if not moments:
        return {}
    query = select(LedgerEntry.at, LedgerEntry.actor_id, LedgerEntry.body).where(
        LedgerEntry.agency_id == agency_id,
        LedgerEntry.object_id.is_(None),
        LedgerEntry.kind == "offers.exported",
        LedgerEntry.at.in_(moments),
    )
    found = {(row.at, row.actor_id): json.loads(row.body)["data"] for row in db.session.execute(query)}
    return {key: (data["rows"], data["purpose"]) for key, data in found.items()}


def people_of(agency_id: uuid.UUID) -> list[tuple[uuid.UUID, str]]:
    """Everyone who has or had an account, by name."""
    query = select(User.id, User.full_name).where(User.agency_id == agency_id).order_by(*alphabetically(User.full_name))
    return [(row[0], row[1]) for row in db.session.execute(query)]
