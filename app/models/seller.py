"""Links by which sellers read the offers for their property."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Kept, kept, own, tenant_unique


class SellerLink(Base):
    """A link to all offers of one property, to read only: until `expires_at`, or until it is revoked.

    `shows_names` says whether bidders are named. Its openings are entries of the ledger.
    """

    __tablename__ = "seller_link"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        own("property"),
        own("user"),
        CheckConstraint("expires_at > created_at", name="expires"),
        Index("ix_seller_link_property", "agency_id", "property_id", "created_at"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    property_id: Mapped[uuid.UUID]
    user_id: Mapped[uuid.UUID]
    shows_names: Mapped[bool]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    def state(self, at: datetime) -> str:
        """open, revoked or expired."""
        return "revoked" if self.revoked_at else "open" if at < self.expires_at else "expired"
