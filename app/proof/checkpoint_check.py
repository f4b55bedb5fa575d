"""Compares the signed heads that are kept with their ledgers, in the database and in copies of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, func, inspect, select

from app.core.clock import rfc3339
from app.models import Checkpoint, LedgerEntry
from app.proof.authority import issued
from app.proof.heads import SignedHead

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


def head_fault(
    connection: Connection, roots: Sequence[x509.Certificate], agency_id: uuid.UUID, held: SignedHead | None
) -> str | None:
    """What the ledger says otherwise than the head that is kept beside the seal.

    Read that head before the database is: what comes in between would be missing.
    """
    if held is None:
        return None
    why = _unsigned(held.certificate, held.signature, held.body, roots)
    if why or held.agency != str(agency_id):
        return f"the head beside the seal tells nothing: {why or 'it is of another agency'}"
    mine = LedgerEntry.agency_id == agency_id
    now = connection.scalar(select(LedgerEntry.hash).where(mine, LedgerEntry.seq == held.seq))
    if now is None:
        last = connection.scalar(select(func.max(LedgerEntry.seq)).where(mine)) or 0
        if last < held.seq:
            return f"shorter than the last checkpoint: entry {held.seq} was signed at {held.at}, it ends at {last}"
        return f"entry {held.seq} was signed at {held.at} and is missing"
    if now.hex() != held.head:
        return f"entry {held.seq} is not the one that was signed at {held.at}: the ledger was written anew"
    return None


def _reason(row: Any, roots: Sequence[x509.Certificate]) -> str | None:
    if why := _unsigned(row.certificate, row.signature, row.body, roots):
        return why
    if row.hash is None:
        return "the ledger has no such entry"
    said = json.loads(row.body)
    told = {"v": 1, "kind": KIND, "agency": str(row.agency_id), "seq": row.seq, "at": rfc3339(row.at)}
    return None if said == {**told, "head": row.hash.hex()} else "what was signed is not what the ledger says"


def _unsigned(certificate_pem: str, signature: bytes, body: bytes, roots: Sequence[x509.Certificate]) -> str | None:
    """Why a signed statement does not hold."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
        key = certificate.public_key()
        if not isinstance(key, Ed25519PublicKey):
            return "its certificate is not one that signs checkpoints"
        key.verify(signature, body)
        json.loads(body)
    except (ValueError, TypeError, InvalidSignature):
        return "its signature does not hold"
    if roots and not any(issued(certificate, root) for root in roots):
        return "its certificate is under none of the roots in seal/"
    return None
