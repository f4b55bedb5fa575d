"""What a person signs in with: one in the installation, whatever agencies they work in."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    false,
    true,
)
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
    # Whether signing in takes more than the password: there is a confirmed `Totp`, or a `Passkey`.
    has_factor: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime]


def _account() -> Mapped[uuid.UUID]:
    return mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)


class Totp(Base):
    """The secret that a person's phone makes codes of (RFC 6238), wrapped like a key; it counts once confirmed.

    `last_step` is the period of the last code that was taken: none is taken twice.
    """

    __tablename__ = "totp"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (Index("ix_totp_kek", "kek_id"),)

    account_id: Mapped[uuid.UUID] = _account()
    kek_id: Mapped[str] = mapped_column(String(16))
    wrapped: Mapped[bytes]
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)
    confirmed_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class RecoveryCode(Base):
    """One of ten codes for who has lost their phone, gone when used. 120 random bits: a plain SHA-256 hides them."""

    __tablename__ = "recovery_code"
    __kept__ = kept(Kept.MUTABLE)

    account_id: Mapped[uuid.UUID] = _account()
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)


class Passkey(Base):
    """A key that a person's device or password manager holds (WebAuthn); here is its public half.

    It is enough to sign in with: it asks the person itself who they are.
    """

    __tablename__ = "passkey"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (UniqueConstraint("credential_id"), Index("ix_passkey_account", "account_id"))

    id: Mapped[Id]
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    credential_id: Mapped[bytes]
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str] = mapped_column(String(60))
    # Kept by a password manager on several devices: one that is not goes with its device.
    backed_up: Mapped[bool]
    created_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class IssuerIdentity(Base):
    """As whom an OpenID Connect issuer knows a person: its own name for them, since an address may pass to others."""

    __tablename__ = "issuer_identity"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (Index("ix_issuer_identity_account", "account_id"),)

    issuer: Mapped[str] = mapped_column(String(300), primary_key=True)
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
