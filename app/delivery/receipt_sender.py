"""Receipts: made and sealed, then mailed, where they are not only made."""

from __future__ import annotations

from app.core.clock import now
from app.delivery.mailer import LEAST_LEASE, Mailer
from app.delivery.queue import Claimed, Outcome
from app.delivery.registry import registry


class ReceiptSender:
    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    def send(self, claimed: Claimed) -> Outcome:
        receipts = registry().receipts
        if claimed.offer_id is None:
            raise LookupError(claimed.template)
        if self._mailer.away or claimed.until - now() < LEAST_LEASE:
            return Outcome.untried(claimed)
        receipts.make(claimed.agency_id, claimed.offer_id)
        if claimed.template == receipts.only_made:
            return Outcome.untried(claimed, "delivered")
        return self._mailer.send(claimed)
