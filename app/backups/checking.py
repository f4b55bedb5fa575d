"""Checks a copy of the database: every row there, every chain sound and as signed, every erased person gone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cryptography.x509 import Certificate
from sqlalchemy import Connection, column, func, inspect, select, table

from app.backups.archive import Manifest
from app.core.ledger import EntryRow, first_fault
from app.models import Agency, LedgerEntry, OfferKey, OfferState
from app.proof.checkpoint_check import checkpoint_faults

BATCH = 2_000
VERSION_TABLE = "alembic_version"


def counts_of(connection: Connection) -> dict[str, int]:
    """Rows by table."""
    names = sorted(set(inspect(connection).get_table_names()) - {VERSION_TABLE})
    return {name: connection.scalar(select(func.count()).select_from(table(name))) or 0 for name in names}


def revision_of(connection: Connection) -> str:
    """The migration that the database stands at."""
    return str(connection.scalar(select(column("version_num")).select_from(table(VERSION_TABLE))))


def heads_of(connection: Connection) -> list[dict[str, Any]]:
    """Where each agency's ledger ends."""
    rows = connection.execute(select(Agency.id, Agency.head_seq, Agency.head_hash).order_by(Agency.id))
    return [{"id": str(row.id), "seq": row.head_seq, "hash": row.head_hash.hex()} for row in rows]


def erased_of(connection: Connection) -> int:
    """How many offers were forgotten."""
    return connection.scalar(select(func.count()).where(OfferState.erased_at.is_not(None))) or 0


def faults(connection: Connection, manifest: Manifest) -> list[str]:
    """Where a copy is not what its manifest says, a line each. It is asked before the copy is brought up to date."""
    found = []
    if (stands := revision_of(connection)) != manifest.revision:
        return [f"it stands at migration {stands}, its manifest says {manifest.revision}"]
    counts = counts_of(connection)
    for name in sorted(counts.keys() | manifest.counts.keys()):
        if counts.get(name) != manifest.counts.get(name):
            found.append(f"table {name}: {counts.get(name)} rows, {manifest.counts.get(name)} were backed up")
    if heads_of(connection) != manifest.agencies:
        found.append("the heads of the ledgers are not those that were backed up")
    return found


def record_faults(connection: Connection, roots: Sequence[Certificate]) -> list[str]:
    """What does not hold of ledgers, their signed heads, and erasures. `roots` as `checkpoint_faults`."""
    return chain_faults(connection) + checkpoint_faults(connection, roots) + erasure_faults(connection)


def chain_faults(connection: Connection) -> list[str]:
    """The first entry of each agency's ledger that does not hold."""
    found = []
    for agency in connection.execute(select(Agency.id, Agency.head_seq, Agency.head_hash)).all():
        columns = [getattr(LedgerEntry, name) for name in EntryRow._fields]
        query = select(*columns).where(LedgerEntry.agency_id == agency.id).order_by(LedgerEntry.seq)
        rows = connection.execute(query, execution_options={"yield_per": BATCH})
        if fault := first_fault(agency.id, rows, agency.head_seq, agency.head_hash):
            found.append(f"ledger of {agency.id}, entry {fault.seq}: {fault.reason}")
    return found


def erasure_faults(connection: Connection) -> list[str]:
    """Offers that were erased and can still be read."""
    still = select(OfferKey.offer_id).join(OfferState, OfferState.offer_id == OfferKey.offer_id)
    rows = connection.scalars(still.where(OfferState.erased_at.is_not(None)))
    return [f"offer {offer_id} was erased and its key is still there" for offer_id in rows]
