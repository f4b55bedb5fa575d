"""How many mails an agency may have sent to one bidder's mailbox, which nobody has proved to be theirs.

What a bidder sends themselves is always answered; this is about what the agency sets off. Mails to colleagues are not
counted.
"""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, func, select, update

from app.core.clock import now
from app.core.subjects import Subject
from app.core.unit_of_work import UnitOfWork, housekeeping
from app.models import Delivery
from app.offers import codes_a_day
from app.offers.mailboxes import tag_to_count_by

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
AN_HOUR, A_DAY = 10, 30
ASKED_FOR = (*codes_a_day.TEMPLATES, "privacy_proof")  # by whoever names the address, not by the agency
TOO_MANY = "recipient"  # why a mail is not sent, as its delivery says
NOT_SENT = f"No mail was sent: this address got {A_DAY} mails from the agency within a day"
LATER = f"The mail is sent later: this address got {AN_HOUR} mails from the agency within an hour"

_MINE = (
    Delivery.agency_id == bindparam("agency"),
    Delivery.recipient == bindparam("tag"),
    Delivery.reason.is_(None),
    Delivery.template.not_in(ASKED_FOR),
)
_LATEST = select(Delivery.due_at).where(*_MINE).order_by(Delivery.due_at.desc()).offset(AN_HOUR - 1).limit(1)
_OF_DAY = select(func.count()).where(*_MINE, Delivery.created_at > bindparam("since", type_=Delivery.created_at.type))


def write_to_bidder(
    tx: UnitOfWork,
    template: str,
    subject: Subject,
    *,
    offer_id: uuid.UUID,
    event_seq: int | None = None,
    after: timedelta = timedelta(0),
) -> str | None:
    """Owe a bidder a mail that the agency set off. What is too much for an hour is sent when the hour allows, what is
    too much for a day is written down and not sent. Returns what became of it, where it is not sent at once."""
    owed: dict[str, Any] = {"event_seq": event_seq, "offer_id": offer_id}
    tx.flush()
    tag = tag_to_count_by(tx.agency_id, offer_id)
    if tag is None or not tx.sends_mail:
        tx.owe_mail(template, subject, **owed, after=after)
        return None
    who = {"agency": tx.agency_id, "tag": tag}
    if (tx.connection.scalar(_OF_DAY, {**who, "since": tx.at - DAY}) or 0) >= A_DAY:
        tx.owe("mail", template, subject, **owed, refused=TOO_MANY)
        return NOT_SENT
    latest = tx.connection.scalar(_LATEST, who)
    wait = latest + HOUR - tx.at if latest else timedelta(0)
    tx.owe("mail", template, subject, **owed, after=max(after, wait), recipient=tag)
    return LATER if wait > after else None


def forget(limit: int = 1000) -> int:
    """Whom mails of yesterday went to need not be known; how many rows were changed."""
    with housekeeping() as connection:
        old = select(Delivery.id).where(Delivery.recipient.is_not(None), Delivery.ended_at < now() - DAY).limit(limit)
        return connection.execute(update(Delivery).where(Delivery.id.in_(old)).values(recipient=None)).rowcount
