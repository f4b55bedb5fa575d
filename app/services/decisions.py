"""Where the agent stands with an offer. Every step is recorded with who, when and why; repeating one is a no-op."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select, update

from app import keys
from app.access import Person
from app.errors import Conflict, IllegalTransition
from app.ids import new_id
from app.ledger import Actor
from app.models import Access, Decision, Offer, OfferBody, OfferKey, OfferState, Property
from app.offer_document import decode
from app.representations import offer_json
from app.vault import Place, seal, unpad, unseal
from app.writing import UnitOfWork, writing

UNDO_SECONDS = 10
DECIDED = ("accepted", "rejected")


def view(offer: Offer, *, by: Person) -> None:
    """Record that a person opened the offer; a new one becomes viewed, and the first time is kept."""
    with writing(offer.agency_id) as tx:
        tx.add(Access, id=new_id(), user_id=by.user.id, kind="viewed", offer_id=offer.id, at=tx.at)
        state = _lock(tx, offer.id)
        if state.status == "new" and not state.erased_at:
            _step(tx, offer.id, state, "viewed", by.actor, None)
            _announce(tx, offer.id, "offer.viewed", by.actor)


def decide(
    offer_id: uuid.UUID,
    agency_id: uuid.UUID,
    status: str,
    *,
    by: Actor,
    reason: str | None = None,
    version: int | None = None,
    notify_bidder: bool = False,
) -> bool:
    """Set the status; return False when it already was so.

    `version` is the state as the decider saw it: `Conflict` when it has moved on. `IllegalTransition` for an offer
    withdrawn or erased, and for anyone but a person marking an offer new. The bidder's mail is due after ten seconds.
    """
    with writing(agency_id) as tx:
        state = _lock(tx, offer_id)
        if state.status == status:
            return False
        if version is not None and version != state.version:
            raise Conflict
        if state.withdrawn_at or state.erased_at or (status == "new" and not _unread(state, by)):
            raise IllegalTransition
        _step(tx, offer_id, state, status, by, reason)
        seq = _announce(tx, offer_id, "offer.status_changed", by, reason=reason, previous_status=state.status)
        if notify_bidder and status in DECIDED:
            tx.owe_mail("decision_bidder", seq, offer_id=offer_id, after=timedelta(seconds=UNDO_SECONDS))
    return True


def _unread(state: Any, by: Actor) -> bool:
    return by.type == "user" and state.status == "viewed"


def _lock(tx: UnitOfWork, offer_id: uuid.UUID) -> Any:
    columns = (
        OfferState.status,
        OfferState.version,
        OfferState.viewed_at,
        OfferState.withdrawn_at,
        OfferState.erased_at,
    )
    return tx.connection.execute(
        select(*columns).where(OfferState.agency_id == tx.agency_id, OfferState.offer_id == offer_id)
    ).one()


def _step(tx: UnitOfWork, offer_id: uuid.UUID, state: Any, to: str, by: Actor, reason: str | None) -> None:
    decision_id = new_id()
    key = keys.offer_key(tx.agency_id, offer_id)
    place = Place(tx.agency_id, "decision", "reason", decision_id)
    viewed: datetime | None = state.viewed_at or (tx.at if to != "new" else None)
    tx.add(
        Decision,
        id=decision_id,
        offer_id=offer_id,
        from_status=state.status,
        to_status=to,
        actor_type=by.type,
        actor_id=by.id,
        at=tx.at,
        reason_ct=seal(key, place, reason.encode()) if reason and key else None,
        undoes_id=None,
    )
    tx.connection.execute(
        update(OfferState)
        .where(OfferState.offer_id == offer_id, OfferState.version == state.version)
        .values(
            status=to,
            version=state.version + 1,
            viewed_at=viewed,
            decided_at=tx.at if to in DECIDED else None,
            updated_at=tx.at,
        )
    )
    kind = "offer.viewed" if state.status == "new" and to == "viewed" else "offer.decided"
    tx.record(kind, offer_id, by, {"from": state.status, "to": to, "decision": str(decision_id)})


def _announce(
    tx: UnitOfWork, offer_id: uuid.UUID, kind: str, by: Actor, *, reason: str | None = None, **more: str
) -> int:
    """The event of a step, with the whole offer as it is now."""
    row = tx.connection.execute(
        select(Offer.__table__, Property.external_id, OfferBody.body_ct, OfferKey.kek_id, OfferKey.wrapped)
        .join(Property, Property.id == Offer.property_id)
        .join(OfferBody, OfferBody.offer_id == Offer.id)
        .join(OfferKey, OfferKey.offer_id == Offer.id)
        .where(Offer.id == offer_id)
    ).one()
    state = tx.connection.execute(select(OfferState.__table__).where(OfferState.offer_id == offer_id)).one()
    key = keys.unwrap_offer_key(tx.agency_id, offer_id, row.kek_id, row.wrapped)
    document = decode(unpad(unseal(key, Place(tx.agency_id, "offer_body", "body", offer_id), row.body_ct)))
    shown = offer_json(row, state, document, external_id=row.external_id, reason=reason)
    return tx.announce(kind, by, shown, key=key, offer_id=offer_id, property_id=row.property_id, **more)
