"""How many codes may go to one mailbox from an agency in a day, for whichever offers and under whichever spelling.

What is guessed is guessed against the person, not against one offer; and whoever makes offers in their name must not
have them flooded.
"""

from __future__ import annotations

import os
from datetime import timedelta

from sqlalchemy import func, select

from app.core.unit_of_work import UnitOfWork
from app.models import Delivery

A_DAY, DAY = 20, timedelta(days=1)
TEMPLATES = ("offer_code", "replace_code")


def too_many(tx: UnitOfWork, tag: bytes | None) -> bool:
    """Whether a mailbox (`tag_to_count_by`) got as many as it may. What is owed one says its tag, to be counted by.

    Without a tag the question is the same, and its answer no: all mails that have none would be gone through.
    """
    tx.flush()
    of_mailbox = (Delivery.agency_id == tx.agency_id, Delivery.recipient == (tag or os.urandom(16)))
    codes = (Delivery.template.in_(TEMPLATES), Delivery.created_at > tx.at - DAY)
    return (tx.connection.scalar(select(func.count()).where(*of_mailbox, *codes)) or 0) >= A_DAY
