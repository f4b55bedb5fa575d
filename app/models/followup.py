"""Notes, requests for a better offer, confirmations of recorded offers, and moves in an order of offers."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Kept, kept, own, tenant_unique


class Note(Base):
    """What a colleague wrote beside an offer, for the agency only; sealed under the offer's key."""

    __tablename__ = "note"
    __kept__ = kept(Kept.DELETE, ("id",))
    __table_args__ = (
        tenant_unique(),
        own("offer"),
        own("user"),
        Index("ix_note_offer", "agency_id", "offer_id", "at"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    offer_id: Mapped[uuid.UUID]
    user_id: Mapped[uuid.UUID]
    at: Mapped[datetime]
    body_ct: Mapped[bytes]


class OfferRequest(Base):
    """A better offer asked of one bidder: open until its deadline, until it is answered, or taken back.

    `offer_id` is the offer it speaks of, `answer_id` the one that came of it; what the agent wrote is sealed under
    the key of the first.
    """

    __tablename__ = "offer_request"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        UniqueConstraint("agency_id", "answer_id"),
        own("property"),
        own("offer"),
        own("offer", "answer_id"),
        own("user"),
        CheckConstraint("deadline > created_at", name="deadline"),
        CheckConstraint("answer_id IS NULL OR cancelled_at IS NULL", name="ended_once"),
        CheckConstraint("answer_id <> offer_id", name="another"),
        Index("ix_offer_request_offer", "agency_id", "offer_id"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    property_id: Mapped[uuid.UUID]
    offer_id: Mapped[uuid.UUID]
    user_id: Mapped[uuid.UUID]
    created_at: Mapped[datetime]
    deadline: Mapped[datetime]
    message_ct: Mapped[bytes | None]
    answer_id: Mapped[uuid.UUID | None]
    cancelled_at: Mapped[datetime | None]
    shown_at: Mapped[datetime | None]  # when its link was first shown to somebody of the agency, and to whom
    shown_to: Mapped[uuid.UUID | None]


CODE, HELD_LINK = "code", "held_link"


class Confirmation(Base):
    """Somebody said that an offer is its bidder's, and what shows that it was the bidder.

    `code`: six digits that went to the bidder's own mailbox, or the page whose link went there alone. `held_link`: a
    link alone, which the agency held too.
    """

    __tablename__ = "confirmation"
    __kept__ = kept(Kept.APPEND, ("offer_id",))
    __table_args__ = (own("offer"), CheckConstraint("proof IN ('code', 'held_link')", name="proof"))

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    at: Mapped[datetime]
    proof: Mapped[str] = mapped_column(String(10), server_default=HELD_LINK)


class OfferMove(Base):
    """An offer that an agent put elsewhere in its property's order, and why (sealed under the offer's key)."""

    __tablename__ = "offer_move"
    __kept__ = kept(Kept.DELETE, ("offer_id",))
    __table_args__ = (
        own("property"),
        own("offer"),
        own("user"),
        CheckConstraint("place > 0", name="place"),
        Index("ix_offer_move_property", "agency_id", "property_id", "at"),
    )

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    property_id: Mapped[uuid.UUID]
    user_id: Mapped[uuid.UUID]
    at: Mapped[datetime]
    place: Mapped[int]
    reason_ct: Mapped[bytes | None]
