"""What CRMs read with their API keys, each once an hour."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Kept, kept, own

NOTED_ONCE_IN = timedelta(hours=1)  # a CRM asks for the same again and again


class KeyAccess(Base):
    """That a key read an offer, looked for a person, or was given a list of offers or events; each once an hour."""

    __tablename__ = "key_access"
    __kept__ = kept(Kept.DELETE, ("id",))
    __table_args__ = (
        own("api_key", "key_id"),
        CheckConstraint("kind IN ('read', 'searched', 'listed')", name="kind"),
        Index("ix_key_access_key", "agency_id", "key_id", "at"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID]
    key_id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(String(12))
    offer_id: Mapped[uuid.UUID | None]
    at: Mapped[datetime]
