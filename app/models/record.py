"""The ledger, the events, the deliveries with their attempts, and who saw what."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, String, TextClause, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Kept, kept, own, tenant_unique

DELIVERY_KINDS = ("mail", "webhook", "receipt")
DELIVERY_STATES = ("pending", "leased", "delivered", "dead", "cancelled")
_ENDPOINT = text("endpoint_id IS NOT NULL")
_OPEN_MAIL = text("endpoint_id IS NULL AND ended_at IS NULL")
_DEAD_MAIL = text("kind = 'mail' AND state = 'dead'")
_TO_SOMEBODY = text("recipient IS NOT NULL")
_TO_USER = text("kind = 'mail' AND user_id IS NOT NULL")
_TO_OTHERS = text("kind = 'mail' AND user_id IS NULL")
ACTORS = ("user", "api_key", "bidder", "system")


class LedgerEntry(Base):
    """One link of the agency's hash chain. `hash` = SHA-256(previous hash ‖ body); `body` holds no personal text."""

    __tablename__ = "ledger"
    __kept__ = kept(Kept.APPEND, ("agency_id", "seq"))
    __table_args__ = (
        CheckConstraint("seq > 0", name="seq"),
        CheckConstraint("actor_type IN ('user', 'api_key', 'bidder', 'system')", name="actor"),
        Index("ix_ledger_object", "agency_id", "object_id", "seq"),
    )

    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(40))
    object_id: Mapped[uuid.UUID | None]
    actor_type: Mapped[str] = mapped_column(String(10))
    actor_id: Mapped[uuid.UUID | None]
    body: Mapped[bytes]
    hash: Mapped[bytes] = mapped_column(LargeBinary(32))


class Event(Base):
    """One change as the CRM sees it; the body is sealed under the offer's key, or the agency's where there is none."""

    __tablename__ = "event"
    __kept__ = kept(Kept.APPEND, ("agency_id", "seq"))
    __table_args__ = (
        own("offer"),
        own("property"),
        CheckConstraint("seq > 0", name="seq"),
        Index("ix_event_offer", "agency_id", "offer_id"),
    )

    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"), primary_key=True)
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    type: Mapped[str] = mapped_column(String(40))
    offer_id: Mapped[uuid.UUID | None]
    property_id: Mapped[uuid.UUID | None]
    body_ct: Mapped[bytes]


def _once(name: str, where: TextClause, *columns: str) -> Index:
    """Owed once for these columns."""
    return Index(name, "agency_id", *columns, unique=True, sqlite_where=where, postgresql_where=where)


class Delivery(Base):
    """One mail, webhook call or receipt that is owed. `id` is its Message-ID or webhook-id over all attempts.

    `subject_type` and `subject_id` say what it is about (`app.core.subjects`); of before that was written down some do
    not know. `event_seq` is the event whose body it carries or tells of. A call names its `endpoint_id`; as a test it
    has a body of its own. A mail is owed once to each about the same thing; a receipt may be asked for again.
    """

    __tablename__ = "delivery"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        own("offer"),
        own("user"),
        CheckConstraint("kind IN ('mail', 'webhook', 'receipt')", name="kind"),
        CheckConstraint("event_seq > 0", name="event_seq"),
        CheckConstraint("(subject_type IS NULL) = (subject_id IS NULL)", name="subject"),
        CheckConstraint("state IN ('pending', 'leased', 'delivered', 'dead', 'cancelled')", name="state"),
        CheckConstraint("(state = 'leased') = (lease_token IS NOT NULL)", name="lease"),
        CheckConstraint("(lease_token IS NULL) = (lease_until IS NULL)", name="lease_until"),
        CheckConstraint("(state IN ('delivered', 'dead', 'cancelled')) = (ended_at IS NOT NULL)", name="ended"),
        Index("ix_delivery_due", "kind", "state", "due_at"),
        Index(
            "ix_delivery_turn",
            "agency_id",
            "kind",
            "state",
            "due_at",
            sqlite_where=_OPEN_MAIL,
            postgresql_where=_OPEN_MAIL,
        ),
        Index("ix_delivery_offer", "agency_id", "offer_id"),
        Index(
            "ix_delivery_dead_mail",
            "agency_id",
            "template",
            "offer_id",
            sqlite_where=_DEAD_MAIL,
            postgresql_where=_DEAD_MAIL,
        ),
        Index(
            "ix_delivery_recipient",
            "agency_id",
            "recipient",
            "due_at",
            sqlite_where=_TO_SOMEBODY,
            postgresql_where=_TO_SOMEBODY,
        ),
        Index(
            "ix_delivery_endpoint", "endpoint_id", "state", "due_at", sqlite_where=_ENDPOINT, postgresql_where=_ENDPOINT
        ),
        Index("ix_delivery_log", "endpoint_id", "created_at", "id", sqlite_where=_ENDPOINT, postgresql_where=_ENDPOINT),
        _once("uq_delivery_webhook", _ENDPOINT, "event_seq", "endpoint_id"),
        _once("uq_delivery_user", _TO_USER, "subject_type", "subject_id", "template", "user_id"),
        _once("uq_delivery_outside", _TO_OTHERS, "subject_type", "subject_id", "template"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    kind: Mapped[str] = mapped_column(String(10))
    template: Mapped[str] = mapped_column(String(40))
    subject_type: Mapped[str | None] = mapped_column(String(20))
    subject_id: Mapped[str | None] = mapped_column(String(60))
    event_seq: Mapped[int | None]
    offer_id: Mapped[uuid.UUID | None]
    user_id: Mapped[uuid.UUID | None]
    endpoint_id: Mapped[uuid.UUID | None]
    body_ct: Mapped[bytes | None]
    tried_before: Mapped[int] = mapped_column(default=0, server_default="0")  # attempts before it was sent again
    recipient: Mapped[bytes | None] = mapped_column(LargeBinary(16))  # a keyed hash, for a day, to count by
    reason: Mapped[str | None] = mapped_column(String(20))  # why it is not sent at all
    state: Mapped[str] = mapped_column(String(10), default="pending")
    due_at: Mapped[datetime]
    lease_token: Mapped[uuid.UUID | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    request_id: Mapped[str | None] = mapped_column(String(64))  # of the call that caused it, as the log has it


class Attempt(Base):
    """One try at a delivery: when, the code of the answer (SMTP or HTTP, 0 for none), the answer sealed."""

    __tablename__ = "attempt"
    __kept__ = kept(Kept.DELETE, ("delivery_id", "n"))
    __table_args__ = (own("delivery"),)

    delivery_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    agency_id: Mapped[uuid.UUID]
    at: Mapped[datetime]
    code: Mapped[int]
    answer_ct: Mapped[bytes | None]


class Access(Base):
    """Who saw personal data: an offer opened, an offer found by its person, a list exported."""

    __tablename__ = "access"
    __kept__ = kept(Kept.DELETE, ("id",))
    __table_args__ = (
        own("user"),
        CheckConstraint("kind IN ('viewed', 'searched', 'exported')", name="kind"),
        Index("ix_access_at", "agency_id", "at"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    user_id: Mapped[uuid.UUID]
    kind: Mapped[str] = mapped_column(String(12))
    offer_id: Mapped[uuid.UUID | None]
    at: Mapped[datetime]
