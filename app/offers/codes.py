"""Six digits from the bidder's mailbox: they make a signature count, where its property asks for that, and they confirm
an offer that somebody else recorded.

The offer is kept when it is sent; the code counts once it was entered. No cookie and no script is needed.
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

from app.core import keys
from app.core.clock import now
from app.core.errors import IllegalTransition
from app.core.ledger import BIDDER
from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork, writing
from app.core.vault import Place, seal, unseal
from app.extensions import db
from app.models import CODE, HELD_LINK, Confirmation, EmailCode, Offer, OfferState
from app.offers.codes_a_day import too_many
from app.offers.events import announce
from app.offers.mailboxes import own_address, reachable, tag_to_count_by
from app.proof import receipts

TRIES, CODES, MOST = 5, 5, 20
PRIVATE_PAGE = "private_page"  # the other way to show that it is one's mailbox
GOOD_FOR, APART, LATER = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class CodeState:
    """Where an offer stands with its code: `none`, `waiting`, `expired`, `spent` (too many wrong ones) or `done`.

    `left` tries are left of this code; `more` says whether another may be asked for.
    """

    state: str
    left: int = 0
    more: bool = False


def issue(tx: UnitOfWork, offer_id: uuid.UUID, key: bytes, n: int = 1) -> None:
    """Make the `n`th code and owe its mail. Where the mailbox may get no more mail, the code is void and the signature
    does not count."""
    tx.flush()
    tag = tag_to_count_by(tx.agency_id, offer_id)
    spared = too_many(tx, tag)
    code = f"{secrets.randbelow(1_000_000):06d}"
    tx.add(
        EmailCode,
        offer_id=offer_id,
        n=n,
        code_ct=seal(key, _place(tx.agency_id, offer_id, n), code.encode()),
        created_at=tx.at,
        expires_at=tx.at if spared else tx.at + GOOD_FOR,
        tries=0,
        used_at=None,
    )
    if not spared and tx.sends_mail:
        tx.owe("mail", "offer_code", about("email_code", offer_id, n), offer_id=offer_id, recipient=tag)


def standing(offer: Offer) -> CodeState | None:
    """None where no code was ever asked for."""
    last = db.session.execute(_last(offer.agency_id, offer.id)).one_or_none()
    return _standing(last) if last else None


def _last(agency_id: uuid.UUID, offer_id: uuid.UUID) -> Any:
    """The latest code of an offer, and whether the offer is confirmed."""
    return (
        select(EmailCode.n, EmailCode.code_ct, EmailCode.created_at, EmailCode.expires_at, EmailCode.tries)
        .add_columns(exists().where(Confirmation.offer_id == EmailCode.offer_id).label("confirmed"))
        .where(EmailCode.agency_id == agency_id, EmailCode.offer_id == offer_id)
        .order_by(EmailCode.n.desc())
        .limit(1)
    )


def _standing(last: Any) -> CodeState:
    if last.confirmed:
        return CodeState("done")
    more = _may_follow(last)
    if last.tries >= TRIES:
        return CodeState("spent", more=more)
    if last.expires_at <= now():
        return CodeState("expired", more=more)
    return CodeState("waiting", TRIES - last.tries, more)


def _may_follow(last: Any) -> bool:
    """Five when asked for, then one a day: whoever holds the link can neither go on guessing nor use up the bidder's
    codes."""
    return bool(last.n < CODES or (last.n < MOST and last.created_at <= now() - LATER))


def attempt(tx: UnitOfWork, offer_id: uuid.UUID, typed: str) -> CodeState:
    """Try a code within a unit of work; `done` if it is right, and used up. Raises `IllegalTransition`."""
    digits = re.sub(r"\D", "", typed)[:12]
    key = keys.offer_key(tx.agency_id, offer_id)
    if key is None or _ended(tx, offer_id):
        raise IllegalTransition
    last = tx.connection.execute(_last(tx.agency_id, offer_id)).one_or_none()
    if last is None:
        return CodeState("none", more=True)
    before = _standing(last)
    if before.state != "waiting" or not digits:
        return before
    code = unseal(key, _place(tx.agency_id, offer_id, last.n), last.code_ct)
    this = update(EmailCode).where(EmailCode.offer_id == offer_id, EmailCode.n == last.n)
    if not hmac.compare_digest(code, digits.encode()):
        tx.connection.execute(this.values(tries=EmailCode.tries + 1))
        left = before.left - 1
        return CodeState("waiting" if left else "spent", left, before.more)
    tx.connection.execute(this.values(used_at=tx.at))
    return CodeState("done")


def enter(offer: Offer, typed: str) -> CodeState:
    """Try the code of a signature. Where the offer then stands: `done`, or fewer tries left.

    A code that went to a mailbox of the agency's shows no bidder, and makes no signature count.
    Raises `IllegalTransition`: what somebody else recorded is confirmed with more than a code.
    """
    agency_id, offer_id = offer.agency_id, offer.id
    if not offer.signed:
        raise IllegalTransition
    with writing(agency_id) as tx:
        was_done = _is_confirmed(tx, offer_id)
        after = attempt(tx, offer_id, typed)
        if after.state == "none":
            raise IllegalTransition
        if after.state == "done" and not was_done:
            _counts(tx, offer_id)
    return after


def confirm_on_own_page(offer: Offer) -> None:
    """The same without a code, from the offer's private page: its link went to that mailbox and nowhere else, and
    nobody can use it up, as whoever sends offers in a person's name uses up the codes of their day.

    Raises `IllegalTransition` where no code was ever due, or there is nothing to confirm any more.
    """
    agency_id, offer_id, signed = offer.agency_id, offer.id, offer.signed
    with writing(agency_id) as tx:
        due = tx.connection.execute(_last(agency_id, offer_id)).one_or_none()
        if not signed or due is None or keys.offer_key(agency_id, offer_id) is None or _ended(tx, offer_id):
            raise IllegalTransition
        if not due.confirmed:
            _counts(tx, offer_id, way=PRIVATE_PAGE)


def _counts(tx: UnitOfWork, offer_id: uuid.UUID, **way: str) -> None:
    """A signature was confirmed from the bidder's mailbox, and counts unless that is one of the agency's."""
    proof = CODE if own_address(tx.agency_id, offer_id) else HELD_LINK
    tx.add(Confirmation, offer_id=offer_id, at=tx.at, proof=proof)
    counts = {"signed": proof == CODE, "version": OfferState.version + 1, "updated_at": tx.at}
    tx.connection.execute(update(OfferState).where(OfferState.offer_id == offer_id).values(counts))
    tx.record("offer.code_confirmed", offer_id, BIDDER, {"proof": proof, **way})
    announce(tx, offer_id, "offer.confirmed", BIDDER)
    receipts.owe(tx, offer_id)


def _is_confirmed(tx: UnitOfWork, offer_id: uuid.UUID) -> bool:
    return tx.connection.scalar(select(Confirmation.offer_id).where(Confirmation.offer_id == offer_id)) is not None


def send_another(offer: Offer) -> bool:
    """Send a new code, which ends the one before; False where none may be sent now, or at all.

    The first code of a signature went out with the offer; that of a recorded offer is sent when its bidder asks. Raises
    `IllegalTransition` where no code can prove anything.
    """
    agency_id, offer_id = offer.agency_id, offer.id
    first = offer.source != "link" and reachable(agency_id, offer_id) is not None
    with writing(agency_id) as tx:
        last, key = tx.connection.execute(_last(agency_id, offer_id)).one_or_none(), keys.offer_key(agency_id, offer_id)
        if (last is None and not first) or key is None or _ended(tx, offer_id):
            raise IllegalTransition
        if _is_confirmed(tx, offer_id) or (last and (not _may_follow(last) or tx.at < last.created_at + APART)):
            return False
        if too_many(tx, tag_to_count_by(agency_id, offer_id)):
            return False
        issue(tx, offer_id, key, last.n + 1 if last else 1)
    return True


def _ended(tx: UnitOfWork, offer_id: uuid.UUID) -> bool:
    """Withdrawn or erased: there is nothing to confirm any more."""
    state = select(OfferState.withdrawn_at, OfferState.erased_at).where(OfferState.offer_id == offer_id)
    row = tx.connection.execute(state).one()
    return bool(row.withdrawn_at or row.erased_at)


def _place(agency_id: uuid.UUID, offer_id: uuid.UUID, n: int) -> Place:
    return Place(agency_id, "email_code", "code", f"{offer_id}/{n}")


def digits_of(agency_id: uuid.UUID, offer_id: uuid.UUID, n: int, key: bytes) -> str | None:
    """The digits of an offer's `n`th code, for its mail; None once they are void."""
    newest = select(func.max(EmailCode.n)).where(EmailCode.offer_id == offer_id).scalar_subquery()
    row = db.session.execute(
        select(EmailCode.n, EmailCode.code_ct, EmailCode.expires_at, EmailCode.used_at).where(
            EmailCode.agency_id == agency_id,
            EmailCode.offer_id == offer_id,
            EmailCode.n == n,
            EmailCode.n == newest,
        )
    ).one_or_none()
    if row is None or row.used_at or row.expires_at <= now():
        return None
    return unseal(key, _place(agency_id, offer_id, row.n), row.code_ct).decode()
