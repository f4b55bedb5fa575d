"""Sending an offer: one transaction holds the offer, its ledger entry, its event and every mail it owes."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import uuid
from dataclasses import dataclass, field, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from sqlalchemy import bindparam, exists, select, update

from app.accounts.deputies import owe_notice
from app.core import keys
from app.core.clock import rfc3339
from app.core.errors import FactsChanged, LinkClosed
from app.core.group_commit import write_together
from app.core.ids import new_id, new_reference
from app.core.ledger import Actor
from app.core.statements import Query
from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork, writing
from app.core.vault import Place, Wrapped, offer_key_place, pad, seal
from app.core.wake import Count
from app.extensions import db
from app.models import (
    CODE,
    Agency,
    Confirmation,
    Offer,
    OfferBody,
    OfferFile,
    OfferKey,
    OfferOrigin,
    OfferRequest,
    OfferState,
    OfferTag,
    Property,
    Submission,
    User,
)
from app.models.offer import COPIED
from app.offers import codes
from app.offers import document as offer_document
from app.offers.document import Document, Draft
from app.offers.entry import Submitted, witness
from app.offers.replacing import Grounds, bidder_of_request, settle, supersede
from app.offers.representation import offer_json
from app.offers.tags import tags_of
from app.proof import receipts
from app.properties.representation import link_state
from app.properties.shown import ShownFacts, digest_of, shown_of, snapshot


@dataclass(frozen=True, slots=True)
class Sending:
    """Everything beside the draft that is kept with it. `nonce` (16 bytes) names the form it came from.

    `channel` is how an offer reached the agent who recorded it. `request_id` names the request for a better offer
    that it answers: its deadline then counts, not the link's window; `asked` says what its bidder was shown of it.
    `shown` is the digest of all that the sender was shown (`app.properties.shown`), where they were shown something.
    `own_page` is the offer from whose private page it comes; `counts` go up once the offer is kept; `grounds` is filled
    in under the lock.
    """

    nonce: bytes
    link_version: int
    language: str
    source: str
    texts: dict[str, str]
    address: str | None = None
    browser: str | None = None
    request_id: uuid.UUID | None = None
    channel: str | None = None
    asked: dict[str, str | None] | None = None
    shown: bytes | None = None
    own_page: uuid.UUID | None = None
    counts: tuple[Count, ...] = ()
    grounds: Grounds = field(default_factory=Grounds)


@dataclass(frozen=True, slots=True)
class SentOffer:
    """The outcome; `fresh` is False when the very same form had already been sent. `mail` says what became of the mail
    to the bidder, where it was not sent at once."""

    offer_id: uuid.UUID
    fresh: bool
    mail: str | None = None


def submit(prop: Property, draft: Draft, sending: Sending, *, by: Actor) -> SentOffer:
    """Accept an offer. Raises `LinkClosed` when the link no longer takes it, `Invalid` for a wrong `replaces`,
    `CodeWanted` where it is not shown yet that its sender may replace that, and `FactsChanged` where the property,
    under the lock, is not what the sender was shown.

    One that touches no other offer may be committed together with others."""
    agency_id, property_id = prop.agency_id, prop.id
    if sending.request_id:
        draft = replace(draft, bidder=bidder_of_request(agency_id, sending.request_id) or draft.bidder)
    act = partial(_submit, property_id=property_id, sealed=prepare(agency_id, draft), sending=sending, by=by)
    if sending.request_id or draft.replaces:
        with writing(agency_id) as tx:
            return act(tx)
    return write_together(agency_id, act)


def _submit(tx: UnitOfWork, property_id: uuid.UUID, sealed: Prepared, sending: Sending, by: Actor) -> SentOffer:
    draft = sealed.draft
    row = current(tx, property_id, sending.nonce, sealed)
    if row.pressed:
        return SentOffer(row.pressed, fresh=False)
    state = link_state(row, sending.link_version, tx.at)
    if state != "open" and not sending.request_id:
        raise LinkClosed(state)
    sending = replace(sending, grounds=settle(tx, row, draft.replaces, sending))
    as_shown(tx, row, draft, sending, sending.grounds.previous_id)
    if row.taken:
        sealed = renamed(tx, sealed)
    store(tx, row, sealed, sending, by=by)
    if sending.request_id:
        tx.flush()
        tx.connection.execute(_ANSWERED, {"request": sending.request_id, "answer": sealed.offer_id})
    subject = about("offer", sealed.offer_id)
    owe_notice(tx, "offer_agent", subject, offer_id=sealed.offer_id, agent_id=row.agent_id, away=row.deputy_id)
    tx.owe_mail("offer_bidder", subject, offer_id=sealed.offer_id)
    coded = row.code_required and draft.signature is not None and sending.grounds.word is None
    if coded:
        codes.issue(tx, sealed.offer_id, sealed.key)
    receipts.owe(tx, sealed.offer_id, mailed=not coded)
    tx.counts.extend(sending.counts)
    return SentOffer(sealed.offer_id, fresh=True)


def current(tx: UnitOfWork, property_id: uuid.UUID, nonce: bytes, sealed: Prepared) -> Any:
    """The property under the lock, with `pressed`, the offer that this form was already sent as, and `taken`."""
    press = {"id": property_id, "nonce": nonce, "content_mac": sealed.content, "reference": sealed.reference}
    return _CURRENT.one(tx.connection, **press)


def as_shown(tx: UnitOfWork, row: Any, draft: Draft, sending: Sending, previous_id: uuid.UUID | None) -> None:
    """Raise `FactsChanged` unless the property is what the sender was shown, and what is replaced what they saw."""
    if draft.amount.currency != row.currency:
        raise FactsChanged
    if sending.shown is None:
        return
    if digest_of(snapshot(_shown_to(row, sending), sending.texts, sending.asked)) != sending.shown:
        raise FactsChanged
    if sending.asked and previous_id:
        replaced = tx.connection.scalar(select(Offer.reference).where(Offer.id == previous_id))
        if replaced != sending.asked["offer"]:
            raise FactsChanged


def check_shown(tx: UnitOfWork, property_id: uuid.UUID, language: str, texts: dict[str, str], digest: bytes) -> None:
    """Raise `FactsChanged` unless the property, under the lock, is what a page of that digest showed."""
    row = tx.connection.execute(_FACTS, {"id": property_id}).one()
    if digest_of(snapshot(_shown(row, language), texts)) != digest:
        raise FactsChanged


def _shown(row: Any, language: str, *, windowed: bool = True) -> ShownFacts:
    agent = SimpleNamespace(full_name=row.agent_name, email=row.agent_email, phone=row.agent_phone)
    return shown_of(row, row.agency_name, agent, language, windowed=windowed)


def _shown_to(row: Any, sending: Sending) -> ShownFacts:
    return _shown(row, sending.language, windowed=sending.request_id is None)


def renamed(tx: UnitOfWork, sealed: Prepared) -> Prepared:
    """Under a reference that nobody has; the first one drawn was taken, which happens once in millions."""
    while tx.connection.scalar(select(_TAKEN), {"reference": sealed.reference}):
        sealed = replace(sealed, reference=new_reference())
    return sealed


@dataclass(frozen=True, slots=True)
class Prepared:
    """What can be worked out before the lock: its id, reference and key, blind indexes, the name of its content."""

    offer_id: uuid.UUID
    reference: str
    draft: Draft
    terms: dict[str, Any]
    key: bytes
    wrapped: Wrapped
    tags: dict[str, bytes]
    content: bytes


def prepare(agency_id: uuid.UUID, draft: Draft) -> Prepared:
    """Hash and make keys; nothing is written."""
    offer_id, terms, tags = new_id(), draft.terms(), tags_of(agency_id, draft.bidder)
    content = content_mac(agency_id, terms)
    key, wrapped = keys.keyring().new_key(offer_key_place(agency_id, offer_id))
    return Prepared(offer_id, new_reference(), draft, terms, key, wrapped, tags, content)


def was_sent(prop: Property, draft: Draft, nonce: bytes) -> bool:
    """Whether this very form was sent already: who presses once more is led to the offer that it became."""
    press = {"id": prop.id, "nonce": nonce, "content_mac": content_mac(prop.agency_id, draft.terms())}
    return bool(_WAS_PRESSED.all(db.session.connection(), **press))


def content_mac(agency_id: uuid.UUID, terms: dict[str, Any]) -> bytes:
    """The name of an offer's terms (`Draft.terms()`), which nobody outside can guess."""
    return hmac.digest(keys.agency_key(agency_id, "content"), _compact(terms), hashlib.sha256)


def _compact(terms: dict[str, Any]) -> bytes:
    """The same bytes for the same terms, for our own eyes only: nobody else ever checks this hash."""
    return json.dumps(terms, sort_keys=True, separators=(",", ":")).encode()


def store(tx: UnitOfWork, prop: Any, sealed: Prepared, sending: Sending, *, by: Actor) -> None:
    """Every row of one offer, its ledger entry and its event. `prop` as it is now."""
    offer_id, draft = sealed.offer_id, sealed.draft
    previous_id = sending.grounds.previous_id
    row = _offer_row(tx, prop, sealed, sending)
    text = offer_document.encode(_header(row, prop, sending), sealed.terms, os.urandom(32))
    row["commitment"] = offer_document.commitment(text)
    word = sending.grounds.word
    counts = word == CODE if word else not prop.code_required
    state = {**_state_row(row), "signed": row["signed"] and counts}
    tx.add(Offer, **row)
    tx.add(OfferBody, offer_id=offer_id, body_ct=_seal(tx, sealed, "offer_body", "body", pad(text)))
    tx.add(
        OfferKey,
        offer_id=offer_id,
        kek_id=sealed.wrapped.kek_id,
        wrapped=sealed.wrapped.wrapped,
        name_ct=_seal(tx, sealed, "offer_key", "name", draft.bidder.folded_name.encode()),
    )
    tx.add(OfferState, **state)
    for name, tag in sealed.tags.items():
        tx.add(OfferTag, offer_id=offer_id, field=name, tag=tag)
    press = {"nonce": sending.nonce, "content_mac": sealed.content}
    tx.add(Submission, property_id=row["property_id"], offer_id=offer_id, **press)
    origin = sealed_origin(tx, offer_id, sealed.key, sending.address, sending.browser)
    if draft.signature and (image := draft.signature.image):
        digest, body_ct = hashlib.sha256(image).digest(), _seal(tx, sealed, "offer_file", "signature", image)
        file = {"kind": "signature", "mime": "image/png", "sha256": digest, "body_ct": body_ct}
        tx.add(OfferFile, offer_id=offer_id, **file)
    tx.record("offer.submitted", offer_id, by, _entry(row, sending, origin))
    if previous_id:
        tx.record("offer.replaced", offer_id, by, sending.grounds.entry())
    if word:
        tx.add(Confirmation, offer_id=offer_id, at=tx.at, proof=word)
        tx.record("offer.answered", offer_id, by, {"proof": word})
    document = Document({"offer": sealed.terms, "channel": sending.channel})
    shown = offer_json(
        SimpleNamespace(**row),
        SimpleNamespace(**state),
        document,
        external_id=prop.external_id,
        confirmed_at=tx.at if word else None,
        proof=word,
    )
    tx.announce("offer.created", by, shown, key=sealed.key, offer_id=offer_id, property_id=row["property_id"])
    if previous_id:
        supersede(tx, previous_id, by)


def sealed_origin(
    tx: UnitOfWork, offer_id: uuid.UUID, key: bytes, address: str | None, browser: str | None
) -> bytes | None:
    """Keep where an offer, or its confirmation, was sent from, as far as that is known; returns what is kept."""
    if not (address or browser):
        return None
    origin = json.dumps({"address": address, "browser": (browser or "")[:300]}).encode()
    body_ct = seal(key, Place(tx.agency_id, "offer_origin", "body", offer_id), origin)
    tx.add(OfferOrigin, offer_id=offer_id, body_ct=body_ct)
    return body_ct


def _seal(tx: UnitOfWork, sealed: Prepared, table: str, column: str, plain: bytes) -> bytes:
    return seal(sealed.key, Place(tx.agency_id, table, column, sealed.offer_id), plain)


# Built once: putting a statement together costs more than running it. One round trip for all that the lock must settle.
_PRESSED = select(Submission.offer_id).where(
    Submission.property_id == bindparam("id"),
    Submission.nonce == bindparam("nonce"),
    Submission.content_mac == bindparam("content_mac"),
)
_TAKEN = exists().where(Offer.reference == bindparam("reference"))
# A property with all that a link's page shows of it.
FACTS = (
    select(
        *Property.__table__.columns,
        Agency.name.label("agency_name"),
        User.full_name.label("agent_name"),
        User.email.label("agent_email"),
        User.phone.label("agent_phone"),
    )
    .join(Agency, Agency.id == Property.agency_id)
    .join(User, User.id == Property.agent_id)
)
_FACTS = FACTS.where(Property.id == bindparam("id"))
_CURRENT = Query(_FACTS.add_columns(_PRESSED.scalar_subquery().label("pressed"), _TAKEN.label("taken"), User.deputy_id))
_WAS_PRESSED = Query(_PRESSED)


_ANSWERED = update(OfferRequest).where(OfferRequest.id == bindparam("request")).values(answer_id=bindparam("answer"))


def _offer_row(tx: UnitOfWork, prop: Any, sealed: Prepared, sending: Sending) -> dict[str, Any]:
    draft = sealed.draft
    return {
        "id": sealed.offer_id,
        "property_id": prop.id,
        "reference": sealed.reference,
        "amount_minor": draft.amount.minor,
        "currency": prop.currency,
        "asking_minor": prop.asking_minor,
        "financing": draft.financing,
        "term_days": draft.payment_term_days,
        "valid_until": draft.valid_until,
        "signed": draft.signature is not None,
        "source": sending.source,
        "language": sending.language,
        "link_version": sending.link_version,
        "submitted_at": tx.at,
        "previous_id": sending.grounds.previous_id,
        "schema_no": offer_document.SCHEMA_NO,
    }


def _state_row(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "offer_id": row["id"],
        **{name: row[name] for name in COPIED},
        "status": "new",
        "version": 1,
        "latest": True,
        "viewed_at": None,
        "decided_at": None,
        "withdrawn_at": None,
        "erased_at": None,
        "updated_at": row["submitted_at"],
    }


def _header(row: dict[str, Any], prop: Any, sending: Sending) -> dict[str, Any]:
    """What stands beside the terms in the document: what was offered on, and what was shown."""
    return {
        "id": str(row["id"]),
        "agency_id": str(prop.agency_id),
        "reference": row["reference"],
        "submitted_at": rfc3339(row["submitted_at"]),
        "source": row["source"],
        "language": row["language"],
        "link_version": row["link_version"],
        "previous_offer_id": str(row["previous_id"]) if row["previous_id"] else None,
        "property": {
            "id": str(prop.id),
            "external_id": prop.external_id,
            **_shown_to(prop, sending).body(),
        },
        "texts": sending.texts,
        **({"channel": sending.channel} if sending.channel else {}),
        **({"asked": sending.asked} if sending.asked else {}),
        **sending.grounds.said(),
    }


def _entry(row: dict[str, Any], sending: Sending, origin: bytes | None) -> dict[str, Any]:
    return Submitted(
        reference=row["reference"],
        commitment=row["commitment"].hex(),
        property=str(row["property_id"]),
        source=row["source"],
        previous=str(row["previous_id"]) if row["previous_id"] else None,
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        channel=sending.channel,
        origin=witness(origin),
    ).data()
