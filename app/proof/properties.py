"""Holds properties against what the ledger says of each: made, on the market or not, archived, its link, its agent, and
all that its link goes by."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import exists, select

from app.extensions import db
from app.models import LedgerEntry, Property
from app.proof.requests import moment, said_in
from app.properties.handover import CHANGED
from app.properties.witnessed import digest_of

BATCH = 2_000
MADE, CHANGED_FACTS, AVAILABILITY = "property.created", "property.updated", "property.availability"
ARCHIVED, RESTORED = "property.archived", "property.restored"
ON, OFF, RULES, ROTATED = "link.on", "link.off", "link.changed", "link.rotated"
SLOWED, UNSLOWED = "link.slowed", "link.unslowed"
KINDS = (MADE, CHANGED_FACTS, AVAILABILITY, ARCHIVED, RESTORED, ON, OFF, RULES, ROTATED, SLOWED, UNSLOWED, CHANGED)


@dataclass(slots=True)
class _Told:
    """A property as its entries tell it. None of what they do not say: those of before they said all of it."""

    made_at: datetime | None = None
    facts: str | None = None
    availability: str | None = None
    agent: str | None = None
    archived_at: datetime | None = None
    slowed_at: datetime | None = None
    takes_offers: bool = False
    emptied: bool = False  # with its agency, whose key for this is gone too
    link_version: int = 1
    rules: dict[str, Any] = field(default_factory=dict)

    def read(self, entry: Any) -> None:
        data, kind = said_in(entry.body), entry.kind
        if kind == MADE:
            self.made_at = entry.at
        elif kind in {ARCHIVED, RESTORED}:
            self.archived_at = entry.at if kind == ARCHIVED else None
        elif kind in {SLOWED, UNSLOWED}:
            self.slowed_at = entry.at if kind == SLOWED else None
        elif kind in {ON, OFF}:
            self.takes_offers = kind == ON
        elif kind == ROTATED:
            self.link_version = data.get("version", self.link_version)
        elif kind == AVAILABILITY:
            self.availability = data.get("to")
        for name in _RULES.keys() & data.keys():
            self.rules[name] = moment(data[name]) if name.endswith("_at") else data[name]
        self.facts, self.agent = data.get("facts", self.facts), data.get("agent", self.agent)

    def faults(self, row: Any) -> Iterator[str]:
        """What a row says otherwise."""
        if self.made_at != row.created_at:
            yield "when it was added is not what the ledger says"
        if self.availability not in {None, row.availability}:
            yield "whether it is on the market is not what the ledger says"
        if self.archived_at != row.archived_at:
            yield "whether it is archived, and since when, is not what the ledger says"
        if self.slowed_at != row.slowed_at:
            yield "whether its link is slowed down is not what the ledger says"
        if self.takes_offers != row.accepts_offers:
            yield "whether its link takes offers is not what the ledger says"
        if self.link_version != row.link_version:
            yield "which of its links is the present one is not what the ledger says"
        if any(getattr(row, _RULES[name]) != said for name, said in self.rules.items()):
            yield "when and how its link takes offers is not what the ledger says"
        if self.agent not in {None, str(row.agent_id)}:
            yield "whose property it is is not what the ledger says"
        if not self.emptied and self.facts not in {None, digest_of(row)}:
            yield "what it says of itself is not what the ledger names"


# What `link.*` entries say of a link, and the column of it.
_RULES = {
    "opens_at": "offers_open_at",
    "closes_at": "offers_close_at",
    "signature_required": "signature_required",
    "code_required": "code_required",
}


def property_faults(agency_id: uuid.UUID) -> Iterator[str]:
    """What does not hold, a line each."""
    told = _told(agency_id)
    ended = exists().where(LedgerEntry.agency_id == agency_id, LedgerEntry.kind == "agency.ended")
    emptied = bool(db.session.scalar(select(ended)))
    rows = db.session.execute(select(Property.__table__).where(Property.agency_id == agency_id))
    for row in rows.yield_per(BATCH):
        history = told.pop(row.id, None)
        if history:
            history.emptied = emptied
        found = history.faults(row) if history else ["it is not in the ledger"]
        yield from (f"property {row.id}: {one}" for one in found)
    for property_id in told:
        yield f"property {property_id}: in the ledger, not in the database"


def _told(agency_id: uuid.UUID) -> dict[uuid.UUID | None, _Told]:
    told: dict[uuid.UUID | None, _Told] = {}
    entry = LedgerEntry
    query = select(entry.kind, entry.at, entry.object_id, entry.body).where(
        entry.agency_id == agency_id, entry.kind.in_(KINDS)
    )
    for row in db.session.execute(query.order_by(entry.seq), execution_options={"yield_per": BATCH}):
        told.setdefault(row.object_id, _Told()).read(row)
    return told
