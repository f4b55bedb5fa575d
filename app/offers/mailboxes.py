"""Whose mailbox an address is, as far as that can be told: what only the bidder reads proves the bidder.

Two questions, which an owner who changes the agency's address must not be able to mix up. *Does a code from there show
the bidder?* Not where the address was ever one of ours. *Can a code get to the bidder?* Wherever it was not ours when
the offer came in: what it became later takes nothing away from who wrote it down.
"""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import select

from app.core import keys
from app.core.contacts import mailbox_of
from app.core.vault import Place, blind, unpad, unseal
from app.extensions import db
from app.models import Offer, OfferBody, StaffAddress
from app.offers.document import Document, decode


def own_address(agency_id: uuid.UUID, offer_id: uuid.UUID) -> str | None:
    """The address of an offer's bidder, where a code sent there shows that it is they."""
    email = _address(agency_id, offer_id)
    return email if email and _ours_since(agency_id, email) is None else None


def reachable(agency_id: uuid.UUID, offer_id: uuid.UUID) -> str | None:
    """The address of an offer's bidder, where it was not one of the agency's when the offer came in; None too where
    there is no such offer, after the same questions."""
    email = _address(agency_id, offer_id)
    came = db.session.scalar(select(Offer.submitted_at).where(Offer.id == offer_id))
    return email if came and is_reachable(agency_id, email, came) else None


def is_reachable(agency_id: uuid.UUID, email: str | None, came: datetime) -> bool:
    """The same, for who has opened the offer already."""
    if not email:
        return False
    since = _ours_since(agency_id, email)
    return since is None or since > came


def document_of(agency_id: uuid.UUID, offer_id: uuid.UUID) -> Document | None:
    """What was sent, opened; None once the person has been forgotten."""
    key = keys.offer_key(agency_id, offer_id)
    body = db.session.scalar(
        select(OfferBody.body_ct).where(OfferBody.agency_id == agency_id, OfferBody.offer_id == offer_id)
    )
    if key is None or body is None:
        return None
    return decode(unpad(unseal(key, Place(agency_id, "offer_body", "body", offer_id), body)))


def _address(agency_id: uuid.UUID, offer_id: uuid.UUID) -> str | None:
    document = document_of(agency_id, offer_id)
    return document.bidder.email if document else None


def _ours_since(agency_id: uuid.UUID, email: str) -> datetime | None:
    """When a mailbox first was one of the agency's or of its people's; None where it never was."""
    mailbox = mailbox_of(email)
    addresses = select(StaffAddress.email, StaffAddress.since).where(StaffAddress.agency_id == agency_id)
    return min((row.since for row in db.session.execute(addresses) if mailbox_of(row.email) == mailbox), default=None)


def mailbox_tag(agency_id: uuid.UUID, email: str) -> bytes:
    """A keyed hash of the mailbox behind an address, to count by: never to say that two are one person."""
    return blind(keys.agency_key(agency_id, "blind_email"), f"mailbox {mailbox_of(email)}")


def tag_to_count_by(agency_id: uuid.UUID, offer_id: uuid.UUID) -> bytes | None:
    """The same of an offer's bidder; None where there is no address, or nobody any more."""
    email = _address(agency_id, offer_id)
    return mailbox_tag(agency_id, email) if email else None
