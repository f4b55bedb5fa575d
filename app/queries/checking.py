"""Do the signed heads that are kept agree with the ledgers they speak of? For the database, and for copies of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, inspect, select

from app.clock import rfc3339
from app.models import Checkpoint, LedgerEntry
from app.receipt.authority import issued

KIND = "bidflux.checkpoint"


def checkpoint_faults(
    connection: Connection, roots: Sequence[x509.Certificate], agency_id: uuid.UUID | None = None
) -> list[str]:
    """What is wrong with checkpoints, a line each: of one agency, or of all.

    Each must be signed by the key of its certificate, that certificate by one of `roots` (where any is known: on a
    machine without `seal/` none is), and say of its ledger what the ledger says.
    """
    if not inspect(connection).has_table(Checkpoint.__tablename__):
        return []  # a copy from before there were any
    query = (
        select(
            Checkpoint.agency_id, Checkpoint.seq, Checkpoint.at, Checkpoint.body, Checkpoint.signature,
            Checkpoint.certificate, LedgerEntry.hash,
        )
        .join(
            LedgerEntry,
            (LedgerEntry.agency_id == Checkpoint.agency_id) & (LedgerEntry.seq == Checkpoint.seq),
            isouter=True,
        )
        .order_by(Checkpoint.agency_id, Checkpoint.seq)
    )  # fmt: skip
    if agency_id:
        query = query.where(Checkpoint.agency_id == agency_id)
    found = []
    for row in connection.execute(query):
        if reason := _reason(row, roots):
            found.append(f"checkpoint of {row.agency_id} at entry {row.seq}: {reason}")
    return found


def _reason(row: Any, roots: Sequence[x509.Certificate]) -> str | None:
    try:
        certificate = x509.load_pem_x509_certificate(row.certificate.encode())
        key, said = certificate.public_key(), json.loads(row.body)
        if not isinstance(key, Ed25519PublicKey):
            return "its certificate is not one that signs checkpoints"
        key.verify(row.signature, row.body)
    except (ValueError, InvalidSignature):
        return "its signature does not hold"
    if roots and not any(issued(certificate, root) for root in roots):
        return "its certificate is under none of the roots in seal/"
    if row.hash is None:
        return "the ledger has no such entry"
    told = {"v": 1, "kind": KIND, "agency": str(row.agency_id), "seq": row.seq, "at": rfc3339(row.at)}
    return None if said == {**told, "head": row.hash.hex()} else "what was signed is not what the ledger says"
