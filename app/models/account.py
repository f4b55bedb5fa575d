"""What a person signs in with: one in the installation, whatever agencies they work in."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, String, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column

from app.core.language import DEFAULT
from app.models.base import Base, Id, Kept, kept


class Account(Base):
    """A person as they sign in: address, password, language. What they are in an agency is a `User`, one for each.

    It lives as long as one of those is active. Staff e-mails are plain (docs/decisions/0003-encryption.md).
    """

    __tablename__ = "account"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        UniqueConstraint("email"),
        UniqueConstraint("id", "email"),  # what a user's own copy of the address points at
        CheckConstraint("email = lower(email)", name="email_lower"),
    )

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(String(254))
    password_hash: Mapped[str] = mapped_column(String(200))
    language: Mapped[str] = mapped_column(String(2), default=DEFAULT)
    shortcuts: Mapped[bool] = mapped_column(default=True, server_default=true())
    created_at: Mapped[datetime]
