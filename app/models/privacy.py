"""Tombstones of erased offers, retention, and requests of persons."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Kept, kept, own, tenant_unique

_WHOLE = text("property_id IS NULL")
REASONS = ("retention", "person", "agency", "replayed")


class Tombstone(Base):
    """That an offer's person was forgotten, and why. The same is appended to a file kept with the keys."""

    __tablename__ = "tombstone"
    __kept__ = kept(Kept.APPEND, ("offer_id",))
    __table_args__ = (
        own("offer"),
        CheckConstraint("reason IN ('retention', 'person', 'agency', 'replayed')", name="reason"),
    )

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(12))


class Retention(Base):
    """How many days things are kept: of an agency, or, with `property_id`, of one property instead.

    `origin_days` is for the caller's address and browser, the others for offers by how they ended, counted from that
    end (`undecided_days` from when they came in). None in a property's row takes the agency's. Nothing is erased by a
    rule before `effective_from`; what is due up to `warned_until` has been announced to the owners.
    """

    __tablename__ = "retention"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        UniqueConstraint("agency_id", "property_id"),
        own("property"),
        CheckConstraint("origin_days BETWEEN 1 AND 3650", name="origin"),
        CheckConstraint("undecided_days BETWEEN 1 AND 3650", name="undecided"),
        CheckConstraint("rejected_days BETWEEN 1 AND 3650", name="rejected"),
        CheckConstraint("accepted_days BETWEEN 1 AND 3650", name="accepted"),
        Index("uq_retention_of_agency", "agency_id", unique=True, sqlite_where=_WHOLE, postgresql_where=_WHOLE),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    property_id: Mapped[uuid.UUID | None]
    origin_days: Mapped[int | None]
    undecided_days: Mapped[int | None]
    rejected_days: Mapped[int | None]
    accepted_days: Mapped[int | None]
    effective_from: Mapped[datetime]
    warned_until: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class PrivacyRequest(Base):
    """What a person asked of an agency: a copy of what is held about them (`access`), or to be forgotten (`erasure`).

    Nothing comes of it before they open the link in their mail and press its button (`proved_at`). Address and reason
    are sealed under the agency's key and dropped once they are needed no more: see `privacy_requests.forget`. `tag` is
    the blind index of the address, kept somewhat longer.
    """

    __tablename__ = "privacy_request"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        CheckConstraint("kind IN ('access', 'erasure')", name="kind"),
        CheckConstraint("outcome IN ('done', 'refused')", name="outcome"),
        CheckConstraint("(outcome IS NULL) = (ended_at IS NULL)", name="ended"),
        CheckConstraint("ended_at IS NULL OR proved_at IS NOT NULL", name="proved"),
        Index("ix_privacy_request_open", "agency_id", "ended_at", "created_at"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    kind: Mapped[str] = mapped_column(String(10))
    language: Mapped[str] = mapped_column(String(2))
    tag: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    email_ct: Mapped[bytes | None]
    reason_ct: Mapped[bytes | None]
    offers: Mapped[int | None]  # how many were forgotten
    created_at: Mapped[datetime]
    proved_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    reminded_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(String(10))
