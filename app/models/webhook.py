"""Webhook endpoints of an agency's CRM."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Kept, kept, own, tenant_unique

# What the outside is told of. `webhook.test` goes only where it is asked for.
EVENTS = (
    "offer.created", "offer.viewed", "offer.status_changed", "offer.better_asked", "offer.superseded",
    "offer.confirmed", "offer.withdrawn", "offer.erased",
    "property.created", "property.updated", "property.archived", "link.rotated",
)  # fmt: skip
TEST = "webhook.test"


class WebhookEndpoint(Base):
    """One address that events are sent to. Address and secret are sealed under the agency's key.

    `events` are the types it wants, separated by spaces, or "" for all. `warned` counts the mails about the failure
    since `failing_since`.
    """

    __tablename__ = "webhook_endpoint"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        CheckConstraint("off_reason IN ('owner', 'gone', 'failing')", name="off_reason"),
        CheckConstraint("(off_at IS NULL) = (off_reason IS NULL)", name="off"),
        Index("ix_webhook_endpoint_agency", "agency_id", "created_at"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    url_ct: Mapped[bytes]
    events: Mapped[str] = mapped_column(String(500), default="")
    secret_ct: Mapped[bytes]
    off_at: Mapped[datetime | None]
    off_reason: Mapped[str | None] = mapped_column(String(10))
    failing_since: Mapped[datetime | None]
    warned: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class EarlierSecret(Base):
    """A secret that was replaced: it signs too until its own day is over, however often another one is made."""

    __tablename__ = "earlier_secret"
    __kept__ = kept(Kept.DELETE, ("id",))
    __table_args__ = (
        own("webhook_endpoint", "endpoint_id", ondelete="CASCADE"),
        Index("ix_earlier_secret_endpoint", "agency_id", "endpoint_id", "until"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID]
    endpoint_id: Mapped[uuid.UUID]
    secret_ct: Mapped[bytes]  # bound to the endpoint as `webhook_endpoint.secret_ct`, from where it comes
    until: Mapped[datetime]
