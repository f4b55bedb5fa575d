"""Who may put an offer in another's place: its bidder alone, shown by their private page, by a code from their mailbox,
or by a link that went to that mailbox and nowhere else. Whoever is replaced is told."""

from __future__ import annotations

import hashlib
import hmac
import re
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from flask_babel import lazy_gettext
from sqlalchemy import delete, func, select, update

from app.core import keys
from app.core.canonical_json import canonical
from app.core.clock import now, rfc3339
from app.core.contacts import folded
from app.core.errors import CodeWanted, Invalid, LinkClosed
from app.core.ids import new_id
from app.core.ledger import Actor
from app.core.subjects import Subject, about
from app.core.unit_of_work import UnitOfWork, writing
from app.extensions import db
from app.models import (
    CODE,
    HELD_LINK,
    Offer,
    OfferRequest,
    OfferState,
    OfferTag,
    Property,
    ReplaceCode,
    Supersession,
    User,
)
from app.offers.chain import line_of
from app.offers.codes_a_day import too_many
from app.offers.document import Bidder
from app.offers.events import announce
from app.offers.mailboxes import document_of, own_address, reachable, tag_to_count_by
from app.offers.representation import request_state

REPLACES_UNKNOWN = lazy_gettext("We know no offer with this reference from you for this property")
REPLACES_TAKEN = lazy_gettext("That offer was already replaced or withdrawn; give the reference of the latest one")
PRIVATE_PAGE, MAILED_LINK = "private_page", "mailed_link"
TRIES, CODES_OF_FORM, CODES_A_DAY = 3, 5, 5
GOOD_FOR, APART, DAY = timedelta(hours=1), timedelta(minutes=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Grounds:
    """Which offer is replaced, by what it shows that its bidder does so, which request that answers, and who of the
    agency saw its link."""

    previous_id: uuid.UUID | None = None
    proof: str | None = None
    request_id: uuid.UUID | None = None
    shown_to: str | None = None
    shown_at: datetime | None = None

    @property
    def word(self) -> str | None:
        """An answer to a request carries its bidder's name without having been typed by them: whose word it is."""
        return self.proof if self.request_id and self.proof in {CODE, HELD_LINK} else None

    def said(self) -> dict[str, Any]:
        """For the document, which is sealed."""
        shown = {"to": self.shown_to, "at": rfc3339(self.shown_at)} if self.shown_at else None
        return {"previous_proof": self.proof, "link_shown": shown} if self.previous_id else {}

    def entry(self) -> dict[str, Any]:
        """For the ledger: nobody's name."""
        asked = str(self.request_id) if self.request_id else None
        shown = self.shown_at is not None
        return {"previous": str(self.previous_id), "proof": self.proof, "link_shown": shown, "request": asked}


class Form(Protocol):
    """What an offer came in: `offers.Sending`."""

    @property
    def nonce(self) -> bytes: ...
    @property
    def request_id(self) -> uuid.UUID | None: ...
    @property
    def own_page(self) -> uuid.UUID | None: ...


def settle(tx: UnitOfWork, prop: Any, replaces: str | None, form: Form) -> Grounds:
    """What an offer replaces that names another, or answers a request.

    Raises `CodeWanted` where the address of that other offer has not shown yet that this is its bidder, `Invalid` for
    one that stands no more and `LinkClosed` for a request that takes no answer.
    """
    if form.request_id:
        return _answer(tx, prop, form.request_id, form)
    if not replaces:
        return Grounds()
    found = _named(tx, prop.id, replaces)
    if found is None:
        raise CodeWanted
    if found.id == form.own_page:
        proof = _if_own(tx, found.id, PRIVATE_PAGE)
    elif _proved(tx, form.nonce, found.id):
        proof = _if_own(tx, found.id, CODE)
    else:
        raise CodeWanted
    if not found.latest or found.withdrawn_at or found.erased_at:
        raise Invalid({"replaces": [REPLACES_TAKEN]})
    return Grounds(found.id, proof)


def _if_own(tx: UnitOfWork, offer_id: uuid.UUID, proof: str) -> str:
    """What went to the offer's address alone shows its bidder, unless that address is one of the agency's."""
    return proof if own_address(tx.agency_id, offer_id) else HELD_LINK


def _answer(tx: UnitOfWork, prop: Any, request_id: uuid.UUID, form: Form) -> Grounds:
    asked = tx.connection.execute(
        select(OfferRequest.__table__, User.full_name)
        .outerjoin(User, User.id == OfferRequest.shown_to)
        .where(OfferRequest.agency_id == tx.agency_id, OfferRequest.id == request_id)
    ).one()
    state = request_state(asked, prop, tx.at)
    if state != "open":
        raise LinkClosed(state)
    chain = line_of(tx.connection, asked.offer_id)
    if form.own_page in chain:
        proof = _if_own(tx, asked.offer_id, PRIVATE_PAGE)
    elif reachable(tx.agency_id, asked.offer_id) is None:
        proof = HELD_LINK
    elif asked.shown_at is None:
        proof = _if_own(tx, asked.offer_id, MAILED_LINK)
    elif _proved(tx, form.nonce, asked.offer_id):
        proof = _if_own(tx, asked.offer_id, CODE)
    else:
        raise CodeWanted
    return Grounds(chain[-1], proof, request_id, shown_to=asked.full_name, shown_at=asked.shown_at)


def bidder_of_request(agency_id: uuid.UUID, request_id: uuid.UUID) -> Bidder | None:
    """Who answers a request: nobody but the bidder of the offer that it speaks of."""
    asked = select(OfferRequest.offer_id).where(OfferRequest.agency_id == agency_id, OfferRequest.id == request_id)
    document = document_of(agency_id, db.session.scalars(asked).one())
    return document.bidder if document else None


def _named(tx: UnitOfWork, property_id: uuid.UUID, reference: str) -> Any:
    return tx.connection.execute(
        select(Offer.id, OfferState.latest, OfferState.withdrawn_at, OfferState.erased_at)
        .join(OfferState, OfferState.offer_id == Offer.id)
        .where(Offer.agency_id == tx.agency_id, Offer.reference == reference, Offer.property_id == property_id)
    ).one_or_none()


def previous_of(tx: UnitOfWork, property_id: uuid.UUID, reference: str, tags: dict[str, bytes]) -> uuid.UUID:
    """The offer that one recorded by somebody else says it replaces: of someone with the same e-mail or phone."""
    found = _named(tx, property_id, reference)
    same = select(OfferTag.offer_id).where(OfferTag.agency_id == tx.agency_id, OfferTag.tag.in_(tags.values()))
    if found is None or tx.connection.scalar(same.where(OfferTag.offer_id == found.id).limit(1)) is None:
        raise Invalid({"replaces": [REPLACES_UNKNOWN]})
    if not found.latest or found.withdrawn_at:
        raise Invalid({"replaces": [REPLACES_TAKEN]})
    previous: uuid.UUID = found.id
    return previous


# --- the code to the address of the offer that would be replaced ---------------------------------------------------


def ask(prop: Property, nonce: bytes, *, replaces: str | None, asked: uuid.UUID | None, again: bool = False) -> None:
    """Send a code to the address of the offer, if it stands and has one of its bidder's own. Nobody is told whether."""
    agency_id, property_id = prop.agency_id, prop.id
    with writing(agency_id) as tx:
        tx.connection.execute(delete(ReplaceCode).where(ReplaceCode.sent_at < tx.at - DAY))
        target = _target(tx, property_id, replaces, asked)
        mine = (ReplaceCode.agency_id == agency_id, ReplaceCode.nonce == nonce)
        code = tx.connection.execute(select(ReplaceCode.__table__).where(*mine)).one_or_none()
        row = {"offer_id": target, "n": 1, "tries": 0, "sent_at": tx.at, "proved_at": None}
        if code is None:
            tx.add(ReplaceCode, nonce=nonce, **row)
        elif not _may_follow(code, target, tx.at, again=again):
            return
        else:
            tx.connection.execute(update(ReplaceCode).where(*mine).values(**{**row, "n": code.n + 1}))
        if tx.sends_mail:
            n = 1 if code is None else code.n + 1
            tag = tag_to_count_by(agency_id, target) if target else None
            tx.owe("mail", "replace_code", _subject(tx, nonce, n), offer_id=target, recipient=tag)


def _subject(tx: UnitOfWork, nonce: bytes, n: int) -> Subject:
    """Codes are counted anew when a form is a day old: the second in which it is sent tells them apart."""
    return about("replace_code", nonce, n, int(tx.at.timestamp()))


def _may_follow(code: Any, target: uuid.UUID | None, at: datetime, *, again: bool) -> bool:
    """Another code of a form: when it is asked for, or when the form names another offer now."""
    wanted = again or target != code.offer_id
    return bool(wanted and code.n < CODES_OF_FORM and at >= code.sent_at + APART)


def _target(tx: UnitOfWork, property_id: uuid.UUID, replaces: str | None, asked: uuid.UUID | None) -> uuid.UUID | None:
    """The offer whose address gets a code; None where it gets none, at the price of the same questions."""
    if asked:
        asked_offer = select(OfferRequest.offer_id).where(
            OfferRequest.agency_id == tx.agency_id, OfferRequest.id == asked
        )
        offer_id, stands = tx.connection.scalars(asked_offer).one(), True
    else:
        found = _named(tx, property_id, replaces or "")
        stands = found is not None and found.latest and not (found.withdrawn_at or found.erased_at)
        offer_id = found.id if found else new_id()
    sent = select(func.coalesce(func.sum(ReplaceCode.n), 0)).where(
        ReplaceCode.agency_id == tx.agency_id, ReplaceCode.offer_id == offer_id, ReplaceCode.sent_at > tx.at - DAY
    )
    few = (tx.connection.scalar(sent) or 0) < CODES_A_DAY and not too_many(tx, tag_to_count_by(tx.agency_id, offer_id))
    return offer_id if reachable(tx.agency_id, offer_id) and stands and few else None


def enter(prop: Property, nonce: bytes, typed: str) -> bool:
    """Try a code for a form. False for a wrong one, and for one that is good for nothing any more."""
    agency_id = prop.agency_id
    digits = re.sub(r"\D", "", typed[:100])[:12]
    mine = (ReplaceCode.agency_id == agency_id, ReplaceCode.nonce == nonce)
    with writing(agency_id) as tx:
        code = tx.connection.execute(select(ReplaceCode.__table__).where(*mine)).one_or_none()
        if code is None or code.sent_at + GOOD_FOR <= tx.at or code.tries >= TRIES or not digits:
            return False
        right = hmac.compare_digest(digits_of(code), digits) and code.offer_id is not None
        change = {"proved_at": tx.at} if right else {"tries": code.tries + 1}
        tx.connection.execute(update(ReplaceCode).where(*mine).values(**change))
    return right


def digits_of(sent: Any) -> str:
    """The code of a form as it was sent last (a row of `ReplaceCode`): other digits for every sending and every offer.

    Forms do not end and are counted anew after a day: what one mailbox was told must say nothing of another's.
    """
    signed = canonical([sent.nonce.hex(), sent.n, rfc3339(sent.sent_at), str(sent.offer_id)])
    made = hmac.digest(keys.agency_key(sent.agency_id, "secret"), b"replace-code" + signed, hashlib.sha256)
    return f"{int.from_bytes(made[:8]) % 1_000_000:06d}"


def mailed_digits(agency_id: uuid.UUID, offer_id: uuid.UUID, nonce: bytes, n: int) -> str | None:
    """The digits of a form's `n`th code, for its mail; None when they are good for nothing any more."""
    sent = db.session.execute(
        select(ReplaceCode.__table__).where(
            ReplaceCode.agency_id == agency_id,
            ReplaceCode.offer_id == offer_id,
            ReplaceCode.nonce == nonce,
            ReplaceCode.n == n,
            ReplaceCode.proved_at.is_(None),
        )
    ).one_or_none()
    return digits_of(sent) if sent and sent.sent_at + GOOD_FOR > now() else None


def _proved(tx: UnitOfWork, nonce: bytes, offer_id: uuid.UUID) -> bool:
    codes_of_offer = select(ReplaceCode.nonce).where(
        ReplaceCode.agency_id == tx.agency_id,
        ReplaceCode.nonce == nonce,
        ReplaceCode.offer_id == offer_id,
        ReplaceCode.proved_at > tx.at - DAY,
    )
    return tx.connection.scalar(codes_of_offer) is not None


# --- taking the place ---------------------------------------------------------------------------------------------


def supersede(tx: UnitOfWork, previous_id: uuid.UUID, by: Actor) -> None:
    """Another offer has this one's place now; the CRM and its bidder are told, unless that one was forgotten."""
    tx.connection.execute(
        update(OfferState)
        .where(OfferState.offer_id == previous_id)
        .values(latest=False, version=OfferState.version + 1, updated_at=tx.at)
    )
    if keys.offer_key(tx.agency_id, previous_id) is None:
        return
    announce(tx, previous_id, "offer.superseded", by)
    tx.owe_mail("offer_replaced", about("offer", previous_id), offer_id=previous_id)


def carry_out(tx: UnitOfWork, offer_id: uuid.UUID, proof: str, by: Actor, *, coded: bool) -> None:
    """A recorded offer was confirmed: it takes the place of the one that it named, if that one's bidder did confirm.

    With an address of its bidder's own, that bidder has confirmed when the code went to the very same address; where
    nobody could ever be written to, another recording may take the place of a recording. `coded`: a code was entered.
    """
    new = document_of(tx.agency_id, offer_id)
    if new is None or not new.terms["replaces"]:
        return
    property_id = tx.connection.scalars(select(Offer.property_id).where(Offer.id == offer_id)).one()
    found = _named(tx, property_id, new.terms["replaces"])
    old = document_of(tx.agency_id, found.id) if found else None
    if found is None or old is None or not found.latest or found.withdrawn_at or found.id == offer_id:
        return
    if reachable(tx.agency_id, found.id):
        same = folded(old.bidder.email or "") == folded(new.bidder.email or "")
        if not coded or not same:
            return
    elif old.bidder.phone != new.bidder.phone or old.body["source"] == "link":
        return
    tx.add(Supersession, offer_id=offer_id, previous_id=found.id, at=tx.at)
    tx.flush()
    tx.record("offer.replaced", offer_id, by, Grounds(found.id, proof).entry())
    supersede(tx, found.id, by)
