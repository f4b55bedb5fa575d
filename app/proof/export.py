"""The ledger as lines of JSON that anybody can check end to end (`tools/verify_receipt.py`)."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterator
from typing import Any

from app.core.ledger import Actor
from app.core.unit_of_work import writing
from app.proof.checkpoint_reading import entries
from app.proof.checkpoints import END, signed

FORMAT = "bidflux.ledger/1"


def export(agency_id: uuid.UUID, *, anonymised: bool, by: Actor) -> Iterator[bytes]:
    """Every line, ending with a signed one that names the head and the SHA-256 of all lines before it.

    That it was exported is itself an entry, the last one in it; it is written at once, before the first line is asked
    for.
    """
    form = "anonymised" if anonymised else "full"
    with writing(agency_id) as tx:
        until, head, at = tx.record("ledger.exported", None, by, {"form": form}), tx.hash, tx.at

    def lines() -> Iterator[bytes]:
        told = hashlib.sha256()
        for line in _content(agency_id, form, until):
            text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
            told.update(text)
            yield text
        end = signed(END, agency_id, until, head, at, form=form, lines=told.hexdigest())
        yield json.dumps(end, separators=(",", ":")).encode() + b"\n"

    return lines()


def _content(agency_id: uuid.UUID, form: str, until: int) -> Iterator[dict[str, Any]]:
    yield {"format": FORMAT, "agency": str(agency_id), "form": form}
    yield from entries(agency_id, until, anonymised=form == "anonymised")
