"""A property gets another agent, who is told and is written to from then on."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping

from sqlalchemy import and_, func, select, update

from app.core.collation import alphabetically
from app.core.ledger import Actor
from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork
from app.extensions import db
from app.models import Delivery, LedgerEntry, OfferState, Property

CHANGED = "property.agent_changed"
NOTICES = ("offer_agent", "offer_confirmed", "withdrawn_agent")


def hand_over(tx: UnitOfWork, handed: Mapping[uuid.UUID, Iterable[uuid.UUID]], since: int, *, by: Actor) -> None:
    """`handed` are properties by their new agent, as the ledger's entries from `since` on say. Each new agent gets one
    mail, unless they did it themselves, and the notices of offers for these properties that have not left yet."""
    for agent_id, property_ids in handed.items():
        offers = select(OfferState.offer_id).where(
            OfferState.agency_id == tx.agency_id, OfferState.property_id.in_(list(property_ids))
        )
        waiting = update(Delivery).where(
            Delivery.agency_id == tx.agency_id,
            Delivery.state == "pending",
            Delivery.template.in_(NOTICES),
            Delivery.offer_id.in_(offers),
        )
        tx.connection.execute(waiting.values(user_id=agent_id))
        if by != Actor("user", agent_id):
            tx.owe_mail("property_handed", about("entries", since, tx.seq), user_id=agent_id)


def handed_in(agency_id: uuid.UUID, agent_id: uuid.UUID | None, first: int, last: int) -> list[tuple[Property, int]]:
    """What one agent was handed by these entries of the ledger and still holds, with how many of its offers wait for an
    answer."""
    entry = and_(
        LedgerEntry.agency_id == Property.agency_id,
        LedgerEntry.object_id == Property.id,
        LedgerEntry.kind == CHANGED,
        LedgerEntry.seq.between(first, last),
    )
    waiting = (
        select(func.count())
        .where(
            OfferState.agency_id == Property.agency_id,
            OfferState.property_id == Property.id,
            OfferState.status.in_(("new", "viewed")),
            OfferState.latest,
        )
        .scalar_subquery()
    )
    query = (
        select(Property, waiting)
        .where(Property.agency_id == agency_id, Property.agent_id == agent_id)
        .where(select(LedgerEntry.seq).where(entry).exists())
        .order_by(*alphabetically(Property.title))
    )
    return [(row[0], row[1]) for row in db.session.execute(query)]
