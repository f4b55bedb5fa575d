"""Reads one offer with everything it holds, or the few columns that name it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from app.core import keys
from app.core.money import Money
from app.core.vault import Place, unpad, unseal
from app.extensions import db
from app.models import (
    CODE,
    Confirmation,
    ConfirmationBody,
    LedgerEntry,
    Offer,
    OfferBody,
    OfferFile,
    OfferKey,
    OfferState,
    Property,
    Upload,
)
from app.offers.document import Document, decode


@dataclass(frozen=True, slots=True)
class OpenedOffer:
    """An offer with its key and opened document; both are None once the person has been forgotten."""

    offer: Offer
    state: OfferState
    key: bytes | None
    document: Document | None
    said: Any = None  # of its confirmation: `at`, `proof` and the sealed `said_ct`; None without one

    def unseal(self, table: str, column: str, row_id: uuid.UUID, sealed: bytes) -> bytes:
        """What else is sealed under the offer's key."""
        if self.key is None:
            raise LookupError(self.offer.id)
        return unseal(self.key, Place(self.offer.agency_id, table, column, row_id), sealed)


def open_offer(offer: Offer, state: OfferState) -> OpenedOffer:
    """Open what is sealed of an offer that the caller was allowed to load."""
    row = db.session.execute(
        select(OfferKey.kek_id, OfferKey.wrapped, OfferBody.body_ct)
        .add_columns(Confirmation.at, Confirmation.proof, ConfirmationBody.body_ct.label("said_ct"))
        .join(OfferBody, OfferBody.offer_id == OfferKey.offer_id)
        .outerjoin(Confirmation, Confirmation.offer_id == OfferKey.offer_id)
        .outerjoin(ConfirmationBody, ConfirmationBody.offer_id == OfferKey.offer_id)
        .where(OfferKey.agency_id == offer.agency_id, OfferKey.offer_id == offer.id)
    ).one_or_none()
    if row is None:
        return OpenedOffer(offer, state, None, None)
    key = keys.unwrap_offer_key(offer.agency_id, offer.id, row.kek_id, row.wrapped)
    document = decode(unpad(unseal(key, Place(offer.agency_id, "offer_body", "body", offer.id), row.body_ct)))
    return OpenedOffer(offer, state, key, document, row if row.at else None)


def signature_image(opened: OpenedOffer) -> bytes | None:
    """The drawn signature as PNG, or None where there is none."""
    if opened.key is None or not opened.offer.signed:
        return None
    chosen = select(OfferFile.body_ct).where(OfferFile.offer_id == opened.offer.id, OfferFile.kind == "signature")
    drawn = db.session.scalar(chosen)
    return opened.unseal("offer_file", "signature", opened.offer.id, drawn) if drawn else None


def offer_by_id(offer_id: uuid.UUID) -> tuple[Offer, OfferState] | None:
    """For the bidder's own signed link only; people load through `access.get_offer`."""
    row = db.session.execute(
        select(Offer, OfferState).join(OfferState, OfferState.offer_id == Offer.id).where(Offer.id == offer_id)
    ).one_or_none()
    return (row[0], row[1]) if row else None


def offer_by_reference(reference: str) -> Offer | None:
    """For a bidder whose cookie is then held against its id."""
    return db.session.scalar(select(Offer).where(Offer.reference == reference))


@dataclass(frozen=True, slots=True)
class Confirmed:
    """When the bidder confirmed an offer, and by what that is shown: `code` or `held_link`."""

    at: datetime
    proof: str

    @property
    def by_code(self) -> bool:
        return self.proof == CODE


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the bidder holds: the offer, its property with agent and agency, its place in the ledger."""

    offer: OpenedOffer
    prop: Property
    ledger_seq: int
    confirmed: Confirmed | None

    @property
    def confirmed_at(self) -> datetime | None:
        return self.confirmed.at if self.confirmed else None

    @property
    def unconfirmed(self) -> bool:
        """Recorded by somebody else, and not yet confirmed by the bidder."""
        return is_unconfirmed(self.offer.offer, self.offer.state, self.confirmed)

    @property
    def reference(self) -> str:
        return self.offer.offer.reference

    @property
    def submitted_at(self) -> datetime:
        return self.offer.offer.submitted_at

    @property
    def amount(self) -> Money:
        return Money(self.offer.offer.amount_minor, self.offer.offer.currency)

    @property
    def commitment(self) -> str:
        return self.offer.offer.commitment.hex()

    @property
    def email(self) -> str | None:
        return self.offer.document.bidder.email if self.offer.document else None


def open_receipt(offer_id: uuid.UUID) -> Receipt | None:
    """For the bidder's own signed link."""
    found = offer_by_id(offer_id)
    if found is None:
        return None
    offer, state = found
    prop = db.session.scalars(
        select(Property)
        .where(Property.id == offer.property_id)
        .options(joinedload(Property.agent), joinedload(Property.agency))
    ).one()
    seq = db.session.scalars(
        select(LedgerEntry.seq).where(
            LedgerEntry.agency_id == offer.agency_id,
            LedgerEntry.object_id == offer.id,
            LedgerEntry.kind == "offer.submitted",
        )
    ).one()
    return Receipt(open_offer(offer, state), prop, seq, confirmed(offer))


def is_unconfirmed(offer: Offer, state: OfferState, confirmed: object | None) -> bool:
    """Whether somebody else recorded the offer, and its bidder could still confirm it and has not."""
    return offer.source != "link" and not (confirmed or state.withdrawn_at or state.erased_at)


def confirmed(offer: Offer) -> Confirmed | None:
    """That a recorded offer is its bidder's, that a code made a signature count, or who answered for a bidder."""
    row = db.session.execute(
        select(Confirmation.at, Confirmation.proof).where(Confirmation.offer_id == offer.id)
    ).one_or_none()
    return Confirmed(row.at, row.proof) if row else None


@dataclass(frozen=True, slots=True)
class ConfirmationShown:
    """What was said: when, by what it shows, and the signature, if any, as `kind`, `text` and `data_url`."""

    at: datetime
    proof: str
    signature: dict[str, Any] | None


def confirmation_of(opened: OpenedOffer) -> ConfirmationShown | None:
    """The confirmation of an offer, opened; None without one, for a signature's code, or for a forgotten person."""
    confirmation = opened.said
    if confirmation is None or (opened.offer.source == "link" and confirmation.proof == CODE):
        return None
    signature = None
    if confirmation.said_ct:
        body = json.loads(unpad(opened.unseal("confirmation_body", "body", opened.offer.id, confirmation.said_ct)))
        signature = body["signature"]
    if signature and signature["image"]:
        signature = {**signature, "data_url": f"data:image/png;base64,{signature['image']}"}
    return ConfirmationShown(confirmation.at, confirmation.proof, signature)


def link_photo(prop: Property) -> Upload | None:
    """The picture of a property that the caller was allowed to load."""
    if prop.photo_id is None:
        return None
    return db.session.scalar(select(Upload).where(Upload.agency_id == prop.agency_id, Upload.id == prop.photo_id))


def photo_by_id(upload_id: uuid.UUID) -> Upload | None:
    """For a signed photo address only."""
    return db.session.get(Upload, upload_id)
