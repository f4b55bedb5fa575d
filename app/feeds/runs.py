"""One run of a feed: a hundred rows at a time by the same code as the API, then the properties that vanished."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import delete, insert, select, update

from app.core.collation import alphabetically
from app.core.errors import Invalid, QuotaReached
from app.core.ids import new_id
from app.core.language import msgid
from app.core.ledger import SYSTEM
from app.core.subjects import about
from app.core.typed_numbers import ASK
from app.core.unit_of_work import UnitOfWork, writing
from app.extensions import db
from app.feeds.csv_rows import BadRow
from app.feeds.editing import mapping_of, renew, source_of
from app.feeds.rows import NotForSale, named_by, read_row
from app.feeds.sources import BrokenFeed, Source, pages
from app.models import FeedItem, FeedRun, Property, PropertyFeed
from app.models.agency import User
from app.outbound.http_client import HttpClient
from app.properties.syncing import UNUSUAL, SentProperty, upsert

BATCH = 100
ITEMS = 500  # of a feed that are noted in one turn: on SQLite everybody else's writes wait for it
MOST_ERRORS = 100
KEPT_RUNS = 50
TWICE = msgid("Named twice in one feed, each time otherwise")


@dataclass(slots=True)
class _Run:
    """The counts of a run under way. `named` are the properties that the feed has named, with a digest of what it said:
    what was said itself is no longer held once it is taken in. An empty one stands for a row that was refused. `taken`
    are those of them that are properties now.

    `lease` is until when the feed is this run's alone; `asked` is when it was due, to see whether it was asked for.
    """

    feed_id: uuid.UUID
    agency_id: uuid.UUID
    lease: datetime
    asked: datetime | None
    separators: str = ASK
    id: uuid.UUID = field(default_factory=new_id)
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("seen", "created", "updated", "unchanged", "skipped", "refused"), 0)
    )
    errors: list[dict[str, Any]] = field(default_factory=list)
    named: dict[str, bytes] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    unread: bool = False  # a row of which not even the id is known: nothing is said to have vanished

    def refuse(self, row: int, external_id: str, faults: dict[str, Any], line: int = 0) -> None:
        self.counts["refused"] += 1
        for name, texts in faults.items():
            if len(self.errors) < MOST_ERRORS:
                fault = {"row": row, "external_id": external_id, "field": name, "message": str(texts[0])}
                self.errors.append({**fault, "line": line} if line else fault)

    def doubt(self, row: int, external_id: str, pointers: list[str]) -> None:
        """Name what was taken in and is hardly right."""
        for pointer in pointers[: MOST_ERRORS - len(self.errors)]:
            told = {"field": pointer.removeprefix("/"), "message": UNUSUAL}
            self.errors.append({"row": row, "external_id": external_id, **told})


class LeaseLost(Exception):
    """The run slept so long that its feed was given to another, which reads it whole."""


def run(feed: PropertyFeed) -> uuid.UUID:
    """Read a feed that was taken, and take its rows in; returns the run's id. Faults are recorded, not raised."""
    if feed.lease_until is None:
        raise ValueError("take the feed first")
    doing = _Run(feed.id, feed.agency_id, feed.lease_until, feed.due_at)
    source, mapping, hours = source_of(feed), mapping_of(feed), feed.every_hours
    doing.separators = feed.separators
    with writing(doing.agency_id) as tx:
        killed = (FeedRun.feed_id == doing.feed_id, FeedRun.state == "running")
        tx.connection.execute(update(FeedRun).where(*killed).values(state="broken", code="killed", ended_at=tx.at))
        row = {"id": doing.id, "agency_id": doing.agency_id, "feed_id": doing.feed_id, "started_at": tx.at}
        tx.connection.execute(insert(FeedRun), {**row, "state": "running"})
    http = HttpClient(*current_app.extensions["bidflux_settings"].outbound)
    code = ""
    try:
        try:
            _read(doing, source, mapping, http)
        except BrokenFeed as broken:
            code = broken.code
        finally:
            http.close()
        _note_named(doing)
    except LeaseLost:
        return doing.id  # whoever has the feed now has written this run down as killed
    except Exception:
        _end(doing, "fault", hours)
        raise
    _end(doing, code, hours)
    return doing.id


def _read(doing: _Run, source: Source, mapping: dict[str, str], http: HttpClient) -> None:
    for rows in pages(source, http):
        _hold(doing)
        good: list[tuple[int, SentProperty]] = []
        for row in rows:
            doing.counts["seen"] += 1
            _judge(doing, row, mapping, good)
        for start in range(0, len(good), BATCH):
            _take(doing, good[start : start + BATCH])
            _hold(doing)


def _hold(doing: _Run) -> None:
    """Extend the lease while the run goes on, and show its progress; raises `LeaseLost`."""
    with writing(doing.agency_id) as tx:
        until = renew(tx, doing.feed_id, doing.lease)
        if until is None:
            raise LeaseLost
        doing.lease = until
        tx.connection.execute(update(FeedRun).where(FeedRun.id == doing.id).values(**doing.counts))


def _judge(doing: _Run, row: Any, mapping: dict[str, str], good: list[tuple[int, SentProperty]]) -> None:
    number, line = doing.counts["seen"], getattr(row, "line", 0)
    if isinstance(row, BadRow):
        doing.unread = True
        doing.refuse(number, "", {"": [row.why]}, line)
        return
    shown = named_by(row, mapping)
    try:
        sent = read_row(row, mapping, doing.separators)
    except NotForSale:
        doing.counts["skipped"] += 1
        return
    except Invalid as invalid:
        doing.refuse(number, shown, dict(invalid.errors), line)
        if shown:  # wrong, yet there: it has not vanished
            doing.named.setdefault(shown, b"")
        return
    digest = _digest(sent)
    before = doing.named.get(shown := sent.columns["external_id"])
    if not before:
        doing.named[shown] = digest
        good.append((number, sent))
    elif before == digest:
        doing.counts["skipped"] += 1  # pages move while they are read: a row may come again
    else:
        doing.refuse(number, shown, {"external_id": [TWICE]}, line)


def _digest(sent: SentProperty) -> bytes:
    text = json.dumps([dict(sent.columns), sent.agent_email, sent.photo], sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _take(doing: _Run, some: list[tuple[int, SentProperty]]) -> None:
    try:
        all_done = upsert(doing.agency_id, [sent for _number, sent in some], by=SYSTEM)
    except QuotaReached:
        raise BrokenFeed("quota") from None
    for (number, sent), done in zip(some, all_done, strict=True):
        if done.error:
            errors = dict(done.error.errors) if isinstance(done.error, Invalid) else {"": [done.error.title]}
            doing.refuse(number, sent.columns["external_id"], errors)
        else:
            doing.taken.add(sent.columns["external_id"])
            doing.counts[done.status] += 1
            doing.doubt(number, sent.columns["external_id"], [name for name, text in done.warnings if text == UNUSUAL])


def _end(doing: _Run, code: str, hours: int) -> None:
    with writing(doing.agency_id) as tx:
        mine = (PropertyFeed.agency_id == doing.agency_id, PropertyFeed.id == doing.feed_id)
        if renew(tx, doing.feed_id, doing.lease) is None:
            return  # removed meanwhile, its runs with it, or given to another run
        complete = not code and not doing.unread
        vanished = _mark_vanished(tx, doing, complete=complete)
        tx.connection.execute(
            update(FeedRun)
            .where(FeedRun.id == doing.id)
            .values(
                state="broken" if code else "done",
                code=code,
                complete=complete,
                ended_at=tx.at,
                vanished=len(vanished),
                errors=json.dumps(doing.errors, ensure_ascii=False),
                **doing.counts,
            )
        )
        due = tx.connection.scalar(select(PropertyFeed.due_at).where(*mine))
        if due == doing.asked:  # else the owner asked for another one, or changed it, while this one walked
            due = tx.at + timedelta(hours=hours) if hours else None
        tx.connection.execute(update(PropertyFeed).where(*mine).values(lease_until=None, due_at=due))
        told = {name: count for name, count in doing.counts.items() if count}
        seq = tx.record("feed.read", doing.feed_id, SYSTEM, {**told, "vanished": len(vanished), "code": code})
        _warn(tx, vanished, seq)
        _forget(tx, doing.feed_id)


def _note_named(doing: _Run) -> None:
    """Record which properties were named, in batches. One that never came in is left out: it cannot vanish."""
    named = sorted(doing.named)
    for start in range(0, len(named), ITEMS):
        some = named[start : start + ITEMS]
        with writing(doing.agency_id) as tx:
            until = renew(tx, doing.feed_id, doing.lease)
            if until is None:
                raise LeaseLost
            doing.lease = until
            mine = (FeedItem.feed_id == doing.feed_id, FeedItem.external_id.in_(some))
            known = set(tx.connection.scalars(select(FeedItem.external_id).where(*mine)))
            tx.connection.execute(update(FeedItem).where(*mine).values(seen_at=tx.at, vanished_at=None))
            for external_id in doing.taken.intersection(some) - known:
                tx.add(FeedItem, feed_id=doing.feed_id, external_id=external_id, seen_at=tx.at, vanished_at=None)


def _mark_vanished(tx: UnitOfWork, doing: _Run, *, complete: bool) -> list[str]:
    """After a complete walk: note what is no longer named; the ids that vanished just now."""
    if not complete:
        return []
    still = (FeedItem.feed_id == doing.feed_id, FeedItem.vanished_at.is_(None))
    standing = tx.connection.scalars(select(FeedItem.external_id).where(*still))
    gone = [external_id for external_id in standing if external_id not in doing.named]
    for start in range(0, len(gone), ITEMS):
        some = FeedItem.external_id.in_(gone[start : start + ITEMS])
        tx.connection.execute(update(FeedItem).where(FeedItem.feed_id == doing.feed_id, some).values(vanished_at=tx.at))
    return gone


def _warn(tx: UnitOfWork, vanished: list[str], seq: int) -> None:
    """One mail for each agent whose links go on without their property in the feed."""
    agents: set[uuid.UUID] = set()
    for start in range(0, len(vanished), ITEMS):
        mine = (Property.agency_id == tx.agency_id, Property.external_id.in_(vanished[start : start + ITEMS]))
        query = select(Property.agent_id).join(User, User.id == Property.agent_id)
        query = query.where(*mine, Property.archived_at.is_(None), User.active.is_(True))
        agents |= set(tx.connection.scalars(query))
    for user_id in agents:
        tx.owe_mail("feed_vanished", about("entry", seq), user_id=user_id)


def _forget(tx: UnitOfWork, feed_id: uuid.UUID) -> None:
    """Keep the last fifty runs."""
    runs = select(FeedRun.id).where(FeedRun.feed_id == feed_id)
    old = list(tx.connection.scalars(runs.order_by(FeedRun.started_at.desc(), FeedRun.id.desc()).offset(KEPT_RUNS)))
    if old:
        tx.connection.execute(delete(FeedRun).where(FeedRun.id.in_(old)))


def vanished_of(agency_id: uuid.UUID, user_id: uuid.UUID | None = None) -> list[Property]:
    """Properties that some feed no longer names, of one agent or of all."""
    db.session.flush()
    gone = select(FeedItem.external_id).where(FeedItem.agency_id == agency_id, FeedItem.vanished_at.is_not(None))
    query = select(Property).where(
        Property.agency_id == agency_id, Property.external_id.in_(gone), Property.archived_at.is_(None)
    )
    if user_id:
        query = query.where(Property.agent_id == user_id)
    return list(db.session.scalars(query.order_by(*alphabetically(Property.title))))
