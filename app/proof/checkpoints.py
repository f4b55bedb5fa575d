"""Checkpoints: signed heads of ledgers, so that whoever keeps one sees a register that was trimmed or rewritten."""

from __future__ import annotations

import json
import uuid
from datetime import datetime, timedelta

import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import current_app
from sqlalchemy import Connection, func, insert, select

from app.core.canonical_json import canonical
from app.core.clock import now, rfc3339
from app.core.errors import Conflict
from app.core.unit_of_work import housekeeping, writing
from app.extensions import db
from app.models import Agency, Checkpoint, Timestamping
from app.outbound.timestamps import NoTimestamp, timestamp
from app.proof.authority import Authority
from app.proof.checkpoint_check import KIND, head_fault
from app.proof.heads import Heads, UnreadableHead
from app.proof.register import verify_chain

END = "bidflux.ledger.end"
HEAD = "bidflux.head"  # what is kept beside the seal between checkpoints
UNREADABLE = "the head beside the seal (seal/heads/) cannot be read"
NIGHT = 1  # o'clock, UTC
STEPS = (timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=12), timedelta(hours=24))

log = structlog.get_logger(__name__)


class BrokenRegister(Conflict):
    """The register does not hold, so its head is not signed. The argument says where."""

    title = "The register does not hold"


def signed(kind: str, agency_id: uuid.UUID, seq: int, head: bytes, at: datetime, **more: str) -> dict[str, str]:
    """A statement about a head and its signature, in the form of exports."""
    identity = _authority().checkpoint()
    key = identity.key
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("checkpoints are signed by Ed25519")
    said = {"v": 1, "kind": kind, "agency": str(agency_id), "seq": seq, "head": head.hex(), "at": rfc3339(at), **more}
    body = canonical(said)
    certificate = identity.certificate.public_bytes(serialization.Encoding.PEM).decode()
    return {"signed": body.decode(), "signature": key.sign(body).hex(), "certificate": certificate}


def take(agency_id: uuid.UUID) -> int | None:
    """Sign the head as it is now; its number, or None while the ledger is empty. Raises `BrokenRegister`.

    The same head is signed once, and kept beside the seal too. The whole chain is walked first.
    """
    db.session.rollback()
    _entries, fault = verify_chain(db.session.get_one(Agency, agency_id))
    if fault:
        raise BrokenRegister(f"entry {fault.seq}: {fault.reason}")
    with writing(agency_id) as tx:
        if shorter := standing_head_fault(tx.connection, agency_id):
            raise BrokenRegister(shorter)
        known = select(Checkpoint.seq).where(Checkpoint.agency_id == agency_id, Checkpoint.seq == tx.seq)
        if tx.seq == 0 or tx.connection.scalar(known):
            return tx.seq or None
        made = signed(KIND, agency_id, tx.seq, tx.hash, tx.at)
        tx.add(
            Checkpoint,
            seq=tx.seq,
            at=tx.at,
            body=made["signed"].encode(),
            signature=bytes.fromhex(made["signature"]),
            certificate=made["certificate"],
        )
        tx.then(lambda: _keep(agency_id, made))
        return tx.seq


def standing_head_fault(connection: Connection, agency_id: uuid.UUID) -> str | None:
    """What the ledger says otherwise than the head beside the seal; ask before the database is read, or under the
    agency's lock."""
    try:
        held = heads().held(agency_id)
    except UnreadableHead:
        return UNREADABLE
    return head_fault(connection, _authority().own_roots(), agency_id, held)


def note_heads() -> int:
    """Keep the head of every ledger that moved beside the seal, as it is now; how many did.

    A ledger that was cut or written anew is left as it was seen last, and named in the log.
    """
    held = {agency_id: _seen(agency_id) for agency_id in heads().agencies()}
    db.session.rollback()
    moved = [
        row
        for row in db.session.execute(select(Agency.id, Agency.head_seq, Agency.head_hash))
        if row.head_seq and row.head_seq != held.get(row.id, 0)
    ]
    for row in moved:
        if why := standing_head_fault(db.session.connection(), row.id):
            log.error("ledger_broken", agency=str(row.id), where=why)
        else:
            _keep(row.id, signed(HEAD, row.id, row.head_seq, row.head_hash, now()))
    db.session.rollback()
    return len(moved)


def _seen(agency_id: uuid.UUID) -> int:
    try:
        held = heads().held(agency_id)
    except UnreadableHead:
        return -1
    return held.seq if held else 0


def begin_anew() -> list[str]:
    """After a restore: where a ledger is not what was signed last, the head beside the seal is set aside. A line each,
    which says so and under what name it is kept."""
    lines = []
    db.session.rollback()
    connection = db.session.connection()
    for agency_id in heads().agencies():
        if standing_head_fault(connection, agency_id):
            seq = _seen(agency_id)
            what = f"{seq} entries were signed and are not all in this database" if seq > 0 else UNREADABLE
            lines.append(f"register of {agency_id}: {what}; that head is kept as {heads().set_aside(agency_id)}")
    db.session.rollback()
    return lines


def _keep(agency_id: uuid.UUID, made: dict[str, str]) -> None:
    try:
        heads().keep(agency_id, made)
    except OSError as error:  # a full disk must not undo what is committed
        log.warning("head_not_kept", fault=type(error).__name__)


def heads() -> Heads:
    found: Heads = current_app.extensions["bidflux_signed_heads"]
    return found


def nightly() -> int:
    """Take what last night asks for, and try again what was not timestamped; how many checkpoints were made."""
    made = 0
    for agency_id in _due():
        try:
            made += take(agency_id) is not None
        except BrokenRegister as broken:
            log.error("ledger_broken", agency=str(agency_id), where=str(broken))
    stamp_due()
    return made


def last_night(at: datetime) -> datetime:
    """The last time it was one o'clock at night (UTC)."""
    night = at.replace(hour=NIGHT, minute=0, second=0, microsecond=0)
    return night if night <= at else night - timedelta(days=1)


def _due() -> list[uuid.UUID]:
    """Agencies whose ledger moved since its last checkpoint, when that is older than last night."""
    last = (
        select(func.max(Checkpoint.seq).label("seq"), func.max(Checkpoint.at).label("at"), Checkpoint.agency_id)
        .group_by(Checkpoint.agency_id)
        .subquery()
    )
    query = (
        select(Agency.id, Agency.created_at, last.c.at)
        .join(last, last.c.agency_id == Agency.id, isouter=True)
        .where(Agency.head_seq > func.coalesce(last.c.seq, 0))
    )
    night = last_night(now())
    return [row.id for row in db.session.execute(query) if (row.at or row.created_at) < night]


def stamp_due() -> None:
    """Have every checkpoint timestamped that has no token yet and whose next try is due. Nothing without `TSA_URL`."""
    settings = current_app.extensions["bidflux_settings"]
    if settings.tsa_url is None:
        return
    tries = (
        select(
            Timestamping.agency_id, Timestamping.seq, func.count().label("n"), func.max(Timestamping.at).label("at"),
            func.count(Timestamping.token).label("tokens"),
        )
        .group_by(Timestamping.agency_id, Timestamping.seq)
        .subquery()
    )  # fmt: skip
    query = (
        select(Checkpoint.agency_id, Checkpoint.seq, Checkpoint.body, tries.c.n, tries.c.at)
        .join(tries, (tries.c.agency_id == Checkpoint.agency_id) & (tries.c.seq == Checkpoint.seq), isouter=True)
        .where(func.coalesce(tries.c.tokens, 0) == 0)
    )
    waiting = db.session.execute(query).all()
    db.session.rollback()
    for row in waiting:
        tried = row.n or 0
        if tried and now() < row.at + STEPS[min(tried, len(STEPS)) - 1]:
            continue
        token, fault = None, None
        try:
            token = timestamp(settings.tsa_url, row.body, settings.webhook_allow_networks)
        except NoTimestamp as why:
            fault = why.code
            log.warning("no_timestamp", agency=str(row.agency_id), seq=row.seq, why=why.code)
        values = {"agency_id": row.agency_id, "seq": row.seq, "n": tried + 1, "at": now(), "token": token}
        with housekeeping() as connection:
            connection.execute(insert(Timestamping), {**values, "fault": fault})


def _authority() -> Authority:
    found: Authority = current_app.extensions["bidflux_authority"]
    return found


def said(checkpoint: Checkpoint) -> dict[str, object]:
    """What a checkpoint says."""
    body: dict[str, object] = json.loads(checkpoint.body)
    return body
