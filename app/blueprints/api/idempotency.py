"""Answering a repeated request with the answer that its first try was given.

The answer is committed with its effect: under the lock of the agency's head a repeat waits, then finds it. What failed
had no effect and is not kept.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, insert, select

from app.core import keys
from app.core.errors import Conflict, KeyReused
from app.core.unit_of_work import UnitOfWork, writing
from app.core.vault import Place, seal, unseal
from app.models import Idempotency

KEPT_FOR = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class RepeatableCall:
    """`name` as the caller chose it, whichever of the agency's keys they hold; `what` is method, path and body."""

    agency_id: uuid.UUID
    key_id: uuid.UUID
    name: str
    what: bytes


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer. `offer_id` is the offer it shows: the kept copy is forgotten with the person."""

    status: int
    headers: dict[str, str]
    body: str
    offer_id: uuid.UUID | None = None


def answered_once(asked: RepeatableCall, run: Callable[[], KeptAnswer]) -> tuple[KeptAnswer, bool]:
    """The answer, and whether it was given before. Raises `KeyReused` when `name` came with another request.

    `run` writes within the unit of work that is open here.
    """
    name_hash = hashlib.sha256(asked.name.encode()).digest()
    mac = hmac.digest(keys.agency_key(asked.agency_id, "content"), asked.what, hashlib.sha256)
    with writing(asked.agency_id) as tx:
        expired = delete(Idempotency).where(Idempotency.agency_id == asked.agency_id, Idempotency.expires_at <= tx.at)
        tx.connection.execute(expired)
        mine = (Idempotency.agency_id == asked.agency_id, Idempotency.name_hash == name_hash)
        kept = tx.connection.execute(select(Idempotency.__table__).where(*mine)).one_or_none()
        if kept:
            key = keys.offer_key(tx.agency_id, kept.offer_id) if kept.offer_id else _agency_key(tx)
            if key is None:
                raise Conflict("It was carried out; its answer was erased with the person.")
            if not hmac.compare_digest(kept.body_mac, mac):
                raise KeyReused
            plain = unseal(key, _place(asked.agency_id, kept.key_id, name_hash), kept.answer_ct)
            return KeptAnswer(**json.loads(plain), offer_id=kept.offer_id), True
        answer = run()
        tx.flush()
        text = json.dumps({"status": answer.status, "headers": answer.headers, "body": answer.body})
        tx.weigh(len(text))
        key = keys.offer_key(tx.agency_id, answer.offer_id) if answer.offer_id else None
        tx.connection.execute(
            insert(Idempotency),
            {
                "key_id": asked.key_id,
                "name_hash": name_hash,
                "agency_id": asked.agency_id,
                "body_mac": mac,
                "status": answer.status,
                "answer_ct": seal(
                    key or _agency_key(tx), _place(asked.agency_id, asked.key_id, name_hash), text.encode()
                ),
                "offer_id": answer.offer_id if key else None,
                "expires_at": tx.at + KEPT_FOR,
            },
        )
    return answer, False


def _agency_key(tx: UnitOfWork) -> bytes:
    return keys.agency_key(tx.agency_id, "secret")


def _place(agency_id: uuid.UUID, key_id: uuid.UUID, name_hash: bytes) -> Place:
    return Place(agency_id, "idempotency", "answer", f"{key_id.hex}.{name_hash.hex()}")
