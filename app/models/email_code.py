"""The six digits by which a bidder shows that the e-mail address of an offer is theirs."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Kept, kept, own


class EmailCode(Base):
    """The `n`th code sent for an offer: sealed under the offer's key, good for a while and for a few tries."""

    __tablename__ = "email_code"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (own("offer"), CheckConstraint("tries BETWEEN 0 AND 5", name="tries"))

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    agency_id: Mapped[uuid.UUID]
    code_ct: Mapped[bytes]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    tries: Mapped[int]
    used_at: Mapped[datetime | None]
