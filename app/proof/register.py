"""Checks the ledger: the chain itself, and each offer against its commitment."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

from sqlalchemy import select

from app.core.ledger import EntryFault, faults
from app.core.raw_rows import raw
from app.extensions import db
from app.models import Agency, LedgerEntry, Offer
from app.proof.contents import TextsAskedFor, content_faults, texts_kept
from app.proof.properties import property_faults
from app.proof.standing import readable, standing_faults
from app.proof.submissions import Means, compare, missing_offers, offers_and_entries

BATCH = 2_000


class Register(NamedTuple):
    """A ledger to check, as its agency's row holds it."""

    id: uuid.UUID
    name: str
    head_seq: int
    head_hash: bytes


def registers() -> list[Register | str]:
    """Those of all agencies, and for a row that has no id, what stands there. No other column is read: one with a value
    that it cannot have must not stop the checker."""
    columns = (Agency.id, Agency.name, Agency.head_seq, Agency.head_hash)
    rows = db.session.execute(select(*map(raw, columns)).order_by(Agency.id))
    return [_register(*row) for row in rows]


def _register(agency_id: Any, name: Any, head_seq: Any, head_hash: Any) -> Register | str:
    try:
        return Register(uuid.UUID(str(agency_id)), str(name), head_seq, head_hash)
    except ValueError:
        return repr(agency_id)


def verify_chain(agency: Agency) -> tuple[int, EntryFault | None]:
    """How many entries hold, and the first that does not."""
    fault = next(chain_faults(agency), None)
    return (fault.seq - 1 if fault else agency.head_seq), fault


def chain_faults(agency: Agency | Register) -> Iterator[EntryFault]:
    """Everything that does not hold of a chain."""
    entry = LedgerEntry.__table__.c  # by Core: the ORM's loading would take as long as all the rest
    query = (
        select(entry.seq, raw(entry.at), entry.kind, raw(entry.object_id), entry.actor_type)
        .add_columns(raw(entry.actor_id), entry.body, entry.hash)
        .where(entry.agency_id == agency.id)
        .order_by(entry.seq)
    )
    rows = db.session.connection().execute(query, execution_options={"yield_per": BATCH})
    try:
        yield from faults(agency.id, rows, agency.head_seq, agency.head_hash)
    finally:
        rows.close()


def offer_faults(agency: Agency | Register) -> Iterator[str]:
    """Open every offer of an agency; say of each what differs between columns, sealed document and ledger."""
    texts = texts_kept()
    means = Means.of(agency.id, texts)
    query = offers_and_entries(agency.id)
    for row in db.session.connection().execute(query, execution_options={"yield_per": BATCH}):
        if found := compare(row, means):
            yield from (f"offer {row[1]}: {one}" for one in found)
    yield from readable("register's entry", missing_offers(agency.id))
    yield from standing_faults(agency.id)
    yield from content_faults(agency.id, texts)
    yield from readable("property", property_faults(agency.id))


def faults_of_offer(offer_id: uuid.UUID) -> list[str]:
    """What is wrong with one offer; empty when columns, sealed document and ledger say the same."""
    agency_id = db.session.scalars(select(Offer.agency_id).where(Offer.id == offer_id)).one()
    means = Means.of(agency_id, TextsAskedFor())
    rows = db.session.execute(offers_and_entries(agency_id, offer_id)).all()
    return [found for row in rows for found in compare(row, means)]
