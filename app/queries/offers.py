"""Reading offers: one with everything it holds, and the few columns that name it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import select

from app import keys
from app.extensions import db
from app.models import Offer, OfferBody, OfferFile, OfferState
from app.offer_document import Document, decode
from app.vault import Place, unpad, unseal


@dataclass(frozen=True, slots=True)
class OpenedOffer:
    """An offer with its opened document; `document` is None once the person has been forgotten."""

    offer: Offer
    state: OfferState
    document: Document | None
    signature_image: bytes | None


def open_offer(offer: Offer, state: OfferState) -> OpenedOffer:
    """Open what is sealed of an offer that the caller was allowed to load."""
    key = keys.offer_key(offer.agency_id, offer.id)
    if key is None:
        return OpenedOffer(offer, state, None, None)
    sealed = db.session.scalars(select(OfferBody.body_ct).where(OfferBody.offer_id == offer.id)).one()
    document = decode(unpad(unseal(key, Place(offer.agency_id, "offer_body", "body", offer.id), sealed)))
    image = None
    if offer.signed:
        drawn = db.session.scalar(
            select(OfferFile.body_ct).where(OfferFile.offer_id == offer.id, OfferFile.kind == "signature")
        )
        if drawn:
            image = unseal(key, Place(offer.agency_id, "offer_file", "signature", offer.id), drawn)
    return OpenedOffer(offer, state, document, image)


def offer_by_id(offer_id: uuid.UUID) -> tuple[Offer, OfferState] | None:
    """For the bidder's own signed link only; people load through `access.get_offer`."""
    row = db.session.execute(
        select(Offer, OfferState).join(OfferState, OfferState.offer_id == Offer.id).where(Offer.id == offer_id)
    ).one_or_none()
    return (row[0], row[1]) if row else None
