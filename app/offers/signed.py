"""When an offer counts as signed. `OfferState.signed` holds the answer for lists, filters, the API, pages and exports.

`Offer.signed` and the document say that a signature was given; where the property asked for a code it counts once the
code was entered. An offer that somebody else recorded is signed when its bidder confirms it with a signature and a
code; what came through a link that the agency held too never is.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, or_

from app.models import CODE, Confirmation, ConfirmationBody, EmailCode, Offer


def counts_as_signed() -> ColumnElement[bool]:
    """What `OfferState.signed` must be, from the rows that it follows from, until the person is forgotten."""
    asked = exists().where(EmailCode.offer_id == Offer.id)
    coded = exists().where(Confirmation.offer_id == Offer.id, Confirmation.proof == CODE)
    other = exists().where(Confirmation.offer_id == Offer.id, Confirmation.proof != CODE)
    later = exists().where(ConfirmationBody.offer_id == Offer.id, ConfirmationBody.signature.is_not(None))
    return or_(and_(Offer.signed, ~asked, ~other), and_(coded, or_(Offer.signed, later)))
