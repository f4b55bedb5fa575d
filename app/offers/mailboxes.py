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
from app.core.vault import Place, unpad, unseal
from app.extensions import db
from app.models import Offer, OfferBody, StaffAddress
from app.offers.document import Document, decode

# Where dots before the @ say nothing, under whichever of their names.
DOTLESS = {"gmail.com": "gmail.com", "googlemail.com": "gmail.com"}


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
    mailbox = _mailbox(email)
    addresses = select(StaffAddress.email, StaffAddress.since).where(StaffAddress.agency_id == agency_id)
    return min((row.since for row in db.session.execute(addresses) if _mailbox(row.email) == mailbox), default=None)


def _mailbox(email: str) -> str:
    """What mail servers read an address as: `ana+oferte@x.ro` is `ana@x.ro`, and at Gmail `a.na` is `ana`."""
    local, _, domain = email.casefold().rpartition("@")
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError:
        pass  # as it is written, then
    local = local.partition("+")[0]
    if domain in DOTLESS:
        local, domain = local.replace(".", ""), DOTLESS[domain]
    return f"{local}@{domain}"
