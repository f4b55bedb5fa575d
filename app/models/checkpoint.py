"""Signed heads of an agency's ledger, and the tries to have them timestamped."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Kept, kept


class Checkpoint(Base):
    """Head and count of a ledger at one moment, signed (Ed25519). `body` is the canonical JSON that was signed."""

    __tablename__ = "checkpoint"
    __kept__ = kept(Kept.APPEND, ("agency_id", "seq"))
    __table_args__ = (CheckConstraint("seq > 0", name="seq"),)

    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    body: Mapped[bytes]
    signature: Mapped[bytes] = mapped_column(LargeBinary(64))
    certificate: Mapped[str] = mapped_column(Text)


class Timestamping(Base):
    """One try to have a checkpoint timestamped (RFC 3161): the token, or why there is none."""

    __tablename__ = "timestamping"
    __kept__ = kept(Kept.APPEND, ("agency_id", "seq", "n"))
    __table_args__ = (
        ForeignKeyConstraint(["agency_id", "seq"], ["checkpoint.agency_id", "checkpoint.seq"]),
        CheckConstraint("(token IS NULL) <> (fault IS NULL)", name="outcome"),
    )

    agency_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    token: Mapped[bytes | None]
    fault: Mapped[str | None] = mapped_column(String(40))
