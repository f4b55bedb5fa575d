"""Feeds: made and changed by an agency's owner, read when they are due."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from flask_babel import lazy_gettext
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import aliased

from app.core.clock import now
from app.core.errors import Invalid, NotFound
from app.core.ids import new_id
from app.core.keys import agency_key
from app.core.labels import FEED_FILE
from app.core.ledger import Actor
from app.core.quotas import hold_bytes
from app.core.typed_numbers import ASK
from app.core.unit_of_work import UnitOfWork, writing
from app.core.vault import Place, seal, unseal
from app.extensions import db
from app.feeds.csv_rows import NotCsv
from app.feeds.files import looks_like_rows
from app.feeds.rows import FIELDS, NEEDED, REBS
from app.feeds.sources import Source
from app.models import FeedRun, PropertyFeed
from app.outbound.addresses import Refused, check_url
from app.outbound.written_urls import WHY, as_called

SHOWN = 10
MOST = 20
HOURS = (0, 1, 6, 24)
NO_KEY = lazy_gettext("A key is made of letters, digits and signs of ASCII")
NO_FILE = lazy_gettext("Choose a CSV or Excel file with a line of names")
TOO_MANY = lazy_gettext("There are twenty feeds already")
OTHER_ADDRESS = lazy_gettext("The address is a new one: enter its key again")
IN_THE_CLEAR = lazy_gettext("Over http:// the key can be read on its way: keep https://, or enter the key again")


@dataclass(frozen=True, slots=True)
class FeedValues:
    """What an owner sets. `key` and `file` None keep what is there; an empty key removes it."""

    name: str
    kind: str
    url: str = field(default="", repr=False)
    key: str | None = field(default=None, repr=False)
    key_in: str = "header"
    file: bytes | None = field(default=None, repr=False)
    mapping: Mapping[str, str] = field(default_factory=dict)
    every_hours: int = 0
    separators: str = ASK


def with_last_run(agency_id: uuid.UUID) -> list[tuple[PropertyFeed, FeedRun | None]]:
    """Every feed beside its newest run, if it had one."""
    run = aliased(FeedRun)
    newest = select(run.id).where(run.feed_id == PropertyFeed.id).order_by(run.started_at.desc(), run.id.desc())
    query = select(PropertyFeed, FeedRun).outerjoin(FeedRun, FeedRun.id == newest.limit(1).scalar_subquery())
    query = query.where(PropertyFeed.agency_id == agency_id).order_by(PropertyFeed.created_at)
    return [(row[0], row[1]) for row in db.session.execute(query)]


def get_feed(agency_id: uuid.UUID, feed_id: uuid.UUID) -> PropertyFeed:
    """One feed of the agency; raises `NotFound`."""
    query = select(PropertyFeed).where(PropertyFeed.agency_id == agency_id, PropertyFeed.id == feed_id)
    found = db.session.scalar(query)
    if found is None:
        raise NotFound
    return found


def runs_of(feed: PropertyFeed) -> list[FeedRun]:
    """The last runs, the newest first."""
    query = select(FeedRun).where(FeedRun.agency_id == feed.agency_id, FeedRun.feed_id == feed.id)
    return list(db.session.scalars(query.order_by(FeedRun.started_at.desc(), FeedRun.id.desc()).limit(SHOWN)))


def create(agency_id: uuid.UUID, values: FeedValues, *, by: Actor) -> uuid.UUID:
    """A new feed; raises `Invalid`."""
    values = replace(values, url=as_called(values.url))
    _check(values, has_file=False)
    feed_id = new_id()
    with writing(agency_id) as tx:
        hold_bytes(tx)
        tx.weigh(len(values.file or b""))
        if (tx.connection.scalar(select(func.count()).where(PropertyFeed.agency_id == agency_id)) or 0) >= MOST:
            raise Invalid({"name": [TOO_MANY]})
        row = {
            "id": feed_id,
            "agency_id": agency_id,
            "kind": values.kind,
            "due_at": tx.at if values.every_hours else None,
            "created_at": tx.at,
            **_columns(agency_id, feed_id, values),
        }
        tx.connection.execute(insert(PropertyFeed), {"key_ct": None, "file_ct": None, **row, "updated_at": tx.at})
        tx.record("feed.created", feed_id, by, {"kind": values.kind})
    return feed_id


def change(feed: PropertyFeed, values: FeedValues, *, by: Actor) -> None:
    """Change a feed, except its kind; raises `Invalid`. The key has to be entered again for another server, or for an
    unencrypted address where it was encrypted."""
    feed_id, agency_id = feed.id, feed.agency_id
    values = replace(values, url=as_called(values.url))
    _check(values, has_file=feed.kind == "csv")
    before = source_of(feed)
    if before.key and values.key is None and _server(before.url) != _server(values.url):
        raise Invalid({"key": [OTHER_ADDRESS]})
    if before.key and values.key is None and _is_encrypted(before.url) and not _is_encrypted(values.url):
        raise Invalid({"key": [IN_THE_CLEAR]})
    with writing(agency_id) as tx:
        hold_bytes(tx)
        tx.weigh(len(values.file or b""))
        columns = _columns(agency_id, feed_id, values)
        columns["due_at"] = tx.at if values.every_hours else None
        columns |= {"try_due_at": None, "try_until": None, "tried_at": None, "tried_ct": None}  # of what it was
        mine = (PropertyFeed.agency_id == agency_id, PropertyFeed.id == feed_id)
        tx.connection.execute(update(PropertyFeed).where(*mine).values(updated_at=tx.at, **columns))
        tx.record("feed.changed", feed_id, by, {"key": values.key is not None, "file": values.file is not None})


def remove(feed: PropertyFeed, *, by: Actor) -> None:
    """Remove a feed. Its properties stay."""
    feed_id, agency_id = feed.id, feed.agency_id
    with writing(agency_id) as tx:
        tx.connection.execute(
            delete(PropertyFeed).where(PropertyFeed.agency_id == agency_id, PropertyFeed.id == feed_id)
        )
        tx.record("feed.removed", feed_id, by)


def ask(feed: PropertyFeed, *, by: Actor) -> None:
    """Have it read as soon as somebody is free."""
    feed_id, agency_id = feed.id, feed.agency_id
    with writing(agency_id) as tx:
        mine = (PropertyFeed.agency_id == agency_id, PropertyFeed.id == feed_id)
        tx.connection.execute(update(PropertyFeed).where(*mine).values(due_at=tx.at))
        tx.record("feed.asked", feed_id, by)


def source_of(feed: PropertyFeed) -> Source:
    """What it is read from, opened."""
    url, key = _open(feed, "url", feed.url_ct).decode(), _open(feed, "key", feed.key_ct).decode()
    return Source(feed.kind, url, key, feed.key_in, _open(feed, "file", feed.file_ct))


def mapping_of(feed: PropertyFeed) -> dict[str, str]:
    """Our fields to theirs, what REBS is known to say included."""
    return {**(REBS if feed.kind == "rebs" else {}), **json.loads(feed.mapping)}


def _open(feed: PropertyFeed, column: str, sealed: bytes | None) -> bytes:
    if sealed is None:
        return b""
    key = agency_key(feed.agency_id, "secret")
    return unseal(key, Place(feed.agency_id, "property_feed", column, feed.id), sealed)


def _columns(agency_id: uuid.UUID, feed_id: uuid.UUID, values: FeedValues) -> dict[str, Any]:
    secret = agency_key(agency_id, "secret")

    def sealed(column: str, plain: bytes) -> bytes:
        return seal(secret, Place(agency_id, "property_feed", column, feed_id), plain)

    columns: dict[str, Any] = {
        "name": values.name,
        "key_in": values.key_in,
        "mapping": json.dumps(dict(values.mapping), ensure_ascii=False),
        "separators": values.separators,
        "every_hours": 0 if values.kind == "csv" else values.every_hours,
        "url_ct": None if values.kind == "csv" else sealed("url", values.url.encode()),
    }
    if values.key is not None:
        columns["key_ct"] = sealed("key", values.key.encode()) if values.key else None
    if values.file is not None:
        columns["file_ct"] = sealed("file", values.file)
    return columns


def _check(values: FeedValues, *, has_file: bool) -> None:
    faults: dict[str, list[object]] = {}
    if values.kind == "csv":
        if values.file is None and not has_file:
            faults["file"] = [NO_FILE]
        elif values.file is not None and (code := _wrong_file(values.file)):
            faults["file"] = [FEED_FILE[code]]
    else:
        try:
            check_url(values.url, *current_app.extensions["bidflux_settings"].outbound)
        except Refused as why:
            faults["url"] = [WHY[str(why)]]
    if (values.key and not values.key.isascii()) or any(ord(c) < 32 for c in values.key or ""):
        faults["key"] = [NO_KEY]
    if unknown := [name for name in values.mapping if name not in FIELDS]:
        faults["mapping"] = [lazy_gettext("No such field: %(name)s", name=unknown[0])]
    known = REBS if values.kind == "rebs" else {}
    if missing := [name for name in NEEDED if name not in {**known, **values.mapping}]:
        faults.setdefault("mapping", [lazy_gettext("Say where %(name)s is found", name=missing[0])])
    if faults:
        raise Invalid(faults)


def _wrong_file(file: bytes) -> str:
    """Why a file cannot hold rows, as a code; empty if it begins like one that does. A job reads the rest."""
    try:
        looks_like_rows(file, SHOWN)
    except NotCsv as why:
        return why.code
    return ""


def _server(url: str) -> str:
    return url.partition("//")[2].partition("/")[0].lower()


def _is_encrypted(url: str) -> bool:
    return url.lower().startswith("https:")


LEASE = timedelta(minutes=10)


def waiting() -> Sequence[uuid.UUID]:
    """Agencies with a feed that is due and none that is being read, the longest waiting first."""
    at = now()
    busy = select(PropertyFeed.agency_id).where(PropertyFeed.lease_until >= at)
    due = select(PropertyFeed.agency_id).where(PropertyFeed.due_at <= at, PropertyFeed.agency_id.not_in(busy))
    db.session.rollback()
    return db.session.scalars(due.group_by(PropertyFeed.agency_id).order_by(func.min(PropertyFeed.due_at))).all()


def take(agency_id: uuid.UUID) -> PropertyFeed | None:
    """Take the agency's feed that has waited longest, for the length of the lease; None when none is due, or one is
    being read already."""
    with writing(agency_id) as tx:
        own = PropertyFeed.agency_id == agency_id
        busy = tx.connection.scalar(select(PropertyFeed.id).where(own, PropertyFeed.lease_until >= tx.at).limit(1))
        due = select(PropertyFeed.id).where(own, PropertyFeed.due_at <= tx.at).order_by(PropertyFeed.due_at).limit(1)
        found = None if busy else tx.connection.scalar(due)
        if found is None:
            return None
        taking = update(PropertyFeed).where(own, PropertyFeed.id == found)
        tx.connection.execute(taking.values(lease_until=tx.at + LEASE))
    return get_feed(agency_id, found)


def renew(tx: UnitOfWork, feed_id: uuid.UUID, lease: datetime) -> datetime | None:
    """Extend the lease of a feed; returns the new one, or None when somebody else has it by now."""
    until = max(tx.at + LEASE, lease + timedelta(microseconds=1))
    mine = (PropertyFeed.agency_id == tx.agency_id, PropertyFeed.id == feed_id, PropertyFeed.lease_until == lease)
    renewed = tx.connection.execute(update(PropertyFeed).where(*mine).values(lease_until=until)).rowcount
    return until if renewed else None
