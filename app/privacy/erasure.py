"""Forgetting people: an offer's key is destroyed, and with it everything that was sealed under it.

What stays is the ledger, the plain figures that statistics count, and a tombstone. Tombstones are also appended to a
file beside the keys, so that a restored backup forgets again who was forgotten since.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import structlog
from flask import current_app
from sqlalchemy import delete, insert, select, update

from app.config import ConfigurationError
from app.core.clock import now, rfc3339
from app.core.database import scrub
from app.core.keys import agency_key
from app.core.ledger import SYSTEM, Actor
from app.core.unit_of_work import UnitOfWork, writing
from app.extensions import db
from app.models import (
    Delivery,
    EmailCode,
    Idempotency,
    Note,
    Offer,
    OfferFile,
    OfferKey,
    OfferMove,
    OfferOrigin,
    OfferRequest,
    OfferState,
    OfferTag,
    Submission,
    Tombstone,
)

FILE = "erased.txt"
BATCH = 500  # offers in one transaction
# What speaks of a person and can be deleted; all else that does is sealed under the key that goes with `OfferKey`.
PERSONAL = (OfferKey, OfferFile, OfferOrigin, OfferTag, Submission, EmailCode, Note, OfferMove)

log = structlog.get_logger(__name__)


def erase_all(agency_id: uuid.UUID, offer_ids: Iterable[uuid.UUID], reason: str, *, by: Actor = SYSTEM) -> int:
    """Forget the people of these offers, batch by batch; return how many offers were not forgotten before."""
    erased = 0
    for some in _batches(list(offer_ids)):
        with writing(agency_id) as tx:
            erased += erase(tx, some, reason, by=by)
    if erased:
        scrub(db.engine)
    return erased


def erase(tx: UnitOfWork, offer_ids: Sequence[uuid.UUID], reason: str, *, by: Actor = SYSTEM) -> int:
    """The same within an open unit; `reason` is one of `app.models.privacy.REASONS`."""
    tx.flush()
    rows = tx.connection.execute(
        select(Offer.id, Offer.property_id)
        .join(OfferState, OfferState.offer_id == Offer.id)
        .where(Offer.agency_id == tx.agency_id, Offer.id.in_(offer_ids), OfferState.erased_at.is_(None))
        .order_by(Offer.id)
    ).all()
    ids = [row.id for row in rows]
    if not ids:
        return 0
    _empty_answers(tx, ids)
    for table in PERSONAL:
        tx.connection.execute(delete(table).where(table.agency_id == tx.agency_id, table.offer_id.in_(ids)))
    of_request = (OfferRequest.agency_id == tx.agency_id, OfferRequest.offer_id.in_(ids))
    tx.connection.execute(update(OfferRequest).where(*of_request).values(message_ct=None))
    tx.connection.execute(
        update(OfferRequest)
        .where(*of_request, OfferRequest.answer_id.is_(None), OfferRequest.cancelled_at.is_(None))
        .values(cancelled_at=tx.at)
    )
    tx.connection.execute(
        update(Delivery)
        .where(
            Delivery.agency_id == tx.agency_id, Delivery.offer_id.in_(ids), Delivery.state.in_(("pending", "leased"))
        )
        .values(state="cancelled", ended_at=tx.at, lease_token=None, lease_until=None)
    )
    written_to = (Delivery.agency_id == tx.agency_id, Delivery.offer_id.in_(ids), Delivery.recipient.is_not(None))
    tx.connection.execute(update(Delivery).where(*written_to).values(recipient=None))
    tx.connection.execute(
        update(OfferState)
        .where(OfferState.agency_id == tx.agency_id, OfferState.offer_id.in_(ids))
        .values(erased_at=tx.at, updated_at=tx.at, version=OfferState.version + 1)
    )
    tx.connection.execute(
        insert(Tombstone),
        [{"offer_id": offer_id, "agency_id": tx.agency_id, "at": tx.at, "reason": reason} for offer_id in ids],
    )
    key = agency_key(tx.agency_id, "secret")
    for row in rows:
        tx.record("offer.erased", row.id, by, {"reason": reason})
        shown = {"id": str(row.id), "property_id": str(row.property_id)}
        tx.announce("offer.erased", by, shown, key=key, property_id=row.property_id, erased=True)
    folder, agency_id, at = _folder(), tx.agency_id, rfc3339(tx.at)
    tx.then(lambda: _append(folder, [f"{offer_id} {agency_id} {at}" for offer_id in ids]))
    return len(ids)


def _empty_answers(tx: UnitOfWork, offer_ids: Sequence[uuid.UUID]) -> None:
    """Empty kept answers but keep their rows: a repeated call must not make the offer again."""
    mine = (Idempotency.agency_id == tx.agency_id, Idempotency.offer_id.in_(offer_ids))
    answers = [dict(row) for row in tx.connection.execute(select(Idempotency.__table__).where(*mine)).mappings()]
    if answers:
        tx.connection.execute(delete(Idempotency).where(*mine))
        tx.connection.execute(insert(Idempotency), [{**row, "body_mac": b"", "answer_ct": b""} for row in answers])


def replay() -> int:
    """At every start, bring table and file together: erase again whom a restored backup brought back.

    Returns how many offers that were. A line that names no offer of this database is left alone.
    """
    folder = _folder()
    try:
        listed = {uuid.UUID(line.split()[0]) for line in _lines(folder)}
    except ValueError:
        raise ConfigurationError(
            [f"{folder / FILE} is not the list of who was erased: put it back as it was"]
        ) from None
    agency_of = {
        row.offer_id: row.agency_id for row in db.session.execute(select(Tombstone.offer_id, Tombstone.agency_id))
    }
    missing = [f"{offer_id} {agency_of[offer_id]} {rfc3339(now())}" for offer_id in agency_of if offer_id not in listed]
    _append(folder, missing)  # a crash between commit and file
    again: dict[uuid.UUID, list[uuid.UUID]] = {}
    for some in _batches(sorted(listed - agency_of.keys())):
        for row in db.session.execute(select(Offer.id, Offer.agency_id).where(Offer.id.in_(some))):
            again.setdefault(row.agency_id, []).append(row.id)
    db.session.rollback()
    erased = sum(erase_all(agency_id, ids, "replayed") for agency_id, ids in again.items())
    if erased:
        log.warning("erased_again", offers=erased)
    return erased


def _batches(ids: Sequence[uuid.UUID]) -> Iterator[Sequence[uuid.UUID]]:
    return (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))


def _folder() -> Path:
    folder: Path = current_app.extensions["bidflux_settings"].data_dir
    return folder


def has_list() -> bool:
    """Is the list of who was erased here? Without it a restored backup brings them back."""
    return (_folder() / FILE).exists()


def _lines(folder: Path) -> list[str]:
    path = folder / FILE
    return [line for line in path.read_text("utf-8").splitlines() if line.strip()] if path.exists() else []


def _append(folder: Path, lines: Sequence[str]) -> None:
    """Add lines and wait until they are on the disk; several processes may."""
    if not lines:
        return
    descriptor = os.open(folder / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, "".join(f"{line}\n" for line in lines).encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
