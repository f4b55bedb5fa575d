"""Saved views: filters that a person keeps."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Kept, kept, own, tenant_unique


class SavedView(Base):
    """A filter of offers under a name. Both are sealed under the agency's key: a filter may hold whom one looks for."""

    __tablename__ = "saved_view"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        own("user", ondelete="CASCADE"),
        Index("ix_saved_view_user", "agency_id", "user_id"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    user_id: Mapped[uuid.UUID]
    body_ct: Mapped[bytes]
    created_at: Mapped[datetime]
