"""Reading checkpoints, and exporting the ledger in lines that can be checked end to end."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from app.extensions import db
from app.models import Checkpoint, LedgerEntry, Timestamping

BATCH = 2_000
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class CheckpointLine:
    """One checkpoint: `token` is its timestamp (DER), `faults` how often there was none, `fault` the last reason."""

    seq: int
    at: datetime
    body: bytes
    signature: bytes
    certificate: str
    token: bytes | None
    faults: int
    fault: str | None

    @property
    def head(self) -> str:
        return str(json.loads(self.body)["head"])

    def exported(self) -> dict[str, Any]:
        return {
            "signed": self.body.decode(),
            "signature": self.signature.hex(),
            "certificate": self.certificate,
            "timestamp": base64.b64encode(self.token).decode() if self.token else None,
        }


def checkpoints_of(agency_id: uuid.UUID, limit: int | None = None) -> list[CheckpointLine]:
    """Newest first."""
    own = (Timestamping.agency_id == Checkpoint.agency_id, Timestamping.seq == Checkpoint.seq)
    token = select(Timestamping.token).where(*own, Timestamping.token.is_not(None)).limit(1).scalar_subquery()
    faults = select(func.count(Timestamping.fault)).where(*own).scalar_subquery()
    last = select(Timestamping.fault).where(*own).order_by(Timestamping.n.desc()).limit(1).scalar_subquery()
    query = (
        select(Checkpoint.seq, Checkpoint.at, Checkpoint.body, Checkpoint.signature, Checkpoint.certificate)
        .add_columns(token, faults, last)
        .where(Checkpoint.agency_id == agency_id)
        .order_by(Checkpoint.seq.desc())
        .limit(limit)
    )
    return [CheckpointLine(*row) for row in db.session.execute(query)]


def entries(agency_id: uuid.UUID, until: int, *, anonymised: bool) -> Iterator[dict[str, Any]]:
    """Lines of an export up to entry `until`, each checkpoint after its entry.

    Anonymised, people, keys, offers and properties have numbers in place of their ids, and bodies are left out, since
    they name them; the hashes stay, so that a receipt can be found in it.
    """
    marks = {line.seq: line for line in checkpoints_of(agency_id)}
    names = _Pseudonyms()
    query = (
        select(LedgerEntry.seq, LedgerEntry.body, LedgerEntry.hash)
        .where(LedgerEntry.agency_id == agency_id, LedgerEntry.seq <= until)
        .order_by(LedgerEntry.seq)
    )
    for row in db.session.execute(query.execution_options(yield_per=BATCH)):
        if anonymised:
            yield {"seq": row.seq, **names.told(json.loads(row.body)), "hash": row.hash.hex()}
        else:
            yield {"seq": row.seq, "body": row.body.decode(), "hash": row.hash.hex()}
        if row.seq in marks:
            yield marks[row.seq].exported()


class _Pseudonyms:
    """Numbers in place of ids, the same for the same one throughout."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, str]] = {}

    def name(self, kind: str, ident: str) -> str:
        held = self._known.setdefault(kind, {})
        return held.setdefault(ident, f"{kind} {len(held) + 1}")

    def told(self, body: dict[str, Any]) -> dict[str, Any]:
        actor, about = body["actor"], body["kind"].partition(".")[0]
        return {
            "at": body["at"],
            "kind": body["kind"],
            "object": self.name(about, body["object"]) if body["object"] else None,
            "actor": self.name(actor["type"], actor["id"]) if actor["id"] else actor["type"],
            "data": {key: self._shown(value) for key, value in body["data"].items() if key != "reference"},
        }

    def _shown(self, value: Any) -> Any:
        if isinstance(value, str) and _ID.fullmatch(value):
            return self.name("id", value)
        if isinstance(value, list):
            return [self._shown(held) for held in value]
        if isinstance(value, dict):
            return {key: self._shown(held) for key, held in value.items()}
        return value
