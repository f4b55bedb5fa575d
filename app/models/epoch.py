"""Past epochs: the histories that ended when a backup was restored."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Kept, kept


class PastEpoch(Base):
    """An epoch that a restore ended: up to event `last_seq` it is what it always was, the rest of it was lost."""

    __tablename__ = "past_epoch"
    __kept__ = kept(Kept.APPEND, ("agency_id", "name"))

    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"), primary_key=True)
    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    last_seq: Mapped[int]
    ended_at: Mapped[datetime]
