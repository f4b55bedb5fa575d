"""Whose mailbox an address is, as far as that can be told: what only the bidder reads proves the bidder."""

from __future__ import annotations

import uuid

from sqlalchemy import select, union_all

from app import keys
from app.extensions import db
from app.models import Agency, OfferBody, User
from app.offer_document import Document, decode
from app.vault import Place, unpad, unseal


def is_bidders_own(agency_id: uuid.UUID, email: str | None) -> bool:
    """Whether a code sent there shows the bidder: an address that is neither the agency's nor one of its people's."""
    if not email:
        return False
    theirs = union_all(
        select(User.email).where(User.agency_id == agency_id), select(Agency.email).where(Agency.id == agency_id)
    )
    return _mailbox(email) not in {_mailbox(held) for held in db.session.scalars(theirs)}


def own_address(agency_id: uuid.UUID, offer_id: uuid.UUID) -> str | None:
    """The address of an offer's bidder, where a code sent there shows that it is they."""
    document = document_of(agency_id, offer_id)
    email = document.bidder.email if document else None
    return email if is_bidders_own(agency_id, email) else None


def document_of(agency_id: uuid.UUID, offer_id: uuid.UUID) -> Document | None:
    """What was sent, opened; None once the person has been forgotten."""
    key = keys.offer_key(agency_id, offer_id)
    body = db.session.scalar(
        select(OfferBody.body_ct).where(OfferBody.agency_id == agency_id, OfferBody.offer_id == offer_id)
    )
    if key is None or body is None:
        return None
    return decode(unpad(unseal(key, Place(agency_id, "offer_body", "body", offer_id), body)))


def _mailbox(email: str) -> str:
    """Mail servers read `ana+oferte@x.ro` as `ana@x.ro`."""
    local, _, domain = email.casefold().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"
