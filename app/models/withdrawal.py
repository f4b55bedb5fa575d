"""Withdrawals: offers that their bidders took back."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Kept, kept, own


class Withdrawal(Base):
    """A bidder said that their offer no longer stands; what they wrote to the agent is sealed under the offer's key."""

    __tablename__ = "withdrawal"
    __kept__ = kept(Kept.APPEND, ("offer_id",))
    __table_args__ = (own("offer"),)

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    at: Mapped[datetime]
    message_ct: Mapped[bytes | None]
