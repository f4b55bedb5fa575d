"""The privacy notice that an agency wrote itself, version by version."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.language import LANGUAGES
from app.models.base import Base, Kept, kept


class AgencyNotice(Base):
    """From `at` on, clients of the agency are shown this text in this language; without `sha256`, the default again."""

    __tablename__ = "agency_notice"
    __kept__ = kept(Kept.APPEND, ("agency_id", "language", "n"))
    __table_args__ = (
        CheckConstraint("n > 0", name="n"),
        CheckConstraint(f"language IN {tuple(LANGUAGES)}", name="language"),
    )

    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"), primary_key=True)
    language: Mapped[str] = mapped_column(String(2), primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    sha256: Mapped[bytes | None] = mapped_column(LargeBinary(32), ForeignKey("text_version.sha256"))
