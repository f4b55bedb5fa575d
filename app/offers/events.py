"""The events of one offer: each carries the whole offer as the API shows it at that moment."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from app.core import keys
from app.core.ledger import Actor
from app.core.subjects import Subject
from app.core.unit_of_work import UnitOfWork
from app.core.vault import Place, unpad, unseal
from app.models import Confirmation, ConfirmationBody, Offer, OfferBody, OfferKey, OfferState, Property
from app.offers.api_pages import open_reason, standing_reasons
from app.offers.chain import replaced_by
from app.offers.document import decode
from app.offers.representation import confirmed_in, offer_json


def announce(
    tx: UnitOfWork,
    offer_id: uuid.UUID,
    kind: str,
    by: Actor,
    *,
    after: timedelta | None = timedelta(0),
    subject: Subject | None = None,
    **more: str,
) -> int:
    """Append an event about an offer as it is now, `more` beside its data; returns its number.

    Webhooks call `after` a while; with None they do not. The calls are about `subject`, or the event itself.
    """
    tx.flush()
    row = tx.connection.execute(_ROW.where(Offer.agency_id == tx.agency_id, Offer.id == offer_id)).one()
    state = tx.connection.execute(select(OfferState.__table__).where(OfferState.offer_id == offer_id)).one()
    key = keys.unwrap_offer_key(tx.agency_id, offer_id, row.kek_id, row.wrapped)
    document = decode(unpad(unseal(key, Place(tx.agency_id, "offer_body", "body", offer_id), row.body_ct)))
    reasons: dict[uuid.UUID, Any] = {}
    if state.status != "new":
        reasons = standing_reasons(tx.agency_id, [offer_id])
    reason = open_reason(state, reasons.get(offer_id), key)
    confirmed = {**confirmed_in(row), "confirmed_by": row.confirmed_by}
    shown = offer_json(row, state, document, external_id=row.external_id, reason=reason, **confirmed)
    of: dict[str, Any] = {"offer_id": offer_id, "property_id": row.property_id, **more}
    return tx.announce(kind, by, shown, key=key, after=after, subject=subject, **of)


_ROW = (
    select(
        *(column for column in Offer.__table__.c if column.name != "previous_id"),
        replaced_by().label("previous_id"), Property.external_id, OfferBody.body_ct, OfferKey.kek_id, OfferKey.wrapped,
        Confirmation.at.label("confirmed_at"), Confirmation.proof,
        ConfirmationBody.signature.label("confirmed_by"),
    )
    .join(Property, Property.id == Offer.property_id)
    .join(OfferBody, OfferBody.offer_id == Offer.id)
    .join(OfferKey, OfferKey.offer_id == Offer.id)
    .outerjoin(Confirmation, Confirmation.offer_id == Offer.id)
    .outerjoin(ConfirmationBody, ConfirmationBody.offer_id == Offer.id)
)  # fmt: skip
