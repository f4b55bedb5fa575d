"""Offers that somebody else records for a bidder: by phone, on paper, over the API. Unconfirmed until they say so."""

from __future__ import annotations

from sqlalchemy import exists, select

from app.errors import Conflict, IllegalTransition
from app.ledger import BIDDER, Actor
from app.models import Confirmation, Offer, OfferState, Property
from app.offer_document import Draft
from app.services import offers, receipts
from app.services.offer_events import announce
from app.services.offers import Sending, Sent
from app.writing import writing

NOT_TAKING = "The property is archived or not for sale: it takes no offers."


def record(prop: Property, draft: Draft, sending: Sending, *, by: Actor) -> Sent:
    """Keep an offer taken elsewhere; the bidder is asked to confirm it.

    It needs no open link. Raises `Invalid` for a wrong `replaces`, `Conflict` for a property that takes no offers.
    """
    sealed = offers.prepare(prop.agency_id, draft)
    property_id = prop.id
    with writing(prop.agency_id) as tx:
        current = offers.current(tx, property_id, sending.nonce, sealed)
        if current.pressed:
            return Sent(current.pressed, fresh=False)
        sold_here = select(Property.id).where(Property.id == property_id, Property.transaction_type == "sale")
        if current.archived_at or tx.connection.scalar(sold_here) is None:
            raise Conflict(NOT_TAKING)
        previous_id = offers.previous_of(tx, property_id, draft.replaces, sealed.tags) if draft.replaces else None
        if current.taken:
            sealed = offers.renamed(tx, sealed)
        seq = offers.store(tx, current, sealed, sending, previous_id, by=by)
        tx.owe_mail("offer_agent", seq, offer_id=sealed.offer_id, user_id=current.agent_id)
        tx.owe_mail("offer_confirm", seq, offer_id=sealed.offer_id)
        receipts.owe(tx, seq, sealed.offer_id, mailed=False)
    return Sent(sealed.offer_id, fresh=True)


def confirm(offer: Offer) -> bool:
    """The bidder says that an offer recorded for them is theirs; False when they had said so before.

    Raises `IllegalTransition` for an offer that they sent themselves, withdrew, or that was erased.
    """
    offer_id = offer.id
    if offer.source == "link":
        raise IllegalTransition
    with writing(offer.agency_id) as tx:
        held = tx.connection.execute(
            select(
                OfferState.withdrawn_at,
                OfferState.erased_at,
                exists().where(Confirmation.offer_id == OfferState.offer_id).label("confirmed"),
            ).where(OfferState.offer_id == offer_id)
        ).one()
        if held.withdrawn_at or held.erased_at:
            raise IllegalTransition
        if held.confirmed:
            return False
        tx.add(Confirmation, offer_id=offer_id, at=tx.at)
        tx.record("offer.confirmed", offer_id, BIDDER)
        receipts.owe(tx, announce(tx, offer_id, "offer.confirmed", BIDDER), offer_id)
    return True
