"""What speaks against accepting an offer: whoever accepts it all the same has to say so, by these names."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, and_, exists, or_, select
from sqlalchemy.orm import aliased

from app.models import Agency, LedgerEntry, Offer, OfferState, Property, Supersession
from app.models.property import GONE

REPLACED, EXPIRED, ARCHIVED, TAKEN, SECOND = "replaced", "expired", "archived", "gone", "second"
KINDS = (REPLACED, EXPIRED, ARCHIVED, TAKEN, SECOND)


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing against one offer.

    `detail` is the offer that replaced it or was accepted before, its last day, or what became of the property.
    """

    kind: str
    offer_id: uuid.UUID
    reference: str
    detail: str | date | None = None


def concerns_of(connection: Connection, offers: Iterable[uuid.UUID], at: datetime) -> list[Concern]:
    """Of these offers at that moment. An accepted offer has none of its own; it is one for the others."""
    later, other, owner_offer = aliased(Offer), aliased(OfferState), aliased(Offer)
    by = select(later.reference).where(
        later.agency_id == Offer.agency_id,
        or_(
            later.previous_id == Offer.id,
            exists().where(Supersession.offer_id == later.id, Supersession.previous_id == Offer.id),
        ),
    )
    beside = (
        select(owner_offer.reference)
        .join(other, other.offer_id == owner_offer.id)
        .where(
            other.agency_id == OfferState.agency_id,
            other.property_id == OfferState.property_id,
            other.offer_id != OfferState.offer_id,
            other.status == "accepted",
            other.withdrawn_at.is_(None),
        )
        .order_by(other.decided_at.desc())
        .limit(1)
    )
    rows = connection.execute(
        select(Offer.id, Offer.reference, Offer.valid_until, OfferState.latest, Agency.zone)
        .add_columns(Property.archived_at, Property.availability)
        .add_columns(by.limit(1).scalar_subquery().label("replaced_by"), beside.scalar_subquery().label("accepted"))
        .join(OfferState, OfferState.offer_id == Offer.id)
        .join(Property, Property.id == Offer.property_id)
        .join(Agency, Agency.id == Offer.agency_id)
        .where(Offer.id.in_(offers), OfferState.status != "accepted")
        .order_by(Offer.submitted_at, Offer.id)
    )
    found = []
    for row in rows:
        today = at.astimezone(ZoneInfo(row.zone)).date()
        for kind, speaks, detail in (
            (REPLACED, not row.latest, row.replaced_by),
            (EXPIRED, row.valid_until is not None and row.valid_until < today, row.valid_until),
            (ARCHIVED, row.archived_at is not None, None),
            (TAKEN, row.availability in GONE, row.availability),
            (SECOND, row.accepted is not None, row.accepted),
        ):
            if speaks:
                found.append(Concern(kind, row.id, row.reference, detail))
    return found


def come_up_since(
    connection: Connection, offer_id: uuid.UUID, then: datetime, at: datetime, *, but: Collection[uuid.UUID]
) -> bool:
    """Whether there is a concern now that there was not then; `but` are offers that do not count. Being replaced is not
    looked for: that makes a new version of the offer itself."""
    sold = exists().where(
        LedgerEntry.agency_id == Property.agency_id,
        LedgerEntry.object_id == Property.id,
        LedgerEntry.kind == "property.availability",
        LedgerEntry.at >= then,
    )
    beside = exists().where(
        OfferState.agency_id == Property.agency_id,
        OfferState.property_id == Property.id,
        OfferState.status == "accepted",
        OfferState.decided_at >= then,
        OfferState.withdrawn_at.is_(None),
        OfferState.offer_id.not_in(but),
    )
    gone = and_(Property.availability.in_(GONE), sold)
    row = connection.execute(
        select(Offer.valid_until, Agency.zone, or_(Property.archived_at >= then, gone, beside).label("speaks"))
        .join(Property, Property.id == Offer.property_id)
        .join(Agency, Agency.id == Offer.agency_id)
        .where(Offer.id == offer_id)
    ).one()
    first, today = (moment.astimezone(ZoneInfo(row.zone)).date() for moment in (then, at))
    return bool(row.speaks) or (row.valid_until is not None and first <= row.valid_until < today)
