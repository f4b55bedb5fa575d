"""How many codes may go to one mailbox from an agency in a day, for whichever offers.

What is guessed is guessed against the person, not against one offer; and whoever makes offers in their name must not
have them flooded.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import func, select

from app.core.unit_of_work import UnitOfWork
from app.models import EmailCode, OfferTag, ReplaceCode

A_DAY, DAY = 20, timedelta(days=1)


def too_many(tx: UnitOfWork, offer_id: uuid.UUID) -> bool:
    """Whether the address of an offer got as many as it may, for all offers under it."""
    tx.flush()
    mine = (OfferTag.agency_id == tx.agency_id, OfferTag.field == "email")
    tag = select(OfferTag.tag).where(*mine, OfferTag.offer_id == offer_id).scalar_subquery()
    same = select(OfferTag.offer_id).where(*mine, OfferTag.tag == tag)
    since = tx.at - DAY
    signing = select(func.count()).where(
        EmailCode.agency_id == tx.agency_id, EmailCode.offer_id.in_(same), EmailCode.created_at > since
    )
    replacing = select(func.coalesce(func.sum(ReplaceCode.n), 0)).where(
        ReplaceCode.agency_id == tx.agency_id, ReplaceCode.offer_id.in_(same), ReplaceCode.sent_at > since
    )
    return sum(tx.connection.scalar(query) or 0 for query in (signing, replacing)) >= A_DAY
