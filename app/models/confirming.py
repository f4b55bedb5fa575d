"""What a bidder said when they confirmed an offer that was recorded for them."""

from __future__ import annotations

import uuid

from sqlalchemy import CheckConstraint, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Kept, kept, own


class ConfirmationBody(Base):
    """The canonical JSON of a confirmation, sealed under the offer's key; `commitment` is its SHA-256 in the ledger.

    It holds the language, the texts that were shown and, where the property asks for one, the signature.
    """

    __tablename__ = "confirmation_body"
    __kept__ = kept(Kept.APPEND, ("offer_id",))
    __table_args__ = (
        own("offer"),
        CheckConstraint("signature IN ('drawn', 'typed')", name="signature"),
    )

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    signature: Mapped[str | None] = mapped_column(String(10))
    commitment: Mapped[bytes] = mapped_column(LargeBinary(32))
    body_ct: Mapped[bytes]
