"""Offers: one immutable submission each, and beside it the few rows that may change."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Kept, kept, own, tenant_unique

STATUSES = ("new", "viewed", "accepted", "rejected")
FINANCING = ("cash", "credit", "mixed")
SOURCES = ("link", "agent", "api")
# What lists filter and sort by: columns of `Offer` that `OfferState` repeats.
COPIED = ("property_id", "amount_minor", "currency", "financing", "term_days", "source", "submitted_at")

_NEWEST = ("submitted_at", "offer_id")
_FILTERED = ("currency", "amount_minor", "financing", "term_days", "source", "signed", "latest")
_STATUS = "('new', 'viewed', 'accepted', 'rejected')"
_ACCEPTED = text("status = 'accepted'")
_FINANCING = "('cash', 'credit', 'mixed')"


class TextVersion(Base):
    """A notice or rule exactly as it was shown, named by its own hash. Shared by all agencies; not personal."""

    __tablename__ = "text_version"
    __kept__ = kept(Kept.APPEND, ("sha256",))

    sha256: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    language: Mapped[str] = mapped_column(String(2))
    body: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class Offer(Base):
    """What was sent, in the columns that stay in clear. The rest is in `OfferBody`, sealed."""

    __tablename__ = "offer"
    __kept__ = kept(Kept.APPEND, ("id",), ("reference",), ("agency_id", "previous_id"))
    __table_args__ = (
        tenant_unique(),
        UniqueConstraint("reference"),
        UniqueConstraint("agency_id", "previous_id"),
        own("property"),
        own("offer", "previous_id"),
        CheckConstraint("amount_minor > 0", name="amount_positive"),
        CheckConstraint("currency IN ('EUR', 'RON')", name="currency"),
        CheckConstraint(f"financing IN {_FINANCING}", name="financing"),
        CheckConstraint("source IN ('link', 'agent', 'api')", name="source"),
        CheckConstraint("term_days BETWEEN 0 AND 3650", name="term"),
        CheckConstraint("previous_id <> id", name="not_itself"),
        Index("ix_offer_property", "agency_id", "property_id", "submitted_at"),
        Index("ix_offer_valid_until", "agency_id", "valid_until", "id"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    property_id: Mapped[uuid.UUID]
    reference: Mapped[str] = mapped_column(String(11))
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    asking_minor: Mapped[int | None] = mapped_column(BigInteger)
    financing: Mapped[str] = mapped_column(String(10))
    term_days: Mapped[int]
    valid_until: Mapped[date | None]
    signed: Mapped[bool]
    source: Mapped[str] = mapped_column(String(10))
    language: Mapped[str] = mapped_column(String(2))
    link_version: Mapped[int]
    submitted_at: Mapped[datetime]
    previous_id: Mapped[uuid.UUID | None]
    commitment: Mapped[bytes] = mapped_column(LargeBinary(32))
    schema_no: Mapped[int]


class OfferBody(Base):
    """Ciphertext of the canonical JSON (RFC 8785): the very bytes that `Offer.commitment` is the hash of, padded."""

    __tablename__ = "offer_body"
    __kept__ = kept(Kept.APPEND, ("offer_id",))
    __table_args__ = (own("offer"),)

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    body_ct: Mapped[bytes]


class OfferKey(Base):
    """The offer's own random key, wrapped, with the folded name under it. Deleting this row forgets the person."""

    __tablename__ = "offer_key"
    __kept__ = kept(Kept.KEY, ("offer_id",))
    __table_args__ = (
        own("offer"),
        Index("ix_offer_key_kek", "kek_id"),
    )

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    kek_id: Mapped[str] = mapped_column(String(16))
    wrapped: Mapped[bytes]
    name_ct: Mapped[bytes]


class OfferFile(Base):
    """An image or document of the offer, sealed apart from the JSON, which names it by the hash of its plain bytes."""

    __tablename__ = "offer_file"
    __kept__ = kept(Kept.DELETE, ("offer_id", "kind"))
    __table_args__ = (
        own("offer"),
        CheckConstraint("kind IN ('signature', 'receipt')", name="kind"),
    )

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    agency_id: Mapped[uuid.UUID]
    mime: Mapped[str] = mapped_column(String(40))
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    body_ct: Mapped[bytes]


class OfferOrigin(Base):
    """The caller's address and browser, sealed; apart, since they may be forgotten before the offer is."""

    __tablename__ = "offer_origin"
    __kept__ = kept(Kept.DELETE, ("offer_id",))
    __table_args__ = (own("offer"),)

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    body_ct: Mapped[bytes]


class OfferTag(Base):
    """Blind index: HMAC-SHA256 of a normalised e-mail or phone under a random key of the agency, 16 bytes."""

    __tablename__ = "offer_tag"
    __kept__ = kept(Kept.DELETE, ("agency_id", "field", "tag", "offer_id"))
    __table_args__ = (
        own("offer"),
        CheckConstraint("field IN ('email', 'phone')", name="field"),
        Index("ix_offer_tag_offer", "agency_id", "offer_id"),
    )

    agency_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(String(10), primary_key=True)
    tag: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)


class Submission(Base):
    """One press of the button: the same form with the same content is the same offer, however often it arrives.

    Apart from `Offer`, so that the keyed hash of what was typed goes when the person is forgotten.
    """

    __tablename__ = "submission"
    __kept__ = kept(Kept.DELETE, ("property_id", "nonce", "content_mac"))
    __table_args__ = (
        own("property"),
        own("offer"),
        Index("ix_submission_offer", "agency_id", "offer_id"),
    )

    property_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    nonce: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    content_mac: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    agency_id: Mapped[uuid.UUID]
    offer_id: Mapped[uuid.UUID]


class OfferState(Base):
    """Where the agent stands with an offer, with copies of the columns that lists filter and sort by."""

    __tablename__ = "offer_state"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        own("offer"),
        own("property"),
        CheckConstraint(f"status IN {_STATUS}", name="status"),
        CheckConstraint("status = 'new' OR viewed_at IS NOT NULL OR decided_at IS NOT NULL", name="seen"),
        CheckConstraint("(status IN ('accepted', 'rejected')) = (decided_at IS NOT NULL)", name="decided"),
        # These hold everything that lists filter by, so that pages and counters never fetch the rows they leave out.
        Index("ix_offer_state_submitted", "agency_id", *_NEWEST, "status", "property_id", *_FILTERED),
        Index("ix_offer_state_status", "agency_id", "status", *_NEWEST, "property_id", *_FILTERED),
        Index("ix_offer_state_property", "agency_id", "property_id", *_NEWEST, "status", *_FILTERED),
        Index("ix_offer_state_amount", "agency_id", "currency", "amount_minor", "offer_id", "status"),
        Index("ix_offer_state_term", "agency_id", "term_days", "offer_id"),
        Index(
            "ix_offer_state_accepted", "agency_id", "property_id", sqlite_where=_ACCEPTED, postgresql_where=_ACCEPTED
        ),
        Index("ix_offer_state_updated", "agency_id", "updated_at", "offer_id"),
    )

    offer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    property_id: Mapped[uuid.UUID]
    status: Mapped[str] = mapped_column(String(10), default="new")
    version: Mapped[int] = mapped_column(default=1)
    amount_minor: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    financing: Mapped[str] = mapped_column(String(10))
    term_days: Mapped[int]
    source: Mapped[str] = mapped_column(String(10))
    signed: Mapped[bool]  # whether the signature counts: see app/offers/signed.py
    latest: Mapped[bool] = mapped_column(default=True)
    submitted_at: Mapped[datetime]
    viewed_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class Decision(Base):
    """One step of status: from, to, by whom, when; why, and what the bidder is told, sealed under the offer's key."""

    __tablename__ = "decision"
    __kept__ = kept(Kept.APPEND, ("id",), ("agency_id", "undoes_id"))
    __table_args__ = (
        tenant_unique(),
        own("offer"),
        UniqueConstraint("agency_id", "undoes_id"),
        own("decision", "undoes_id"),
        CheckConstraint(f"from_status IN {_STATUS} AND to_status IN {_STATUS}", name="statuses"),
        Index("ix_decision_offer", "agency_id", "offer_id", "at"),
        Index("ix_decision_at", "agency_id", "at"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    offer_id: Mapped[uuid.UUID]
    from_status: Mapped[str] = mapped_column(String(10))
    to_status: Mapped[str] = mapped_column(String(10))
    actor_type: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[uuid.UUID | None]
    at: Mapped[datetime]
    reason_ct: Mapped[bytes | None]
    message_ct: Mapped[bytes | None]
    undoes_id: Mapped[uuid.UUID | None]
