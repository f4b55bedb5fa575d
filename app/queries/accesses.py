"""Who saw what: openings of offers, searches by person and exports, for the agency's owner."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select

from app.extensions import db
from app.keys import agency_key
from app.models import Access, LedgerEntry, Offer, OfferTag, Property, User
from app.vault import blind

PAGE = 100


@dataclass(frozen=True, slots=True)
class Seen:
    """One line: who, what kind of access, when, and of which offer; an export is of a list: how many, what for."""

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
    user_id: uuid.UUID | None = None,
    offer_ids: Sequence[uuid.UUID] | None = None,
    before: uuid.UUID | None = None,
) -> tuple[list[Seen], uuid.UUID | None]:
    """One page, newest first, of one user or of all, and what the next page comes before.

    With `offer_ids`, only what concerns these offers: their openings and searches, and every export since the first
    of them came in, since it may have held them.
    """
    query = (
        select(Access, User.full_name, Offer.reference, Property.title)
        .join(User, User.id == Access.user_id)
        .outerjoin(Offer, and_(Offer.agency_id == Access.agency_id, Offer.id == Access.offer_id))
        .outerjoin(Property, Property.id == Offer.property_id)
        .where(Access.agency_id == agency_id)
    )
    if user_id:
        query = query.where(Access.user_id == user_id)
    if offer_ids is not None:
        first = db.session.scalar(
            select(func.min(Offer.submitted_at)).where(Offer.agency_id == agency_id, Offer.id.in_(offer_ids))
        )
        if first is None:
            return [], None
        exported = and_(Access.kind == "exported", Access.at >= first)
        query = query.where(or_(Access.offer_id.in_(offer_ids), exported))
    if before:
        query = query.where(Access.id < before)
    rows = db.session.execute(query.order_by(Access.id.desc()).limit(PAGE + 1)).all()
    told = _exports(agency_id, [row.at for row, *_rest in rows if row.kind == "exported"])
    shown = [
        Seen(row.id, row.at, name, row.kind, row.offer_id, reference, title, *told.get((row.at, row.user_id), ()))
        for row, name, reference, title in rows[:PAGE]
    ]
    return shown, shown[-1].id if len(rows) > PAGE else None


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
    query = select(User.id, User.full_name).where(User.agency_id == agency_id).order_by(User.full_name)
    return [(row[0], row[1]) for row in db.session.execute(query)]
