"""Confirming a signed offer by a code from the bidder's mailbox, where its property asks for that.

The offer is kept when it is sent; its signature counts once the code was entered. No cookie and no script is needed.
"""

from __future__ import annotations

import hmac
import re
import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import exists, func, select, update

from app import keys
from app.clock import now
from app.errors import IllegalTransition
from app.extensions import db
from app.ledger import BIDDER
from app.models import Confirmation, EmailCode, Event, Offer, OfferState
from app.services import receipts
from app.services.offer_events import announce
from app.vault import Place, seal, unseal
from app.writing import UnitOfWork, writing

TRIES, CODES = 5, 5
GOOD_FOR, APART = timedelta(hours=1), timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an offer stands with its code: `waiting`, `expired`, `spent` (too many wrong ones) or `done`.

    `left` tries are left of this code; `more` says whether another may be asked for.
    """

    state: str
    left: int = 0
    more: bool = False


def issue(tx: UnitOfWork, offer_id: uuid.UUID, event_seq: int, key: bytes, n: int = 1) -> None:
    """Make the `n`th code and owe its mail."""
    code = f"{secrets.randbelow(1_000_000):06d}"
    tx.add(
        EmailCode,
        offer_id=offer_id,
        n=n,
        code_ct=seal(key, _place(tx.agency_id, offer_id, n), code.encode()),
        created_at=tx.at,
        expires_at=tx.at + GOOD_FOR,
        tries=0,
        used_at=None,
    )
    tx.owe_mail("offer_code", event_seq, offer_id=offer_id)


def standing(offer: Offer) -> Standing | None:
    """None where no code was ever asked for."""
    last = db.session.execute(_last(offer)).one_or_none()
    return _standing(last) if last else None


def _last(offer: Offer) -> Any:
    """The latest code of an offer, and whether the offer is confirmed."""
    return (
        select(EmailCode.n, EmailCode.code_ct, EmailCode.created_at, EmailCode.expires_at, EmailCode.tries)
        .add_columns(exists().where(Confirmation.offer_id == EmailCode.offer_id).label("confirmed"))
        .where(EmailCode.agency_id == offer.agency_id, EmailCode.offer_id == offer.id)
        .order_by(EmailCode.n.desc())
        .limit(1)
    )


def _standing(last: Any) -> Standing:
    if last.confirmed:
        return Standing("done")
    more = last.n < CODES
    if last.tries >= TRIES:
        return Standing("spent", more=more)
    if last.expires_at <= now():
        return Standing("expired", more=more)
    return Standing("waiting", TRIES - last.tries, more)


def enter(offer: Offer, typed: str) -> Standing:
    """Try a code. Where the offer then stands: `done`, or fewer tries left. Raises `IllegalTransition`."""
    agency_id, offer_id = offer.agency_id, offer.id
    digits = re.sub(r"\D", "", typed)[:12]
    with writing(agency_id) as tx:
        last, key = tx.connection.execute(_last(offer)).one_or_none(), keys.offer_key(agency_id, offer_id)
        if last is None or key is None or _ended(tx, offer_id):
            raise IllegalTransition
        before = _standing(last)
        if before.state != "waiting" or not digits:
            return before
        code = unseal(key, _place(agency_id, offer_id, last.n), last.code_ct)
        this = update(EmailCode).where(EmailCode.offer_id == offer_id, EmailCode.n == last.n)
        if not hmac.compare_digest(code, digits.encode()):
            tx.connection.execute(this.values(tries=EmailCode.tries + 1))
            left = before.left - 1
            return Standing("waiting" if left else "spent", left, before.more)
        tx.connection.execute(this.values(used_at=tx.at))
        tx.add(Confirmation, offer_id=offer_id, at=tx.at)
        counts = {"signed": True, "version": OfferState.version + 1, "updated_at": tx.at}
        tx.connection.execute(update(OfferState).where(OfferState.offer_id == offer_id).values(counts))
        tx.record("offer.code_confirmed", offer_id, BIDDER)
        receipts.owe(tx, announce(tx, offer_id, "offer.confirmed", BIDDER), offer_id)
    return Standing("done")


def send_another(offer: Offer) -> bool:
    """Send a new code, which ends the one before; False where none may be sent (any more, or so soon)."""
    agency_id, offer_id = offer.agency_id, offer.id
    seq = select(func.max(Event.seq)).where(Event.agency_id == agency_id, Event.offer_id == offer_id)
    with writing(agency_id) as tx:
        last, key = tx.connection.execute(_last(offer)).one_or_none(), keys.offer_key(agency_id, offer_id)
        if last is None or key is None or _ended(tx, offer_id):
            raise IllegalTransition
        if last.confirmed or last.n >= CODES or tx.at < last.created_at + APART:
            return False
        issue(tx, offer_id, tx.connection.scalar(seq) or 0, key, last.n + 1)
    return True


def _ended(tx: UnitOfWork, offer_id: uuid.UUID) -> bool:
    """Withdrawn or erased: there is nothing to confirm any more."""
    state = select(OfferState.withdrawn_at, OfferState.erased_at).where(OfferState.offer_id == offer_id)
    row = tx.connection.execute(state).one()
    return bool(row.withdrawn_at or row.erased_at)


def _place(agency_id: uuid.UUID, offer_id: uuid.UUID, n: int) -> Place:
    return Place(agency_id, "email_code", "code", f"{offer_id}/{n}")


def sent_at(offer_id: uuid.UUID, agency_id: uuid.UUID, moment: Any, key: bytes) -> str | None:
    """The digits of the code made at that moment, for its mail; None when they are good for nothing any more."""
    newest = select(func.max(EmailCode.n)).where(EmailCode.offer_id == offer_id).scalar_subquery()
    row = db.session.execute(
        select(EmailCode.n, EmailCode.code_ct, EmailCode.expires_at, EmailCode.used_at).where(
            EmailCode.agency_id == agency_id,
            EmailCode.offer_id == offer_id,
            EmailCode.created_at == moment,
            EmailCode.n == newest,
        )
    ).one_or_none()
    if row is None or row.used_at or row.expires_at <= now():
        return None
    return unseal(key, _place(agency_id, offer_id, row.n), row.code_ct).decode()
