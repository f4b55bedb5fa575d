"""Mails to the bidders of a property that is gone: once, after ten seconds in which they can be undone."""

from __future__ import annotations

import uuid

from sqlalchemy import Select, select, update

from app.core.errors import Conflict, IllegalTransition
from app.core.ledger import Actor
from app.core.subjects import about
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import Delivery, LedgerEntry, OfferState, Property
from app.offers.deciding import UNDO
from app.offers.recipient_limits import write_to_bidder
from app.properties.editing import announce_change, load_property

TEMPLATE = "property_gone"
TOLD = "property.bidders_told"


def left_waiting(prop: Property) -> int:
    """How many offers of a property that is gone stand unanswered, until it is settled whether their bidders are
    told."""
    if not prop.gone or prop.told_at:
        return 0
    return len(db.session.scalars(_waiting(prop)).all())


def tell(prop: Property, *, mail: bool, by: Actor) -> int:
    """Owe a mail to the bidders whose offers stand, ten seconds from now, or record that they get none; return how
    many.

    Raises `IllegalTransition` when the property is on the market, `Conflict` when it was settled before.
    """
    with writing(prop.agency_id) as tx:
        current = load_property(prop.id)
        if not current.gone:
            raise IllegalTransition
        if current.told_at:
            raise Conflict
        waiting = db.session.scalars(_waiting(current)).all()
        current.told_at = tx.at
        told = tx.record(TOLD, current.id, by, {"mail": mail, "offers": len(waiting)})
        seq = announce_change(tx, current, by)
        for offer_id in waiting if mail else ():
            subject = about("telling", told, offer_id)
            write_to_bidder(tx, TEMPLATE, subject, event_seq=seq, offer_id=offer_id, after=UNDO)
    return len(waiting)


def undo(prop: Property, *, by: Actor) -> None:
    """Take that back: nobody is told, and it can be settled anew. `Conflict` when it is too late or was somebody
    else's."""
    with writing(prop.agency_id) as tx:
        current = load_property(prop.id)
        told = last_told(tx.agency_id, current.id)
        if current.told_at is None or tx.at - current.told_at > UNDO or told is None or not _own(told, by):
            raise Conflict
        about_it = (Delivery.subject_type == "telling", Delivery.subject_id.startswith(f"{told.seq}/"))
        owed = (Delivery.agency_id == tx.agency_id, Delivery.kind == "mail", Delivery.user_id.is_(None), *about_it)
        tx.connection.execute(
            update(Delivery).where(*owed, Delivery.state == "pending").values(state="cancelled", ended_at=tx.at)
        )
        if tx.connection.scalar(select(Delivery.id).where(*owed, Delivery.state != "cancelled").limit(1)):
            raise Conflict
        current.told_at = None
        tx.record("property.telling_undone", current.id, by)
        announce_change(tx, current, by)


def last_told(agency_id: uuid.UUID, property_id: uuid.UUID) -> LedgerEntry | None:
    """The ledger's entry of when it was last settled what a property's bidders are told."""
    told = (LedgerEntry.agency_id == agency_id, LedgerEntry.object_id == property_id, LedgerEntry.kind == TOLD)
    return db.session.scalar(select(LedgerEntry).where(*told).order_by(LedgerEntry.seq.desc()).limit(1))


def _own(told: LedgerEntry, by: Actor) -> bool:
    return (told.actor_type, told.actor_id) == (by.type, by.id)


def _waiting(prop: Property) -> Select[uuid.UUID]:
    """The offers that stand without an answer."""
    return select(OfferState.offer_id).where(
        OfferState.agency_id == prop.agency_id,
        OfferState.property_id == prop.id,
        OfferState.status.in_(("new", "viewed")),
        OfferState.latest,
        OfferState.withdrawn_at.is_(None),
        OfferState.erased_at.is_(None),
    )
