"""Feeds of an agency, their runs, and which properties came from each."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Id, Kept, kept, own, tenant_unique

KINDS = ("rebs", "json", "csv")
KEY_PLACES = ("header", "query")


class PropertyFeed(Base):
    """One source of properties. Address, key and an uploaded file are sealed under the agency's key.

    `mapping` is JSON: our field to the path of theirs. `separators` says what a point and a comma mean in its numbers.
    `every_hours` is 0 for a feed that only runs when asked to. It is read when `due_at` has come, by whoever takes it
    until `lease_until`. It is tried out likewise: asked for at `try_due_at`, taken until `try_until`; what that showed
    at `tried_at` is sealed in `tried_ct`.
    """

    __tablename__ = "property_feed"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        tenant_unique(),
        CheckConstraint("kind IN ('rebs', 'json', 'csv')", name="kind"),
        CheckConstraint("key_in IN ('header', 'query')", name="key_in"),
        CheckConstraint("(kind = 'csv') = (url_ct IS NULL)", name="source"),
        CheckConstraint("separators IN ('ask', 'comma', 'point')", name="separators"),
        CheckConstraint("every_hours >= 0", name="every_hours"),
        Index("ix_property_feed_due", "due_at"),
        Index("ix_property_feed_try", "try_due_at"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("agency.id"))
    name: Mapped[str] = mapped_column(String(100))
    kind: Mapped[str] = mapped_column(String(10))
    url_ct: Mapped[bytes | None]
    key_ct: Mapped[bytes | None]
    key_in: Mapped[str] = mapped_column(String(10), default="header")
    file_ct: Mapped[bytes | None] = mapped_column(deferred=True)  # as large as a file may be
    mapping: Mapped[str] = mapped_column(Text)
    separators: Mapped[str] = mapped_column(String(10), default="ask", server_default="ask")
    every_hours: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime | None]
    lease_until: Mapped[datetime | None]
    try_due_at: Mapped[datetime | None]
    try_until: Mapped[datetime | None]
    tried_at: Mapped[datetime | None]
    tried_ct: Mapped[bytes | None] = mapped_column(deferred=True)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class FeedRun(Base):
    """One reading of a feed. `seen` counts rows; `errors` is JSON: row, external id, what is wrong, at most a hundred.

    `complete` says that the whole feed was read, so that what is missing in it has vanished. `code` is why it broke.
    """

    __tablename__ = "feed_run"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (
        own("property_feed", "feed_id", ondelete="CASCADE"),
        CheckConstraint("state IN ('running', 'done', 'broken')", name="state"),
        Index("ix_feed_run_feed", "feed_id", "started_at"),
    )

    id: Mapped[Id]
    agency_id: Mapped[uuid.UUID]
    feed_id: Mapped[uuid.UUID]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    state: Mapped[str] = mapped_column(String(10))
    complete: Mapped[bool] = mapped_column(default=False)
    code: Mapped[str] = mapped_column(String(20), default="")
    seen: Mapped[int] = mapped_column(default=0)
    created: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    skipped: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    vanished: Mapped[int] = mapped_column(default=0)
    errors: Mapped[str] = mapped_column(Text, default="[]")


class FeedItem(Base):
    """A property that a feed has named, and since when it no longer does."""

    __tablename__ = "feed_item"
    __kept__ = kept(Kept.MUTABLE)
    __table_args__ = (own("property_feed", "feed_id", ondelete="CASCADE"),)

    feed_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    external_id: Mapped[str] = mapped_column(String(100), primary_key=True)
    agency_id: Mapped[uuid.UUID]
    seen_at: Mapped[datetime]
    vanished_at: Mapped[datetime | None]
