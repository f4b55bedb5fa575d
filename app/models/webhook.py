"""Where an agency's CRM wants to be called."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Kept, kept, tenant_unique

# What the outside is told of. `webhook.test` goes only where it is asked for.
EVENTS = (
    "offer.created", "offer.viewed", "offer.status_changed", "offer.better_asked", "offer.superseded",
    "offer.confirmed", "offer.withdrawn", "offer.erased",
    "property.created", "property.updated", "property.archived", "link.rotated",
)  # fmt: skip
TEST = "webhook.test"
OFF_REASONS = ("owner", "gone", "failing")


class WebhookEndpoint(Base):
    """One address that events are sent to. Address and secrets are sealed under the agency's key.

    `events` are the types it wants, separated by spaces, or "" for all. `earlier_secret_ct` signs too until
    `earlier_until`, while the receiver changes over. `warned` counts the mails about the failure since `failing_since`.
    """

    __tablename__ = "webhook_endpoint"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        CheckConstraint("off_reason IN ('owner', 'gone', 'failing')", name="off_reason"),
        CheckConstraint("(off_at IS NULL) = (off_reason IS NULL)", name="off"),
        CheckConstraint("(earlier_secret_ct IS NULL) = (earlier_until IS NULL)", name="earlier"),
        Index("ix_webhook_endpoint_agency", "agency_id", "created_at"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    url_ct: Mapped[bytes]
    events: Mapped[str] = mapped_column(String(500), default="")
    secret_ct: Mapped[bytes]
    earlier_secret_ct: Mapped[bytes | None]
    earlier_until: Mapped[datetime | None]
    off_at: Mapped[datetime | None]
    off_reason: Mapped[str | None] = mapped_column(String(10))
    failing_since: Mapped[datetime | None]
    warned: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
