"""Offers that somebody else records for a bidder: by phone, on paper, over the API. Unconfirmed until they say so."""

from __future__ import annotations

import base64
import hashlib
import os
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import exists, select, update

from app.accounts.deputies import owe_notice
from app.core import keys
from app.core.access import Person
from app.core.canonical_json import canonical
from app.core.clock import rfc3339
from app.core.errors import Conflict, IllegalTransition
from app.core.ledger import BIDDER, Actor
from app.core.quotas import hold_recorded
from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork, writing
from app.core.vault import Place, pad, seal
from app.models import (
    CODE,
    HELD_LINK,
    Confirmation,
    ConfirmationBody,
    Delivery,
    Offer,
    OfferState,
    Property,
)
from app.models.property import GONE
from app.offers import codes, submitting
from app.offers.codes import CodeState
from app.offers.document import Draft, Signature
from app.offers.entry import witness
from app.offers.events import announce
from app.offers.mailboxes import own_address, reachable
from app.offers.recipient_limits import write_to_bidder
from app.offers.replacing import carry_out, previous_of
from app.offers.submitting import Sending, SentOffer
from app.proof import receipts

NOT_TAKING = "The property is archived, gone or not for sale: it takes no offers."
CONFIRMATION_SCHEMA = "bidflux.confirmation/1"
BETWEEN_MAILS = timedelta(minutes=2)


class TooSoon(Conflict):
    """The last mail that asks the bidder to confirm went out a moment ago."""


def record(prop: Property, draft: Draft, sending: Sending, *, by: Actor) -> SentOffer:
    """Keep an offer taken elsewhere; the bidder is asked by mail to confirm it, where they gave an address.

    It needs no open link. What it says it replaces stands until its bidder confirms: see `replacements.carry_out`.
    Raises `Invalid` for a wrong `replaces`, `Conflict` for a property that takes no offers, `FactsChanged` where the
    property is not what the form showed.
    """
    sealed = submitting.prepare(prop.agency_id, draft)
    property_id = prop.id
    with writing(prop.agency_id) as tx:
        current = submitting.current(tx, property_id, sending.nonce, sealed)
        if current.pressed:
            return SentOffer(current.pressed, fresh=False)
        sold_here = select(Property.id).where(Property.id == property_id, Property.transaction_type == "sale")
        if current.archived_at or current.availability in GONE or tx.connection.scalar(sold_here) is None:
            raise Conflict(NOT_TAKING)
        if draft.replaces:
            previous_of(tx, property_id, draft.replaces, sealed.tags)
        submitting.as_shown(tx, current, draft, sending, None)
        hold_recorded(tx)
        if current.taken:
            sealed = submitting.renamed(tx, sealed)
        submitting.store(tx, current, sealed, sending, by=by)
        subject, offer_id = about("offer", sealed.offer_id), sealed.offer_id
        owe_notice(tx, "offer_agent", subject, offer_id=offer_id, agent_id=current.agent_id, away=current.deputy_id)
        told = write_to_bidder(tx, "offer_confirm", subject, offer_id=offer_id) if draft.bidder.email else None
        receipts.owe(tx, offer_id, mailed=False)
    return SentOffer(sealed.offer_id, fresh=True, mail=told)


@dataclass(frozen=True, slots=True)
class ConfirmationInput:
    """What a bidder saw and gave when they confirmed. `texts` and `shown` as in `Sending`."""

    language: str
    texts: dict[str, str]
    signature: Signature | None = None
    address: str | None = None
    browser: str | None = None
    shown: bytes | None = None


def confirm(offer: Offer, confirmation: ConfirmationInput, code: str = "") -> CodeState:
    """Somebody with the link says that an offer recorded for its bidder is theirs: `done`, or where the code stands.

    Where a code can reach the bidder nothing counts without it; elsewhere it is kept as said through a link that the
    agency held too. Raises `IllegalTransition` for an offer that they sent themselves, withdrew, or that was erased,
    and `FactsChanged` where the property is not what they were shown.
    """
    offer_id, agency_id, commitment, property_id = offer.id, offer.agency_id, offer.commitment, offer.property_id
    with writing(agency_id) as tx:
        state = _standing(tx, offer_id)
        if state.confirmed:
            return CodeState("done")
        if confirmation.shown is not None:
            submitting.check_shown(tx, property_id, confirmation.language, confirmation.texts, confirmation.shown)
        coded, proof = reachable(agency_id, offer_id) is not None, HELD_LINK
        if coded and (after := codes.attempt(tx, offer_id, code)).state != "done":
            return after
        if coded and own_address(agency_id, offer_id):
            proof = CODE
        tx.add(Confirmation, offer_id=offer_id, at=tx.at, proof=proof)
        digest, origin = _keep(tx, offer_id, commitment, proof, confirmation)
        signed = confirmation.signature is not None and proof == CODE
        changed = {"signed": signed, "version": OfferState.version + 1, "updated_at": tx.at}
        tx.connection.execute(update(OfferState).where(OfferState.offer_id == offer_id).values(changed))
        told = {"commitment": digest.hex(), "proof": proof, "origin": witness(origin)}
        tx.record("offer.confirmed", offer_id, BIDDER, told)
        carry_out(tx, offer_id, proof, BIDDER, coded=coded)
        announce(tx, offer_id, "offer.confirmed", BIDDER)
        owe_notice(tx, "offer_confirmed", about("offer", offer_id), offer_id=offer_id, agent_id=state.agent_id)
        receipts.owe(tx, offer_id, mailed=_wrote_to(tx, offer_id))
    return CodeState("done")


def ask_again(offer: Offer, *, by: Person) -> None:
    """Owe the bidder one more mail with the link by which they confirm.

    Raises `IllegalTransition` where nothing is left to confirm or there is no address, `TooSoon` after a mail of
    this minute.
    """
    offer_id = offer.id
    with writing(offer.agency_id) as tx:
        if _standing(tx, offer_id).confirmed or not _wrote_to(tx, offer_id):
            raise IllegalTransition
        last = _asked_at(tx, offer_id)
        if last and tx.at - last < BETWEEN_MAILS:
            raise TooSoon
        asked = about("entry", tx.record("offer.confirmation_asked", offer_id, by.actor))
        write_to_bidder(tx, "offer_confirm", asked, offer_id=offer_id)


def _asked_at(tx: UnitOfWork, offer_id: uuid.UUID) -> Any:
    mails = select(Delivery.created_at).where(
        Delivery.agency_id == tx.agency_id, Delivery.offer_id == offer_id, Delivery.template == "offer_confirm"
    )
    return tx.connection.scalar(mails.order_by(Delivery.created_at.desc()).limit(1))


def _wrote_to(tx: UnitOfWork, offer_id: uuid.UUID) -> bool:
    """Whether the bidder has an address: the first mail that asks them was then owed with the offer itself."""
    return _asked_at(tx, offer_id) is not None


def _standing(tx: UnitOfWork, offer_id: uuid.UUID) -> Any:
    """The offer's `confirmed` and `agent_id`; raises `IllegalTransition` where nothing can be confirmed."""
    state = tx.connection.execute(
        select(
            OfferState.withdrawn_at,
            OfferState.erased_at,
            OfferState.source,
            Property.agent_id,
            exists().where(Confirmation.offer_id == OfferState.offer_id).label("confirmed"),
        )
        .join(Property, Property.id == OfferState.property_id)
        .where(OfferState.offer_id == offer_id)
    ).one()
    if state.source == "link" or state.withdrawn_at or state.erased_at:
        raise IllegalTransition
    return state


def _keep(
    tx: UnitOfWork, offer_id: uuid.UUID, commitment: bytes, proof: str, confirmation: ConfirmationInput
) -> tuple[bytes, bytes | None]:
    """Seal what was said under the offer's key, and from where; returns the hash of the first, which a random salt
    keeps from being guessed, and the second as it is kept."""
    key = keys.offer_key(tx.agency_id, offer_id)
    if key is None:
        raise IllegalTransition
    signature = confirmation.signature
    image = base64.b64encode(signature.image).decode() if signature and signature.image else None
    text = canonical(
        {
            "schema": CONFIRMATION_SCHEMA,
            "offer_commitment": commitment.hex(),
            "confirmed_at": rfc3339(tx.at),
            "proof": proof,
            "language": confirmation.language,
            "texts": confirmation.texts,
            "signature": {**signature.shown, "image": image} if signature else None,
            "salt": os.urandom(32).hex(),
        }
    )
    digest = hashlib.sha256(text).digest()
    place = Place(tx.agency_id, "confirmation_body", "body", offer_id)
    kind = signature.kind if signature else None
    row = {"signature": kind, "commitment": digest, "body_ct": seal(key, place, pad(text))}
    tx.add(ConfirmationBody, offer_id=offer_id, **row)
    sealed = submitting.sealed_origin(tx, offer_id, key, confirmation.address, confirmation.browser)
    return digest, sealed
