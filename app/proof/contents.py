"""Compares what lies beside offers with the hash that names it: confirmations, signatures, receipts, texts, what was
written with a withdrawal, and where an offer was sent from."""

from __future__ import annotations

import json
import uuid
from collections.abc import Container, Iterator
from hashlib import sha256
from itertools import groupby
from typing import Any

from sqlalchemy import and_, exists, select

from app.core import keys
from app.core.vault import CannotOpen, KeyMissing, unpad
from app.extensions import db
from app.models import (
    ConfirmationBody,
    LedgerEntry,
    OfferFile,
    OfferKey,
    OfferOrigin,
    OfferState,
    TextVersion,
    Withdrawal,
)
from app.offers.entry import differs
from app.proof.requests import link_faults, request_faults, said_in
from app.proof.standing import BATCH, readable

FEW = 100  # receipts are large
MIMES = {"signature": "image/png", "receipt": "application/pdf"}


def texts_kept() -> frozenset[str]:
    """The names (SHA-256 in hex) of all texts that are still what they were when they were shown."""
    held = db.session.execute(select(TextVersion.sha256, TextVersion.body).execution_options(yield_per=FEW))
    texts = ((digest, body) for digest, body in held if isinstance(body, str))  # SQLite holds what it was given
    return frozenset(digest.hex() for digest, body in texts if sha256(body.encode()).digest() == digest)


class TextsAskedFor(Container[str]):
    """The same, each read when it is asked for: who looks at one offer need not wait for all that agencies wrote."""

    def __contains__(self, name: object) -> bool:
        kept = select(TextVersion.body).where(TextVersion.sha256 == bytes.fromhex(str(name)))
        body = db.session.scalar(kept)
        return isinstance(body, str) and sha256(body.encode()).hexdigest() == name


def content_faults(agency_id: uuid.UUID, texts: frozenset[str]) -> Iterator[str]:
    """What does not hold, a line each."""
    yield from readable("confirmation", _confirmations(agency_id, texts))
    yield from readable("file", _files(agency_id))
    yield from readable("file or confirmation", _gone(agency_id))
    yield from readable("request", request_faults(agency_id))
    yield from readable("seller's link", link_faults(agency_id))
    yield from readable("withdrawal", _withdrawals(agency_id))
    yield from readable("origin", _origins(agency_id))


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
    for row in _sealed(agency_id, OfferFile, OfferFile.sha256.label("digest"), OfferFile.kind, OfferFile.mime):
        text, why = _opened(agency_id, "offer_file", row.kind, row)
        if text is not None and sha256(text).digest() != row.digest:
            why = "is not what its hash names"
        elif row.mime != MIMES[row.kind]:
            why = "is said to be of another kind than it is"
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
        lost = {row.object_id for row in db.session.execute(query) if said_in(row.body).get(name)}
        yield from (f"offer {offer_id}: its {words} is gone" for offer_id in sorted(lost))


def _of_kind(table: Any) -> tuple[Any, ...]:
    return (OfferFile.kind == "receipt",) if table is OfferFile else ()


def _withdrawals(agency_id: uuid.UUID) -> Iterator[str]:
    """What bidders wrote when they withdrew."""
    same = and_(LedgerEntry.object_id == Withdrawal.offer_id, LedgerEntry.at == Withdrawal.at)
    query = (
        select(Withdrawal.offer_id, Withdrawal.message_ct, LedgerEntry.body)
        .join(LedgerEntry, and_(LedgerEntry.agency_id == agency_id, LedgerEntry.kind == "offer.withdrawn", same))
        .where(Withdrawal.agency_id == agency_id)
    )
    for row in db.session.execute(query, execution_options={"yield_per": BATCH}):
        if differs(said_in(row.body).get("message"), row.message_ct):
            yield f"offer {row.offer_id}: what was written when it was withdrawn is not what the ledger names"


def _origins(agency_id: uuid.UUID) -> Iterator[str]:
    """From where offers and confirmations were sent, as long as that is kept."""
    entry, sent = LedgerEntry, LedgerEntry.kind.in_(("offer.submitted", "offer.confirmed"))
    query = (
        select(OfferOrigin.offer_id, OfferOrigin.body_ct, entry.body)
        .join(entry, and_(entry.agency_id == agency_id, entry.object_id == OfferOrigin.offer_id, sent), isouter=True)
        .where(OfferOrigin.agency_id == agency_id)
        .order_by(OfferOrigin.offer_id)
    )
    rows = db.session.execute(query, execution_options={"yield_per": BATCH})
    for offer_id, told in groupby(rows, lambda row: row.offer_id):
        if all(row.body is None or differs(said_in(row.body).get("origin"), row.body_ct) for row in told):
            yield f"offer {offer_id}: where it was sent from is not what the ledger names"
