"""Asking bidders for a better offer: one request each, with a deadline that is enforced, told in their own language."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, update

from app.core import keys
from app.core.access import Person
from app.core.clock import rfc3339
from app.core.errors import IllegalTransition
from app.core.ids import new_id
from app.core.quotas import hold_bytes
from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork, writing
from app.core.vault import Place, seal
from app.models import OfferRequest, OfferState, Property
from app.models.property import GONE
from app.offers.entry import witness
from app.offers.events import announce
from app.offers.recipient_limits import write_to_bidder


def ask(offers: Sequence[uuid.UUID], deadline: datetime, message: str | None, *, by: Person) -> None:
    """Ask the bidders of these offers, all or none; earlier open requests are replaced. `deadline` is aware and in the
    future.

    Raises `IllegalTransition` for an offer withdrawn, replaced or erased, or a property off the market, and
    `QuotaReached`.
    """
    with writing(by.agency_id) as tx:
        hold_bytes(tx)
        for offer_id in offers:
            _ask(tx, offer_id, deadline, message, by)


def _ask(tx: UnitOfWork, offer_id: uuid.UUID, deadline: datetime, message: str | None, by: Person) -> None:
    state = tx.connection.execute(
        select(OfferState.property_id, OfferState.latest, OfferState.withdrawn_at, OfferState.erased_at).where(
            OfferState.agency_id == tx.agency_id, OfferState.offer_id == offer_id
        )
    ).one()
    key = keys.offer_key(tx.agency_id, offer_id)
    prop = tx.connection.execute(_PROPERTY, {"id": state.property_id}).one()
    if prop.archived_at or prop.availability in GONE:
        raise IllegalTransition
    if not state.latest or state.withdrawn_at or state.erased_at or key is None:
        raise IllegalTransition
    end_request(tx, offer_id)
    request_id = new_id()
    place = Place(tx.agency_id, "offer_request", "message", request_id)
    sealed = seal(key, place, message.encode()) if message else None
    tx.add(
        OfferRequest,
        id=request_id,
        property_id=state.property_id,
        offer_id=offer_id,
        user_id=by.user.id,
        created_at=tx.at,
        deadline=deadline,
        message_ct=sealed,
        answer_id=None,
        cancelled_at=None,
        shown_at=None,
        shown_to=None,
    )
    data = {"request": str(request_id), "deadline": deadline.isoformat(), "message": witness(sealed)}
    tx.record("offer.better_asked", offer_id, by.actor, data)
    announce(tx, offer_id, "offer.better_asked", by.actor, deadline=rfc3339(deadline))
    write_to_bidder(tx, "offer_better", about("offer_request", request_id), offer_id=offer_id)


_PROPERTY = select(Property.archived_at, Property.availability).where(Property.id == bindparam("id"))


def take_back(offer_id: uuid.UUID, *, by: Person) -> bool:
    """End the open request of an offer; its link says so. Return False when there was none."""
    with writing(by.agency_id) as tx:
        if not end_request(tx, offer_id):
            return False
        tx.record("offer.better_taken_back", offer_id, by.actor)
    return True


def show_link(offer_id: uuid.UUID, *, by: Person) -> None:
    """Record that somebody of the agency looks at the link of an open request: from then on it proves nobody's
    identity. Raises `IllegalTransition` when there is none."""
    with writing(by.agency_id) as tx:
        mine = (OfferRequest.agency_id == tx.agency_id, OfferRequest.offer_id == offer_id)
        still = (OfferRequest.answer_id.is_(None), OfferRequest.cancelled_at.is_(None))
        asked = tx.connection.execute(select(OfferRequest.id, OfferRequest.shown_at).where(*mine, *still)).one_or_none()
        if asked is None:
            raise IllegalTransition
        if asked.shown_at is None:
            first = {"shown_at": tx.at, "shown_to": by.user.id}
            tx.connection.execute(update(OfferRequest).where(OfferRequest.id == asked.id).values(**first))
        tx.record("offer.better_link_shown", offer_id, by.actor, {"request": str(asked.id)})


def end_request(tx: UnitOfWork, offer_id: uuid.UUID) -> bool:
    """Within another step: the open request of an offer ends. False when there was none."""
    still = (OfferRequest.answer_id.is_(None), OfferRequest.cancelled_at.is_(None))
    mine = (OfferRequest.agency_id == tx.agency_id, OfferRequest.offer_id == offer_id)
    done = tx.connection.execute(update(OfferRequest).where(*mine, *still).values(cancelled_at=tx.at))
    return bool(done.rowcount)
