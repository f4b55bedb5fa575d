"""Offers that take the place of others, where that was not plain when they came in."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Kept, kept, own


class ReplaceCode(Base):
    """One form whose sender wants to replace an offer, and the code that went to the address of that offer.

    `offer_id` is None where nothing can be replaced: a row is kept all the same, so that nobody is told what exists.
    The digits are made of the agency's secret and of this row, so that no two sendings share them: they are not stored.
    """

    __tablename__ = "replace_code"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        own("offer"),
        CheckConstraint("tries BETWEEN 0 AND 3", name="tries"),
        CheckConstraint("proved_at IS NULL OR offer_id IS NOT NULL", name="proved"),
        Index("ix_replace_code_offer", "agency_id", "offer_id"),
        Index("ix_replace_code_sent_at", "sent_at"),
    )

    nonce: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"), primary_key=True)
    offer_id: Mapped[uuid.UUID | None]
    n: Mapped[int]
    tries: Mapped[int]
    sent_at: Mapped[datetime]
    proved_at: Mapped[datetime | None]


class Supersession(Base):
    """A recorded offer took the place of another when it was confirmed; until then it only said that it would."""

    __tablename__ = "supersession"
    __kept__ = kept(Kept.APPEND, ("offer_id",), ("agency_id", "previous_id"))
    __table_args__ = (
        UniqueConstraint("agency_id", "previous_id"),
        own("offer"),
        own("offer", "previous_id"),
        CheckConstraint("previous_id <> offer_id", name="not_itself"),
    )

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    previous_id: Mapped[uuid.UUID]
    at: Mapped[datetime]
