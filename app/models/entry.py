"""Set-up links, invitations, and requests for a new password from people who are not signed in."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.core.language import DEFAULT
from app.models.agency import AGENT
from app.models.base import Base, Id, Kept, kept, tenant_unique


class ResetRequest(Base):
    """Somebody asked for a link to choose a password. `mark` is a keyed hash of the address that they typed; whether
    anybody signs in with it is looked up by whoever answers, seconds later, and the row is gone."""

    __tablename__ = "reset_request"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (Index("ix_reset_request_created", "created_at"),)

    id: Mapped[Id]
    mark: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime]


class SetupLink(Base):
    """A link by which the first agency of an installation is made. All are gone once there is one."""

    __tablename__ = "setup_link"
    __kept__ = kept(Kept.MUTABLE)

    id: Mapped[Id]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Invitation(Base):
    """A colleague who was asked in by mail; the `User` is made when they choose a password, and this row is gone.

    Until then nobody but the mailbox learns whether the address signs in elsewhere already: for the agency a known
    address waits like any other.
    """

    __tablename__ = "invitation"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        UniqueConstraint("agency_id", "email"),
        CheckConstraint("role IN ('owner', 'agent', 'assistant')", name="role"),
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    email: Mapped[str] = mapped_column(String(254))
    full_name: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(20))
    role: Mapped[str] = mapped_column(String(10), default=AGENT)
    language: Mapped[str] = mapped_column(String(2), default=DEFAULT)
    invited_at: Mapped[datetime]
