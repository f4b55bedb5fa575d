"""A feed tried out: its first rows as they would come in, read by a job, since the server may be slow.

A feed has one try at a time. What it showed is kept, sealed, with the feed, until the next one or a change.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from itertools import chain, islice
from typing import Any

from flask import current_app
from sqlalchemy import func, or_, select, update

from app.core.clock import now
from app.core.errors import Invalid
from app.core.keys import agency_key
from app.core.ledger import Actor
from app.core.unit_of_work import writing
from app.core.vault import Place, seal, unseal
from app.extensions import db
from app.feeds.csv_rows import BadRow
from app.feeds.editing import get_feed, mapping_of, source_of
from app.feeds.rows import NotForSale, named_by, read_row
from app.feeds.sources import Bounds, BrokenFeed, Source, pages
from app.models import PropertyFeed
from app.outbound.http_client import HttpClient

SHOWN = 10
PAGES, SECONDS = 2, 15.0
LEASE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class TriedRow:
    """One row: the `columns` of its property; without them its `errors`, or neither when it is not for sale."""

    number: int
    external_id: str
    columns: dict[str, Any] | None = None
    photo: str | None = None
    errors: dict[str, list[str]] = field(default_factory=dict)
    line: int = 0  # of the file, where there is one


@dataclass(frozen=True, slots=True)
class TryResult:
    """What a try came to: rows, or the `code` by which it broke."""

    rows: list[TriedRow]
    code: str = ""


def ask(feed: PropertyFeed, *, by: Actor) -> None:
    """Have it tried out as soon as possible; one that waits already is not queued again."""
    feed_id, agency_id = feed.id, feed.agency_id
    with writing(agency_id) as tx:
        mine = (PropertyFeed.agency_id == agency_id, PropertyFeed.id == feed_id, PropertyFeed.try_due_at.is_(None))
        fresh = {"try_due_at": tx.at, "try_until": None, "tried_at": None, "tried_ct": None}
        if tx.connection.execute(update(PropertyFeed).where(*mine).values(**fresh)).rowcount:
            tx.record("feed.tried", feed_id, by)


def outcome_of(feed: PropertyFeed) -> TryResult | None:
    """What the last try came to, while the feed is as it was tried."""
    if feed.tried_at is None or feed.tried_ct is None:
        return None
    told = json.loads(unseal(agency_key(feed.agency_id, "secret"), _place(feed.agency_id, feed.id), feed.tried_ct))
    return TryResult([TriedRow(**row) for row in told["rows"]], told["code"])


def waiting() -> Sequence[uuid.UUID]:
    """Agencies with a try that is due and none under way, the longest waiting first."""
    at = now()
    busy = select(PropertyFeed.agency_id).where(PropertyFeed.try_until >= at)
    due = select(PropertyFeed.agency_id).where(PropertyFeed.try_due_at <= at, PropertyFeed.agency_id.not_in(busy))
    db.session.rollback()
    return db.session.scalars(due.group_by(PropertyFeed.agency_id).order_by(func.min(PropertyFeed.try_due_at))).all()


def take(agency_id: uuid.UUID) -> PropertyFeed | None:
    """Take the agency's longest waiting try; None when none is due, or one is under way."""
    with writing(agency_id) as tx:
        mine = (PropertyFeed.agency_id == agency_id, PropertyFeed.try_due_at <= tx.at)
        free = or_(PropertyFeed.try_until.is_(None), PropertyFeed.try_until < tx.at)
        busy = select(PropertyFeed.id).where(PropertyFeed.agency_id == agency_id, PropertyFeed.try_until >= tx.at)
        next_one = select(PropertyFeed.id).where(*mine, free).order_by(PropertyFeed.try_due_at).limit(1)
        found = None if tx.connection.scalar(busy.limit(1)) else tx.connection.scalar(next_one)
        if found is None:
            return None
        taking = update(PropertyFeed).where(PropertyFeed.agency_id == agency_id, PropertyFeed.id == found)
        tx.connection.execute(taking.values(try_until=tx.at + LEASE))
    return get_feed(agency_id, found)


def run(feed: PropertyFeed) -> None:
    """Read the first rows of a feed that was taken, and keep the result. Nothing else is written."""
    feed_id, agency_id, until = feed.id, feed.agency_id, feed.try_until
    source, mapping, separators = source_of(feed), mapping_of(feed), feed.separators
    db.session.rollback()  # no transaction stays open while somebody else's server thinks
    try:
        outcome = TryResult(_rows(source, mapping, separators))
    except BrokenFeed as broken:
        outcome = TryResult([], broken.code)
    except Exception:
        _keep(agency_id, feed_id, until, TryResult([], "fault"))
        raise
    _keep(agency_id, feed_id, until, outcome)


def _rows(source: Source, mapping: dict[str, str], separators: str) -> list[TriedRow]:
    http = HttpClient(*current_app.extensions["bidflux_settings"].outbound)
    try:
        read = islice(pages(source, http, Bounds(seconds=SECONDS)), PAGES)
        first = enumerate(islice(chain.from_iterable(read), SHOWN), 1)
        return [_tried(number, row, mapping, separators) for number, row in first]
    finally:
        http.close()


def _tried(number: int, row: Any, mapping: dict[str, str], separators: str) -> TriedRow:
    line = getattr(row, "line", 0)
    if isinstance(row, BadRow):
        return TriedRow(number, "", errors={"": [row.why]}, line=line)
    named = named_by(row, mapping)
    try:
        sent = read_row(row, mapping, separators)
    except Invalid as invalid:
        errors = {name: [str(text) for text in messages] for name, messages in invalid.errors.items()}
        return TriedRow(number, named, errors=errors, line=line)
    except NotForSale:
        return TriedRow(number, named, line=line)
    return TriedRow(number, named, dict(sent.columns), sent.photo, line=line)


def _keep(agency_id: uuid.UUID, feed_id: uuid.UUID, until: Any, outcome: TryResult) -> None:
    text = json.dumps(asdict(outcome)).encode()
    sealed = seal(agency_key(agency_id, "secret"), _place(agency_id, feed_id), text)
    with writing(agency_id) as tx:
        mine = (PropertyFeed.agency_id == agency_id, PropertyFeed.id == feed_id, PropertyFeed.try_until == until)
        told = {"try_due_at": None, "try_until": None, "tried_at": tx.at, "tried_ct": sealed}
        tx.connection.execute(update(PropertyFeed).where(*mine).values(**told))


def _place(agency_id: uuid.UUID, feed_id: uuid.UUID) -> Place:
    return Place(agency_id, "property_feed", "tried", feed_id)
