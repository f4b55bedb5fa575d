"""Compares what lies beside offers with the hash that names it: confirmations, signatures, receipts, texts; and the
requests for a better offer, with what the ledger says of them."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import and_, exists, select

from app.core import keys
from app.core.vault import CannotOpen, KeyMissing, unpad
from app.extensions import db
from app.models import ConfirmationBody, LedgerEntry, OfferFile, OfferKey, OfferRequest, OfferState, TextVersion
from app.proof.standing import readable

FEW = 100  # receipts are large


def texts_kept() -> frozenset[str]:
    """The names (SHA-256 in hex) of all texts that are still what they were when they were shown."""
    held = db.session.execute(select(TextVersion.sha256, TextVersion.body))
    texts = ((digest, body) for digest, body in held if isinstance(body, str))  # SQLite holds what it was given
    return frozenset(digest.hex() for digest, body in texts if sha256(body.encode()).digest() == digest)


def content_faults(agency_id: uuid.UUID, texts: frozenset[str]) -> Iterator[str]:
    """What does not hold, a line each."""
    yield from readable("confirmation", _confirmations(agency_id, texts))
    yield from readable("file", _files(agency_id))
    yield from readable("file or confirmation", _gone(agency_id))
    yield from readable("request", _requests(agency_id))


def _confirmations(agency_id: uuid.UUID, texts: frozenset[str]) -> Iterator[str]:
    said = ConfirmationBody
    for row in _sealed(agency_id, said, said.commitment.label("digest"), said.signature):
        text, why = _opened(agency_id, "confirmation_body", "body", row)
        if why:
            yield f"offer {row.offer_id}: its confirmation {why}"
        if text is None:
            continue
        plain = unpad(text)
        if sha256(plain).digest() != row.digest:
            yield f"offer {row.offer_id}: its confirmation is not the one that was committed to"
            continue
        body = json.loads(plain)
        if row.signature != (body["signature"]["kind"] if body["signature"] else None):
            yield f"offer {row.offer_id}: the signature of its confirmation is not what was said"
        if not texts.issuperset(body["texts"].values()):
            yield f"offer {row.offer_id}: a text that was shown when it was confirmed is not kept as it was"


def _files(agency_id: uuid.UUID) -> Iterator[str]:
    for row in _sealed(agency_id, OfferFile, OfferFile.sha256.label("digest"), OfferFile.kind):
        text, why = _opened(agency_id, "offer_file", row.kind, row)
        if text is not None and sha256(text).digest() != row.digest:
            why = "is not what its hash names"
        if why:
            yield f"offer {row.offer_id}: its {row.kind} {why}"


def _sealed(agency_id: uuid.UUID, table: Any, *columns: Any) -> Iterator[Any]:
    """Rows with what opens them; those of people who were forgotten have no key any more."""
    query = (
        select(table.offer_id, table.body_ct, OfferKey.kek_id, OfferKey.wrapped, *columns)
        .join(OfferKey, OfferKey.offer_id == table.offer_id)
        .where(table.agency_id == agency_id)
    )
    yield from db.session.execute(query, execution_options={"yield_per": FEW})


def _opened(agency_id: uuid.UUID, table: str, column: str, row: Any) -> tuple[bytes | None, str | None]:
    """What was sealed, or why not; neither where the key is not here, which is said of the offer already."""
    opened = keys.keyring().opener(agency_id, table, column)
    try:
        return opened(row.offer_id.hex, row.kek_id, row.wrapped, row.body_ct), None
    except KeyMissing:
        return None, None
    except CannotOpen:
        return None, "does not open"


def _gone(agency_id: uuid.UUID) -> Iterator[str]:
    """What the ledger names and the database no longer has."""
    stands = exists().where(OfferState.offer_id == LedgerEntry.object_id, OfferState.erased_at.is_(None))
    for kind, table, name, words in (
        ("offer.confirmed", ConfirmationBody, "commitment", "confirmation"),
        ("receipt.sealed", OfferFile, "sha256", "receipt"),
    ):
        held = and_(table.offer_id == LedgerEntry.object_id, *_of_kind(table))
        query = select(LedgerEntry.object_id, LedgerEntry.body).where(
            LedgerEntry.agency_id == agency_id, LedgerEntry.kind == kind, ~exists().where(held), stands
        )
        lost = {row.object_id for row in db.session.execute(query) if _data(row.body).get(name)}
        yield from (f"offer {offer_id}: its {words} is gone" for offer_id in sorted(lost))


def _of_kind(table: Any) -> tuple[Any, ...]:
    return (OfferFile.kind == "receipt",) if table is OfferFile else ()


def _requests(agency_id: uuid.UUID) -> Iterator[str]:
    """Each request as the ledger says: until when, and when and to whom of the agency its link was first shown."""
    query = select(OfferRequest.id, OfferRequest.deadline, OfferRequest.shown_at, OfferRequest.shown_to)
    asked = query.add_columns(OfferRequest.created_at).where(OfferRequest.agency_id == agency_id)
    held = {str(row.id): row for row in db.session.execute(asked)}
    entries = select(
        LedgerEntry.kind, LedgerEntry.at, LedgerEntry.object_id, LedgerEntry.actor_id, LedgerEntry.body
    ).where(LedgerEntry.agency_id == agency_id, LedgerEntry.kind.in_(("offer.better_asked", "offer.better_link_shown")))
    seen: set[str] = set()
    for entry in db.session.execute(entries.order_by(LedgerEntry.seq)):
        data = _data(entry.body)
        name = str(data.get("request"))
        row = held.get(name)
        if row is None:
            yield f"offer {entry.object_id}: what its bidder was asked is gone"
        elif entry.kind == "offer.better_asked":
            if row.deadline != _moment(data.get("deadline")):
                yield f"offer {entry.object_id}: until when a better one was asked for is not what the ledger says"
        elif name not in seen:
            seen.add(name)
            # Of before this was written down, the migration says that it was shown at once.
            if row.shown_at != row.created_at and (row.shown_at, row.shown_to) != (entry.at, entry.actor_id):
                yield f"offer {entry.object_id}: who saw the link of a request is not what the ledger says"


def _moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _data(body: object) -> dict[str, Any]:
    """What an entry says; nothing where somebody put something else in its place."""
    try:
        said = json.loads(body)["data"]  # type: ignore[arg-type]  # SQLite holds what it was given
    except (ValueError, TypeError, KeyError):
        return {}
    return said if isinstance(said, dict) else {}
