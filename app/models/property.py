"""Properties. The link is columns of this row, not a table of its own."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    false,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.agency import Agency, User
from app.models.base import Base, Hundredths, Id, Kept, kept, own, tenant_unique

CURRENCIES = ("EUR", "RON")
PROPERTY_TYPES = ("apartment", "house", "land", "commercial", "office", "industrial", "other")
AVAILABILITY = ("available", "reserved", "sold", "rented", "withdrawn", "unavailable")
GONE = ("sold", "rented", "withdrawn", "unavailable")  # takes no offers; a reservation may still fall through
PRICE_VAT = ("included", "excluded", "exempt")


class Property(Base):
    __tablename__ = "property"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        UniqueConstraint("agency_id", "external_id"),
        own("user", "agent_id"),
        CheckConstraint("currency IN ('EUR', 'RON')", name="currency"),
        CheckConstraint("asking_minor IS NULL OR asking_minor > 0", name="asking_positive"),
        CheckConstraint(
            "offers_close_at IS NULL OR offers_open_at IS NULL OR offers_open_at < offers_close_at", name="window"
        ),
        CheckConstraint("link_version > 0", name="link_version"),
        CheckConstraint("NOT (accepts_offers AND archived_at IS NOT NULL)", name="archived_is_off"),
        CheckConstraint("NOT (accepts_offers AND transaction_type <> 'sale')", name="only_sale"),
        Index("ix_property_agent", "agency_id", "agent_id"),
        Index("ix_property_updated", "agency_id", "updated_at", "id"),
        Index("ix_property_title", "agency_id", "title"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    agent_id: Mapped[uuid.UUID]
    external_id: Mapped[str | None] = mapped_column(String(100))
    title: Mapped[str] = mapped_column(String(200))
    title_en: Mapped[str | None] = mapped_column(String(200))
    description: Mapped[str | None] = mapped_column(Text)
    description_en: Mapped[str | None] = mapped_column(Text)
    property_type: Mapped[str] = mapped_column(String(20), default="apartment")
    transaction_type: Mapped[str] = mapped_column(String(10), default="sale")
    availability: Mapped[str] = mapped_column(String(20), default="available")
    address: Mapped[str | None] = mapped_column(String(300))
    show_exact_address: Mapped[bool] = mapped_column(default=False)
    zone: Mapped[str | None] = mapped_column(String(120))
    city: Mapped[str | None] = mapped_column(String(120))
    county: Mapped[str | None] = mapped_column(String(120))
    country: Mapped[str] = mapped_column(String(2), default="RO")
    usable_area_sqm: Mapped[float | None] = mapped_column(Hundredths)
    built_area_sqm: Mapped[float | None] = mapped_column(Hundredths)
    land_area_sqm: Mapped[float | None] = mapped_column(Hundredths)
    rooms: Mapped[float | None] = mapped_column(Hundredths)
    asking_minor: Mapped[int | None] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3), default="EUR")
    price_vat: Mapped[str | None] = mapped_column(String(10))
    buyer_commission: Mapped[str | None] = mapped_column(String(120))
    crm_url: Mapped[str | None] = mapped_column(String(500))
    accepts_offers: Mapped[bool] = mapped_column(default=False)
    offers_open_at: Mapped[datetime | None]
    offers_close_at: Mapped[datetime | None]
    signature_required: Mapped[bool] = mapped_column(default=False)
    code_required: Mapped[bool] = mapped_column(default=False, server_default=false())
    field_rules: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    link_version: Mapped[int] = mapped_column(default=1)
    photo_id: Mapped[uuid.UUID | None]
    version: Mapped[int] = mapped_column(default=1)
    archived_at: Mapped[datetime | None]
    slowed_at: Mapped[datetime | None]  # when an agent slowed its link down
    told_at: Mapped[datetime | None]  # when an agent settled what the bidders of one that is gone are told
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    agency: Mapped[Agency] = relationship(viewonly=True, lazy="raise_on_sql")
    agent: Mapped[User] = relationship(
        viewonly=True, lazy="raise_on_sql", primaryjoin="foreign(Property.agent_id) == User.id"
    )

    def local_title(self, language: str) -> str:
        return str(local(self, "title", language))

    @property
    def gone(self) -> bool:
        """Whether it is to be had no more: archived, sold, rented, taken off the market."""
        return self.archived_at is not None or self.availability in GONE

    @property
    def shown_address(self) -> str:
        """As much of the address as the agent lets a buyer see."""
        return shown_address(self)


def local(row: Any, name: str, language: str) -> Any:
    """A text of a property in a language: its own column for that (`title_en`), or else what the agency wrote."""
    return getattr(row, f"{name}_{language}", None) or getattr(row, name)


class Upload(Base):
    """A picture of a property, re-encoded by us. Replaced by a new row, never changed."""

    __tablename__ = "upload"
    __kept__ = kept(Kept.DELETE, ("id",))
    __table_args__ = (
        tenant_unique(),
        own("property"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    property_id: Mapped[uuid.UUID]
    mime: Mapped[str] = mapped_column(String(40))
    width: Mapped[int]
    height: Mapped[int]
    body: Mapped[bytes]
    sha256: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_at: Mapped[datetime]


class LinkActivity(Base):
    """How often a property's link was looked at and begun, by day of the agency; of persons nothing is kept."""

    __tablename__ = "link_activity"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (own("property"),)

    property_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    opened: Mapped[int] = mapped_column(default=0)
    begun: Mapped[int] = mapped_column(default=0)


class PhotoCopy(Base):
    """The photo that a CRM names for a property, copied once for each address it ever had there.

    `due_at` is when it is fetched next, and moves on while somebody does; empty once it is copied or given up, which
    `fault` tells apart.
    """

    __tablename__ = "photo_copy"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (own("property"), Index("ix_photo_copy_due", "due_at"))

    property_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    agency_id: Mapped[uuid.UUID]
    url_ct: Mapped[bytes]
    due_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(default=0)
    fault: Mapped[str] = mapped_column(String(20), default="")
    updated_at: Mapped[datetime]


def shown_address(prop: Any) -> str:
    """As much of the address as the agent lets a buyer see."""
    street = prop.address if prop.show_exact_address else None
    return ", ".join(dict.fromkeys(part for part in (street, prop.zone, prop.city, prop.county) if part))
