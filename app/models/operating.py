"""What belongs to the installation and to no agency: who runs it, and the work that comes at its time."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Kept, kept


class Operator(Base):
    """A person who sees the operator's page, marked by the command line. The mark goes with their account."""

    __tablename__ = "operator"
    __kept__ = kept(Kept.MUTABLE)

    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    since: Mapped[datetime]


class Chore(Base):
    """Work that comes at its time: how it was set, when it is due, when it was tried and last went well, and what went
    wrong if it did not."""

    __tablename__ = "chore"
    __kept__ = kept(Kept.MUTABLE)

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    due_at: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    good_at: Mapped[datetime | None]
    fault: Mapped[str | None] = mapped_column(String(300))
