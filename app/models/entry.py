"""How people come in: what is asked at the door, before anybody knows who asks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index, LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Kept, kept


class ResetRequest(Base):
    """Somebody asked for a link to choose a password. `mark` is a keyed hash of the address that they typed; whether
    anybody signs in with it is looked up by whoever answers, seconds later, and the row is gone."""

    __tablename__ = "reset_request"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (Index("ix_reset_request_created", "created_at"),)

    id: Mapped[Id]
    mark: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime]
