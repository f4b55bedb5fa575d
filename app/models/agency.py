"""The agency (the tenant), its users with their sessions, its keys and kept answers."""

from __future__ import annotations

import uuid
from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core.epochs import new_epoch
from app.core.language import DEFAULT
from app.models.account import Account
from app.models.base import Base, Id, Kept, kept, own, tenant_unique

OWNER, AGENT, ASSISTANT = "owner", "agent", "assistant"
ROLES = (OWNER, AGENT, ASSISTANT)
PURPOSES = ("blind_email", "blind_phone", "content", "secret")


class Agency(Base):
    """The tenant. Every write of an agency locks this row first, so commit order is sequence order."""

    __tablename__ = "agency"
    __kept__ = kept(Kept.MUTABLE)

    id: Mapped[Id]
    name: Mapped[str] = mapped_column(String(200))
    email: Mapped[str] = mapped_column(String(254))
    phone: Mapped[str | None] = mapped_column(String(20))
    zone: Mapped[str] = mapped_column(String(64), default="Europe/Bucharest")
    language: Mapped[str] = mapped_column(String(2), default=DEFAULT)
    # That a new property is priced in, unless it says otherwise: EUR or RON.
    currency: Mapped[str] = mapped_column(String(3), default="EUR", server_default="EUR")
    colleagues_read: Mapped[bool] = mapped_column(default=False)
    # Whether its people need a second factor to work here.
    needs_factor: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Does a bidder see on their page how the agency answered?
    bidders_see_status: Mapped[bool] = mapped_column(default=False, server_default=false())
    head_seq: Mapped[int] = mapped_column(default=0)
    head_hash: Mapped[bytes] = mapped_column(LargeBinary(32), default=bytes(32))
    event_seq: Mapped[int] = mapped_column(default=0)
    # Which history `event_seq` and every version belong to, and how many ended before it (app/core/epochs.py).
    epoch: Mapped[str] = mapped_column(String(16), default=new_epoch, server_default="")
    restores: Mapped[int] = mapped_column(default=0, server_default="0")
    # The agency whose test agency this is, for trying the API out. No foreign key: SQLite cannot add one in place.
    test_of_id: Mapped[uuid.UUID | None] = mapped_column(default=None)
    # Whether any webhook endpoint is on: a write looks for them only then.
    has_webhooks: Mapped[bool] = mapped_column(default=False, server_default=false())
    # How often a privacy notice was set; none was while it is 0.
    notice_version: Mapped[int] = mapped_column(default=0, server_default="0")
    # For the notice: the company behind the name (registered name, number, seat), and who answers about data.
    company: Mapped[str | None] = mapped_column(String(300), default=None)
    privacy_contact: Mapped[str | None] = mapped_column(String(254), default=None)
    # When what the default notice says of the agency last changed: name, contact, how long things are kept.
    facts_at: Mapped[datetime | None] = mapped_column(default=None)
    # What it has written, to hold against its quotas: on which day (UTC), how much then, how much in all.
    used_on: Mapped[date | None] = mapped_column(default=None)
    day_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    day_offers: Mapped[int] = mapped_column(default=0, server_default="0")
    all_bytes: Mapped[int] = mapped_column(BigInteger, default=0, server_default="0")
    recorded_offers: Mapped[int] = mapped_column(default=0, server_default="0")
    created_at: Mapped[datetime]
    # Since when it is no more; its ledger stays (app/privacy/agency_end.py).
    ended_at: Mapped[datetime | None] = mapped_column(default=None)

    __table_args__ = (Index("uq_agency_test_of_id", "test_of_id", unique=True),)


class User(Base):
    """A person in one agency: who signs in there (`account`), or once did.

    Whoever has left has no account here any more, so that nothing they change elsewhere is told to this agency. The
    address is the account's own; the database changes it along.
    """

    __tablename__ = "user"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        UniqueConstraint("agency_id", "email"),
        ForeignKeyConstraint(["account_id", "email"], ["account.id", "account.email"], onupdate="CASCADE"),
        Index("ix_user_account", "account_id", "email"),
        CheckConstraint("role IN ('owner', 'agent', 'assistant')", name="role"),
        CheckConstraint("email = lower(email)", name="email_lower"),
        CheckConstraint("active = (account_id IS NOT NULL)", name="account"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    account_id: Mapped[uuid.UUID | None]
    email: Mapped[str] = mapped_column(String(254))
    full_name: Mapped[str] = mapped_column(String(200))
    phone: Mapped[str | None] = mapped_column(String(20))
    role: Mapped[str] = mapped_column(String(10), default=AGENT)
    active: Mapped[bool] = mapped_column(default=True)
    # Of who has left: the language they read, for the mail that lets them in again.
    read_in: Mapped[str | None] = mapped_column(String(2), default=None)
    # When they last switched to this agency: signing in leads to where they were last.
    chosen_at: Mapped[datetime | None] = mapped_column(default=None)
    # Who gets their notices too, from one day to another. No foreign key: SQLite cannot add one in place.
    deputy_id: Mapped[uuid.UUID | None] = mapped_column(default=None)
    deputy_from: Mapped[date | None] = mapped_column(default=None)
    deputy_until: Mapped[date | None] = mapped_column(default=None)
    created_at: Mapped[datetime]

    account: Mapped[Account | None] = relationship(viewonly=True)

    @property
    def is_owner(self) -> bool:
        return self.role == OWNER

    @property
    def language(self) -> str:
        return self.account.language if self.account else self.read_in or DEFAULT

    @property
    def has_factor(self) -> bool:
        return self.account is not None and self.account.has_factor

    @property
    def shortcuts(self) -> bool:
        return self.account is not None and self.account.shortcuts


class StaffAddress(Base):
    """An address that is, or once was, the agency's or one of its people's: a code from there never shows a bidder."""

    __tablename__ = "staff_address"
    __kept__ = kept(Kept.DELETE, ("agency_id", "email"))

    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), primary_key=True)
    since: Mapped[datetime]


class UserSession(Base):
    """One signed-in browser. The cookie holds a random token; the row holds its SHA-256 and can be ended.

    It is the person's, in whichever of their agencies: `user_id` says in which they are now.
    """

    __tablename__ = "user_session"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        own("user", ondelete="CASCADE"),
        Index("ix_user_session_user", "agency_id", "user_id"),
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(unique=True)
    agency_id: Mapped[uuid.UUID]
    user_id: Mapped[uuid.UUID]
    browser: Mapped[str] = mapped_column(String(60))
    # The network that it was started from (/24, or /48 of IPv6): a place of no more than that is honest.
    place: Mapped[str] = mapped_column(String(45), default="", server_default="")
    # When the person last showed who they are: at signing in, and again before what matters most.
    proven_at: Mapped[datetime | None]
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class ApiKey(Base):
    """A CRM's way in: only the SHA-256 of the key is kept."""

    __tablename__ = "api_key"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        UniqueConstraint("key_hash"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    name: Mapped[str] = mapped_column(String(100))
    prefix: Mapped[str] = mapped_column(String(16))
    key_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    scopes: Mapped[str] = mapped_column(String(40), server_default="read write")
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]

    @property
    def is_test(self) -> bool:
        return self.prefix.startswith("bfx_test_")

    def has_expired(self, at: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= at


class Idempotency(Base):
    """An answer kept for whoever sends the same `Idempotency-Key` again, committed with what it speaks of.

    The name is one in the whole agency: a call may come again with another of its API keys while they change. `key_id`
    is the one by which it was made.

    Sealed under the key of the offer it shows, where it shows one: it is forgotten with the person.
    """

    __tablename__ = "idempotency"
    __kept__ = kept(Kept.DELETE, ("agency_id", "name_hash"))
    __table_args__ = (
        own("api_key", "key_id"),
        own("offer"),
        Index("ix_idempotency_expires", "agency_id", "expires_at"),
        Index("ix_idempotency_offer", "agency_id", "offer_id"),
    )

    agency_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    key_id: Mapped[uuid.UUID]
    body_mac: Mapped[bytes] = mapped_column(LargeBinary(32))
    status: Mapped[int]
    answer_ct: Mapped[bytes]
    offer_id: Mapped[uuid.UUID | None]
    expires_at: Mapped[datetime]


class AgencyKey(Base):
    """Random keys of an agency, wrapped: blind indexes survive a rotation of `BIDFLUX_KEYS` unchanged."""

    __tablename__ = "agency_key"
    __kept__ = kept(Kept.KEY, ("agency_id", "purpose"))
    __table_args__ = (
        CheckConstraint("purpose IN ('blind_email', 'blind_phone', 'content', 'secret')", name="purpose"),
        Index("ix_agency_key_kek", "kek_id"),
    )

    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16), primary_key=True)
    kek_id: Mapped[str] = mapped_column(String(16))
    wrapped: Mapped[bytes]
