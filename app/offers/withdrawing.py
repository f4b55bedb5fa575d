"""A bidder withdraws an offer: a row is added and the agent told. The offer itself stays as it was sent."""

from __future__ import annotations

from sqlalchemy import select, update

from app.accounts.deputies import owe_notice
from app.core import keys
from app.core.errors import IllegalTransition
from app.core.ledger import BIDDER
from app.core.subjects import about
from app.core.unit_of_work import writing
from app.core.vault import Place, seal
from app.models import Offer, OfferState, Property, Withdrawal
from app.offers.better_offers import end_request
from app.offers.entry import witness
from app.offers.events import announce


def withdraw(offer: Offer, message: str | None = None) -> bool:
    """Withdraw an offer, whatever the agent has answered so far; False when it was withdrawn before.

    The status stays: withdrawn is a mark beside it. An open request for a better offer ends, and what was still owed
    to the bidder about a decision does not leave. Raises `IllegalTransition` for an offer replaced or erased.
    """
    agency_id, offer_id = offer.agency_id, offer.id
    with writing(agency_id) as tx:
        mine = (OfferState.agency_id == agency_id, OfferState.offer_id == offer_id)
        state = tx.connection.execute(
            select(OfferState.latest, OfferState.withdrawn_at, OfferState.erased_at, Property.agent_id)
            .join(Property, Property.id == OfferState.property_id)
            .where(*mine)
        ).one()
        key = keys.offer_key(agency_id, offer_id)
        if state.erased_at or key is None or not state.latest:
            raise IllegalTransition
        if state.withdrawn_at:
            return False
        place = Place(agency_id, "withdrawal", "message", offer_id)
        sealed = seal(key, place, message.encode()) if message else None
        tx.add(Withdrawal, offer_id=offer_id, at=tx.at, message_ct=sealed)
        tx.connection.execute(
            update(OfferState).where(*mine).values(withdrawn_at=tx.at, version=OfferState.version + 1, updated_at=tx.at)
        )
        end_request(tx, offer_id)
        tx.record("offer.withdrawn", offer_id, BIDDER, {"message": witness(sealed)})
        announce(tx, offer_id, "offer.withdrawn", BIDDER)
        owe_notice(tx, "withdrawn_agent", about("offer", offer_id), offer_id=offer_id, agent_id=state.agent_id)
        tx.owe_mail("withdrawn_bidder", about("offer", offer_id), offer_id=offer_id)
    return True
