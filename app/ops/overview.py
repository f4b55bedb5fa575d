"""What the operator's page shows: the state of the whole, and of each agency counts, never its clients' data."""

from __future__ import annotations

import platform
import shutil
import time
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from flask import current_app
from sqlalchemy import and_, func, or_, select, update

from app.backups import schedule
from app.config import Settings
from app.core.clock import now
from app.core.errors import Conflict, NotFound
from app.core.keys import keyring
from app.core.language import language
from app.core.ledger import SYSTEM
from app.core.unit_of_work import writing
from app.core.version import VERSION
from app.extensions import db
from app.models import Agency, Attempt, Delivery, FeedRun, PropertyFeed
from app.models.record import DELIVERY_KINDS
from app.ops import chores, figures, health, usages
from app.proof.authority import Authority

SHOWN = 50
MANY_TRIES = 3
LOOKED = 30.0  # seconds for which what the checks found is shown again: one of them dials the mail server
FEW_FILES = 10


class Trouble(NamedTuple):
    """A delivery that was given up, or was tried several times."""

    id: uuid.UUID
    agency: str
    kind: str
    template: str
    state: str
    attempts: int
    code: int | None
    created_at: datetime
    due_at: datetime


class FeedState(NamedTuple):
    agency: str
    name: str
    state: str | None
    code: str | None
    started_at: datetime | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Overview:
    findings: dict[str, str]
    queue: list[tuple[str, str, int]]
    oldest_due: int
    offers: int
    troubles: list[Trouble]
    feeds: list[FeedState]
    backups: dict[str, Any]
    versions: dict[str, str]
    certificates: list[tuple[str, datetime]]
    keys: list[str]
    disk: tuple[int, int]
    agencies: list[usages.Usage]


def overview() -> Overview:
    """As it is now."""
    deliveries, offers = figures.figures()
    disk = shutil.disk_usage(_settings().data_dir)
    return Overview(
        findings=_findings(),
        queue=[(kind, state, number) for (kind, state), number in sorted(deliveries.items())],
        oldest_due=health.oldest_waits(),
        offers=offers,
        troubles=troubles(),
        feeds=feeds(),
        backups=_backups(),
        versions=versions(),
        certificates=certificates(),
        keys=keyring().ids,
        disk=(disk.free, disk.total),
        agencies=usages.by_agency(),
    )


def _findings() -> dict[str, str]:
    held: dict[str, tuple[float, dict[str, str]]] = current_app.extensions.setdefault("bidflux_findings", {})
    asked, found = held.get(language(), (0.0, {}))
    if not found or time.monotonic() - asked > LOOKED:
        found = health.findings()
        held[language()] = (time.monotonic(), found)
    return found


def troubles() -> list[Trouble]:
    """The newest first."""
    last = select(Attempt.code).where(Attempt.delivery_id == Delivery.id, Attempt.n == Delivery.attempts)
    dead = Delivery.state == "dead"
    struggling = and_(Delivery.state == "pending", Delivery.attempts - Delivery.tried_before >= MANY_TRIES)
    query = (
        select(Delivery.id, Agency.name, Delivery.kind, Delivery.template, Delivery.state, Delivery.attempts)
        .add_columns(last.limit(1).scalar_subquery(), Delivery.created_at, Delivery.due_at)
        .join(Agency, Agency.id == Delivery.agency_id)
        .where(Delivery.kind.in_(DELIVERY_KINDS), Delivery.state.in_(("dead", "pending")), or_(dead, struggling))
        .order_by(Delivery.created_at.desc(), Delivery.id)
    )
    return [Trouble(*row) for row in db.session.execute(query.limit(SHOWN))]


def retry(delivery_id: uuid.UUID) -> None:
    """Have one tried again now, as if it had not been tried before. Raises `NotFound`, and `Conflict` where it is under
    way or was delivered meanwhile."""
    agency_id = db.session.scalar(select(Delivery.agency_id).where(Delivery.id == delivery_id))
    if agency_id is None:
        raise NotFound
    with writing(agency_id) as tx:
        waits = (Delivery.id == delivery_id, Delivery.state.in_(("dead", "pending")))
        again = {"state": "pending", "ended_at": None, "due_at": tx.at, "tried_before": Delivery.attempts}
        if not tx.connection.execute(update(Delivery).where(*waits).values(again)).rowcount:
            raise Conflict
        tx.record("delivery.retried", delivery_id, SYSTEM)
        tx.owes = True


def feeds() -> list[FeedState]:
    """Each with its last reading; those that broke first."""
    newest = select(FeedRun.feed_id, func.max(FeedRun.started_at).label("at")).group_by(FeedRun.feed_id).subquery()
    query = (
        select(Agency.name, PropertyFeed.name, FeedRun.state, FeedRun.code, FeedRun.started_at, PropertyFeed.due_at)
        .join(Agency, Agency.id == PropertyFeed.agency_id)
        .outerjoin(newest, newest.c.feed_id == PropertyFeed.id)
        .outerjoin(FeedRun, and_(FeedRun.feed_id == newest.c.feed_id, FeedRun.started_at == newest.c.at))
    )
    found = [FeedState(*row) for row in db.session.execute(query)]
    return sorted(found, key=lambda feed: (feed.state != "broken", feed.agency, feed.name))[:SHOWN]


def _backups() -> dict[str, Any]:
    wanted, held = schedule.plan(), chores.chore(schedule.NAME)
    return {
        "plan": wanted,
        "good_at": held.good_at if held else None,
        "hours": int((now() - held.good_at).total_seconds() // 3600) if held and held.good_at else None,
        "next": held.due_at if held and wanted else None,
        "fault": held.fault if held else None,
        "files": schedule.files(wanted)[:FEW_FILES],
    }


def versions() -> dict[str, str]:
    """Of the product, of what it runs on, and of the schema."""
    server = ".".join(map(str, db.engine.dialect.server_version_info or ()))
    return {
        "BidFlux": VERSION,
        "Python": platform.python_version(),
        db.engine.dialect.name: server,
        "schema": ", ".join(sorted(health.applied())),
    }


def certificates() -> list[tuple[str, datetime]]:
    """What seals and signs, and until when."""
    authority: Authority = current_app.extensions["bidflux_authority"]
    if not (_settings().data_dir / "seal").is_dir():
        return []
    named = [("seal", authority.seal().certificate), ("checkpoint", authority.checkpoint().certificate)]
    named += [("root", root) for root in authority.roots()[:1]]
    return [(name, certificate.not_valid_after_utc) for name, certificate in named]


def _settings() -> Settings:
    settings: Settings = current_app.extensions["bidflux_settings"]
    return settings
