"""The unit of work: lock the agency's head, re-check, write, record, commit once, wake.

Everything slow (reading, validating, hashing, encoding) happens before. Nothing else in the application commits.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from flask import current_app
from sqlalchemy import Connection, Row, bindparam, select, update

from app.core import ledger
from app.core.clock import now, rfc3339
from app.core.database import WRITE, WriterQueue
from app.core.epochs import Witness, leap, new_epoch
from app.core.ids import new_id
from app.core.killpoints import AFTER_COMMIT, BEFORE_COMMIT, passing
from app.core.ledger import Actor
from app.core.logs import current_request_id
from app.core.statements import Change, Query, write
from app.core.subjects import Subject, about
from app.core.vault import Place, seal
from app.core.wake import Count, wake
from app.extensions import db
from app.models import Agency, Base, Delivery, Event, LedgerEntry, PastEpoch, WebhookEndpoint

OPEN = "bidflux_unit"


ROW_BYTES = 100  # of a row beside its texts


@dataclass(slots=True)
class QuotaUse:
    """What the agency has written, this unit included: in all, and on the day of the unit."""

    bytes: int = 0
    offers: int = 0  # that others recorded for a bidder
    day_bytes: int = 0
    day_offers: int = 0

    @classmethod
    def of(cls, head: Any, at: datetime) -> QuotaUse:
        today = head.used_on == at.date()
        return cls(
            head.all_bytes, head.recorded_offers, head.day_bytes if today else 0, head.day_offers if today else 0
        )

    def columns(self, at: datetime) -> dict[str, Any]:
        return {
            "used_on": at.date(),
            "all_bytes": self.bytes,
            "recorded_offers": self.offers,
            "day_bytes": self.day_bytes,
            "day_offers": self.day_offers,
        }


@dataclass(slots=True)
class UnitOfWork:
    """One open write of one agency. `at` is its single moment; `seq` and `hash` are the chain's head so far.

    New rows are gathered by `add` and written table by table when the unit closes, in the order of first mention.
    """

    agency_id: uuid.UUID
    connection: Connection
    at: datetime
    seq: int
    hash: bytes
    event_seq: int
    epoch: str
    sends_mail: bool = True
    has_webhooks: bool = False
    request_id: str | None = None  # of the call that this is written for
    owes: bool = field(default=False)
    used: QuotaUse = field(default_factory=QuotaUse)
    restored: bool = field(default=False)  # this unit began a new epoch
    counts: list[Count] = field(default_factory=list)  # that go up once this is committed
    _then: list[Callable[[], None]] = field(default_factory=list)
    _rows: dict[type[Base], list[dict[str, Any]]] = field(default_factory=dict)

    def add(self, table: type[Base], **row: Any) -> None:
        """Gather a row of this agency; `agency_id` is filled in."""
        self._rows.setdefault(table, []).append({"agency_id": self.agency_id, **row})

    @property
    def has_gathered(self) -> bool:
        """Whether rows wait to be written."""
        return bool(self._rows)

    def then(self, act: Callable[[], None]) -> None:
        """Do something once all this is committed, and only then."""
        self._then.append(act)

    def flush(self) -> None:
        """Write what was gathered."""
        if not self._rows:
            return
        write(self.connection, {table.__table__: rows for table, rows in self._rows.items()})  # type: ignore[misc]  # a mapped class has a `Table` there
        texts = [v for rows in self._rows.values() for row in rows for v in row.values() if isinstance(v, (bytes, str))]
        self.weigh(ROW_BYTES * len(texts) + sum(map(len, texts)))
        self._rows.clear()

    def weigh(self, size: int) -> None:
        """Count bytes that are written otherwise than by `add`."""
        self.used.bytes += size
        self.used.day_bytes += size

    def record(self, kind: str, object_id: uuid.UUID | None, by: Actor, data: dict[str, Any] | None = None) -> int:
        """Append an entry to the ledger; return its sequence number. `data` holds no personal text."""
        self.seq += 1
        body = ledger.entry_body(self.agency_id, self.seq, self.at, kind, object_id, by, data or {})
        self.hash = ledger.chain(self.hash, body)
        self.add(
            LedgerEntry,
            seq=self.seq,
            at=self.at,
            kind=kind,
            object_id=object_id,
            actor_type=by.type,
            actor_id=by.id,
            body=body,
            hash=self.hash,
        )
        return self.seq

    def begin_epoch(self, seen: int = 0) -> None:
        """The database is a restored one: from here on its numbers are a history of their own, beyond all known ones.

        `seen` is the highest number known of outside the database.
        """
        self.add(PastEpoch, name=self.epoch, last_seq=self.event_seq, ended_at=self.at)
        ended, self.epoch, self.restored = self.event_seq, new_epoch(), True
        self.event_seq = leap(max(self.event_seq, seen), self.at)
        mine = update(Agency).where(Agency.id == self.agency_id)
        self.connection.execute(mine.values(epoch=self.epoch, restores=Agency.restores + 1))
        self.record("epoch.begun", None, ledger.SYSTEM, {"kept": ended, "continues_after": self.event_seq})

    def announce(
        self,
        kind: str,
        by: Actor,
        data: dict[str, Any],
        *,
        key: bytes,
        offer_id: uuid.UUID | None = None,
        property_id: uuid.UUID | None = None,
        after: timedelta | None = timedelta(0),
        subject: Subject | None = None,
        **more: Any,
    ) -> int:
        """Append an event, sealed under `key` (the offer's, or the agency's); return its sequence number.

        Every webhook endpoint that wants it is owed a call, `after` a while; None calls nobody. The calls are about the
        event itself, unless `subject` says otherwise.
        """
        self.event_seq += 1
        body = {
            "type": kind,
            "timestamp": rfc3339(self.at),
            "seq": self.event_seq,
            "epoch": self.epoch,
            "actor": {"type": by.type, "id": str(by.id) if by.id else None},
            "data": data,
            **more,
        }
        place = Place(self.agency_id, "event", "body", str(self.event_seq))
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        self.add(
            Event,
            seq=self.event_seq,
            at=self.at,
            type=kind,
            offer_id=offer_id,
            property_id=property_id,
            body_ct=seal(key, place, text.encode()),
        )
        if self.has_webhooks and after is not None:
            seq = self.event_seq
            of = subject or about("event", seq)
            for endpoint_id, wanted in self._endpoints():
                if not wanted or kind in wanted.split():
                    to: dict[str, Any] = {"offer_id": offer_id, "endpoint_id": endpoint_id}
                    self.owe("webhook", kind, of, event_seq=seq, after=after, **to)
        return self.event_seq

    def _endpoints(self) -> Sequence[Row[uuid.UUID, str]]:
        query = select(WebhookEndpoint.id, WebhookEndpoint.events).where(
            WebhookEndpoint.agency_id == self.agency_id, WebhookEndpoint.off_at.is_(None)
        )
        return self.connection.execute(query).all()

    def owe_mail(
        self,
        template: str,
        subject: Subject,
        *,
        offer_id: uuid.UUID | None = None,
        user_id: uuid.UUID | None = None,
        event_seq: int | None = None,
        after: timedelta = timedelta(0),
    ) -> uuid.UUID:
        """Owe one mail: to a user, or, without one, to the offer's bidder. A test agency writes to nobody."""
        if not self.sends_mail:
            return new_id()
        return self.owe("mail", template, subject, event_seq=event_seq, offer_id=offer_id, user_id=user_id, after=after)

    def owe(
        self,
        kind: str,
        template: str,
        subject: Subject,
        *,
        event_seq: int | None = None,
        offer_id: uuid.UUID | None = None,
        user_id: uuid.UUID | None = None,
        endpoint_id: uuid.UUID | None = None,
        body_ct: bytes | None = None,
        after: timedelta = timedelta(0),
        delivery_id: uuid.UUID | None = None,
        recipient: bytes | None = None,
        refused: str | None = None,
    ) -> uuid.UUID:
        """Owe one delivery; return its id, which is `delivery_id` where the body is sealed for it already.

        `event_seq` is the event whose body it carries or tells of. `recipient` is a keyed hash of whom it goes to. One
        that is `refused` says why, and is not sent.
        """
        delivery_id = delivery_id or new_id()
        self.add(
            Delivery,
            id=delivery_id,
            kind=kind,
            template=template,
            subject_type=subject.type,
            subject_id=subject.id,
            event_seq=event_seq,
            offer_id=offer_id,
            user_id=user_id,
            endpoint_id=endpoint_id,
            body_ct=body_ct,
            recipient=recipient,
            reason=refused,
            state="cancelled" if refused else "pending",
            ended_at=self.at if refused else None,
            due_at=self.at + after,
            attempts=0,
            created_at=self.at,
            request_id=self.request_id,
        )
        self.owes = True
        return delivery_id


_HEAD = Query(
    select(Agency.head_seq, Agency.head_hash, Agency.event_seq, Agency.epoch, Agency.test_of_id, Agency.has_webhooks)
    .add_columns(Agency.used_on, Agency.all_bytes, Agency.recorded_offers, Agency.day_bytes, Agency.day_offers)
    .where(Agency.id == bindparam("id"))
    .with_for_update()
)
_MOVED = ("head_seq", "head_hash", "event_seq", "used_on", "all_bytes", "recorded_offers", "day_bytes", "day_offers")
_MOVE_HEAD = Change(
    update(Agency).where(Agency.id == bindparam("agency")).values({name: bindparam(name) for name in _MOVED})
)


def witness_of_numbers() -> Witness:
    witness: Witness = current_app.extensions["bidflux_witness"]
    return witness


def _queue() -> WriterQueue:
    queue: WriterQueue = current_app.extensions["bidflux_writer"]
    return queue


@contextmanager
def writing(agency_id: uuid.UUID, *, founded: Callable[[Connection], None] | None = None) -> Iterator[UnitOfWork]:
    """Write for one agency. Rows loaded before are stale inside: load again what a rule depends on.

    `founded` makes the agency's own row first, in the same transaction.

    Inside another unit of the same agency it joins that one, which commits all or nothing.
    """
    outer: UnitOfWork | None = db.session.info.get(OPEN)
    if outer is not None:
        if outer.agency_id != agency_id:
            raise RuntimeError("one unit of work writes for one agency")
        yield outer
        db.session.flush()
        outer.flush()
        return
    witness = witness_of_numbers()
    with _turn() as connection:
        if founded:
            founded(connection)
        agency, at = _HEAD.one(connection, id=agency_id), now()
        tx = UnitOfWork(
            agency_id,
            connection,
            at,
            agency.head_seq,
            agency.head_hash,
            agency.event_seq,
            agency.epoch,
            sends_mail=not agency.test_of_id,
            has_webhooks=agency.has_webhooks,
            request_id=current_request_id(),
            used=QuotaUse.of(agency, at),
        )
        if (seen := witness.seen(agency_id)) > agency.event_seq:
            tx.begin_epoch(seen)
        db.session.info[OPEN] = tx
        try:
            yield tx
            db.session.flush()
            tx.flush()
        finally:
            db.session.info.pop(OPEN, None)
        if (tx.seq, tx.event_seq, tx.used.bytes) != (agency.head_seq, agency.event_seq, agency.all_bytes):
            head = {"head_seq": tx.seq, "head_hash": tx.hash, "event_seq": tx.event_seq, **tx.used.columns(at)}
            _MOVE_HEAD.run(connection, agency=agency_id, **head)
        passing(BEFORE_COMMIT)
    passing(AFTER_COMMIT)
    if tx.event_seq != agency.event_seq:
        witness.note(agency_id, tx.event_seq)
    for act in tx._then:
        act()
    if tx.owes or tx.counts:
        wake(tx.counts)


@contextmanager
def housekeeping() -> Iterator[Connection]:
    """Write what no ledger speaks of: sessions, leases, outcomes of deliveries, wrapped keys."""
    with _turn() as connection:
        yield connection
        db.session.flush()


@contextmanager
def _turn() -> Iterator[Connection]:
    session = db.session
    if session.new or session.dirty or session.deleted:
        raise RuntimeError("changes made before the unit of work was opened would be lost")
    session.rollback()
    with _queue().turn():
        connection = session.connection(execution_options={WRITE: True})
        try:
            yield connection
            session.commit()
        except BaseException:
            session.rollback()
            raise
