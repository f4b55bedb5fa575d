"""Mails about offers: to whom, in which language, composed from what is sealed of the offer."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import aliased

from app.accounts.deputies import NOTICES
from app.core import keys
from app.core.clock import now
from app.core.formats import show_money, signature_worth
from app.core.money import Money
from app.core.signed_links import BIDDER, RECEIPT, REQUEST, sign
from app.core.urls import base_url
from app.core.vault import Place, unpad, unseal
from app.delivery.composing import DeliveryRow, NoLongerOwed, NotYet, compose_mail, speaking
from app.delivery.registry import Registry
from app.extensions import db
from app.models import (
    CODE,
    Account,
    Agency,
    Confirmation,
    Event,
    Offer,
    OfferBody,
    OfferKey,
    OfferRequest,
    OfferState,
    Property,
    Supersession,
    User,
)
from app.models.property import local
from app.models.withdrawal import Withdrawal
from app.offers import codes, deciding, replacing, undelivered
from app.offers.document import Document, decode
from app.offers.representation import request_state
from app.offers.sections import sections, signature_row
from app.outbound.smtp import Mailbox, OutgoingMail, one_line, sender
from app.proof.receipt_reading import RECEIPT_MAIL, stored
from app.properties import gone_notices
from app.properties.representation import gone_as


def register(registry: Registry) -> None:
    for name, made in _KINDS.items():
        registry.mail(name, partial(_compose, made))
    for name, deputy in NOTICES.items():
        registry.mail(deputy, partial(_to_deputy, _KINDS[name], name), name)
    registry.dead.append(undelivered.tell_another)


def _compose(made: Made, delivery: DeliveryRow) -> OutgoingMail:
    if delivery.offer_id is None:
        raise NoLongerOwed("nobody")  # owed all the same, so that asking for it costs the same
    row = _load(delivery)
    key = keys.unwrap_offer_key(delivery.agency_id, row.id, row.kek_id, row.wrapped)
    place = Place(delivery.agency_id, "offer_body", "body", row.id)
    return made(delivery, row, decode(unpad(unseal(key, place, row.body_ct))), key)


def _to_deputy(made: Made, template: str, delivery: DeliveryRow) -> OutgoingMail:
    """What the agent is told, in the deputy's language, while both are there."""
    here = select(User.active).where(User.agency_id == delivery.agency_id, User.id == delivery.user_id)
    if not db.session.scalar(here):
        raise NoLongerOwed("left")
    return _compose(made, replace(delivery, template=template))


def _load(delivery: DeliveryRow) -> Any:
    """The offer with its keys, property, agency, responsible agent and the user written to."""
    agent, reader = aliased(User), aliased(User)  # of this call alone: two threads would each complete half of it
    row = db.session.execute(
        select(
            Offer.id, Offer.agency_id, Offer.property_id, Offer.reference, Offer.amount_minor, Offer.asking_minor,
            Offer.currency,
            Offer.language, Offer.submitted_at, OfferState.status, OfferState.signed, OfferState.withdrawn_at,
            OfferState.erased_at, Confirmation.proof,
            OfferKey.kek_id, OfferKey.wrapped, OfferBody.body_ct, Property.title, Property.title_en, Property.told_at,
            Property.availability, Property.archived_at,
            Agency.name.label("agency_name"), Agency.email.label("agency_email"), Agency.phone.label("agency_phone"),
            Agency.zone, Agency.language.label("agency_language"),
            agent.full_name.label("agent_name"), agent.email.label("agent_email"), agent.phone.label("agent_phone"),
            agent.active.label("agent_active"),
            reader.full_name.label("reader_name"), reader.email.label("reader_email"),
            Account.language.label("reader_language"), reader.active.label("reader_active"),
        )
        .join(OfferState, OfferState.offer_id == Offer.id)
        .join(OfferBody, OfferBody.offer_id == Offer.id)
        .join(Property, Property.id == Offer.property_id)
        .join(Agency, Agency.id == Offer.agency_id)
        .join(agent, agent.id == Property.agent_id)
        .outerjoin(OfferKey, OfferKey.offer_id == Offer.id)
        .outerjoin(Confirmation, Confirmation.offer_id == Offer.id)
        .outerjoin(reader, and_(reader.agency_id == Offer.agency_id, reader.id == delivery.user_id))
        .outerjoin(Account, Account.id == reader.account_id)
        .where(Offer.agency_id == delivery.agency_id, Offer.id == delivery.offer_id)
    ).one_or_none()  # fmt: skip
    if row is None or row.wrapped is None or row.erased_at:
        raise NoLongerOwed("erased")
    return row


def _decision(delivery: DeliveryRow, row: Any, document: Document, key: bytes) -> OutgoingMail:
    """What was decided, if it still stands, and what the agent wrote to the bidder: nobody is told of a decision that
    was taken back meanwhile."""
    if row.withdrawn_at:
        raise NoLongerOwed("overtaken")
    standing = deciding.that_stand(db.session.connection(), row.agency_id, row.id, row.status)
    made = next((step for step in standing if step.id == delivery.id_of("decision")), None)
    if made is None:
        raise _overtaken(row)
    place = Place(delivery.agency_id, "decision", "message", made.id)
    message = unseal(key, place, made.message_ct).decode() if made.message_ct else None
    return _to_bidder(delivery, row, document, status=made.to_status, message=message)


def _overtaken(row: Any) -> Exception:
    """Another decision stands in the way of a mail: for good, or until it can be taken back no more."""
    until = deciding.open_until(db.session.connection(), row.agency_id, row.id)
    return NotYet(until) if until > now() else NoLongerOwed("overtaken")


def _code(delivery: DeliveryRow, row: Any, key: bytes) -> dict[str, Any]:
    """The digits that the mail is about, if they are still good, and where they are entered."""
    digits = codes.digits_of(row.agency_id, row.id, int(delivery.key_of("email_code")[1]), key)
    if digits is None:
        raise NoLongerOwed("overtaken")
    return {"code": digits, "code_url": f"{_receipt_url(row)}#code"}


def _replace_code(delivery: DeliveryRow, row: Any) -> str:
    """The digits by which somebody may replace this offer, if they are still good."""
    nonce, n, *_second = delivery.key_of("replace_code")
    digits = replacing.mailed_digits(row.agency_id, row.id, bytes.fromhex(nonce), int(n))
    if digits is None:
        raise NoLongerOwed("overtaken")
    return digits


def _replaced(row: Any) -> dict[str, Any]:
    """What took the offer's place."""
    after = or_(Offer.previous_id == row.id, Offer.id.in_(_SUPERSEDED.where(Supersession.previous_id == row.id)))
    new = db.session.execute(
        select(Offer.reference, Offer.amount_minor, Offer.currency, Offer.submitted_at).where(after)
    ).one()
    amount = Money(new.amount_minor, new.currency)
    return {"new_reference": new.reference, "new_amount": amount, "new_at": new.submitted_at}


_SUPERSEDED = select(Supersession.offer_id)


def _asked(delivery: DeliveryRow, row: Any, key: bytes) -> dict[str, Any]:
    """The request for a better offer, if it still stands."""
    asked = db.session.get_one(OfferRequest, delivery.id_of("offer_request"))
    if request_state(asked, row, now()) != "open":
        raise NoLongerOwed("overtaken")
    place = Place(delivery.agency_id, "offer_request", "message", asked.id)
    message = unseal(key, place, asked.message_ct).decode() if asked.message_ct else None
    return {
        "url": f"{base_url()}/o/{sign(REQUEST, asked.id)}",
        "deadline": asked.deadline,
        "message": message,
    }


def _gone(delivery: DeliveryRow, row: Any) -> str:
    """What had become of the property when it was settled that its bidders are told, if that still stands."""
    told = gone_notices.last_told(delivery.agency_id, row.property_id)
    overtaken = told is None or told.seq != int(delivery.key_of("telling")[0]) or not row.told_at
    if overtaken or row.withdrawn_at:
        raise NoLongerOwed("overtaken")
    if row.status not in {"new", "viewed"}:
        raise _overtaken(row)
    place = Place(delivery.agency_id, "event", "body", str(delivery.event_seq))
    body_ct = db.session.scalars(
        select(Event.body_ct).where(Event.agency_id == delivery.agency_id, Event.seq == delivery.event_seq)
    ).one()
    data = json.loads(unseal(keys.agency_key(delivery.agency_id, "secret"), place, body_ct))["data"]
    return gone_as(SimpleNamespace(**data)) or "unavailable"


def _parting(delivery: DeliveryRow, key: bytes) -> str | None:
    """What the bidder wrote when they withdrew."""
    made = db.session.scalar(select(Withdrawal.message_ct).where(Withdrawal.offer_id == delivery.offer_id))
    if made is None or delivery.offer_id is None:
        return None
    return unseal(key, Place(delivery.agency_id, "withdrawal", "message", delivery.offer_id), made).decode()


Made = Callable[[DeliveryRow, Any, Document, bytes], OutgoingMail]

# What each template is made of.
_KINDS: dict[str, Made] = {
    "offer_agent": lambda delivery, row, document, _key: _to_agent(delivery, row, document),
    undelivered.TEMPLATE: lambda delivery, row, document, _key: _to_agent(delivery, row, document),
    "offer_confirmed": lambda delivery, row, document, _key: _to_agent(
        delivery, row, document, by_code=row.proof == CODE
    ),
    "offer_bidder": lambda delivery, row, document, _key: _to_bidder(delivery, row, document),
    "withdrawn_bidder": lambda delivery, row, document, _key: _to_bidder(delivery, row, document),
    "offer_confirm": lambda delivery, row, document, _key: _to_bidder(delivery, row, document, url=_receipt_url(row)),
    "withdrawn_agent": lambda delivery, row, document, key: _to_agent(
        delivery, row, document, message=_parting(delivery, key)
    ),
    "decision_bidder": _decision,
    gone_notices.TEMPLATE: lambda delivery, row, document, _key: _to_bidder(
        delivery, row, document, gone=_gone(delivery, row)
    ),
    "replace_code": lambda delivery, row, document, _key: _to_bidder(
        delivery, row, document, code=_replace_code(delivery, row)
    ),
    "offer_replaced": lambda delivery, row, document, _key: _to_bidder(delivery, row, document, **_replaced(row)),
    "offer_code": lambda delivery, row, document, key: _to_bidder(delivery, row, document, **_code(delivery, row, key)),
    RECEIPT_MAIL: lambda delivery, row, document, _key: _with_receipt(_to_bidder(delivery, row, document), row),
    "offer_better": lambda delivery, row, document, key: _to_bidder(
        delivery, row, document, **_asked(delivery, row, key)
    ),
}


def _receipt_url(row: Any) -> str:
    return f"{base_url()}/r/{sign(RECEIPT, row.id)}"


def _to_agent(delivery: DeliveryRow, row: Any, document: Document, **values: Any) -> OutgoingMail:
    """To the agent, or to the agency when that account was ended: a client's data stays in the house."""
    bidder = document.bidder
    here = bool(row.reader_active)
    to = Mailbox(row.reader_email, row.reader_name) if here else Mailbox(row.agency_email, row.agency_name)
    more = {"url": f"{base_url()}/app/offers/{row.id}", **values}
    return _mail(
        delivery,
        row,
        document,
        more,
        language=row.reader_language if here else row.agency_language,
        to=to,
        from_=sender(),
        reply_to=Mailbox(bidder.email, bidder.full_name) if bidder.email else None,
    )


def _to_bidder(delivery: DeliveryRow, row: Any, document: Document, **values: Any) -> OutgoingMail:
    """`values` is what this very mail says beside what all mails to bidders do."""
    bidder = document.bidder
    if bidder.email is None:
        raise NoLongerOwed("no address")
    contact = (
        Mailbox(row.agent_email, row.agent_name) if row.agent_active else Mailbox(row.agency_email, row.agency_name)
    )
    more = {
        "url": f"{base_url()}/r/{sign(BIDDER, row.id)}",
        "contact_party": contact,
        "contact_phone": row.agent_phone if row.agent_active else row.agency_phone,
        **values,
    }
    return _mail(
        delivery,
        row,
        document,
        more,
        language=row.language,
        to=Mailbox(bidder.email, bidder.full_name),
        from_=sender(row.agency_name),
        reply_to=contact,
    )


def _with_receipt(mail: OutgoingMail, row: Any) -> OutgoingMail:
    pdf = stored(row.agency_id, row.id)
    if pdf is None:
        raise LookupError("receipt")
    mail.enclose(f"{row.reference}.pdf", "application/pdf", pdf)
    return mail


def _mail(
    delivery: DeliveryRow,
    row: Any,
    document: Document,
    more: dict[str, Any],
    *,
    language: str,
    to: Mailbox,
    from_: Mailbox,
    reply_to: Mailbox | None,
) -> OutgoingMail:
    with speaking(language, row.zone):
        bidder, *terms = sections(document.terms, document.body["property"]["asking_price"])
        signature = signature_row(document.terms, counts=row.signed)
        if signature:
            signature = signature._replace(value=f"{signature.value}. {signature_worth()}")
        values = {
            "reference": row.reference,
            "title": one_line(local(row, "title", language)),
            "amount": show_money(Money(row.amount_minor, row.currency)),
            "submitted_at": row.submitted_at,
            "at": delivery.created_at,
            "agency_name": row.agency_name,
            "channel": document.body.get("channel"),
            "recorded": document.body["source"] != "link",
            "answerable": reply_to is not None and reply_to.answerable,
            "agent_name": one_line(row.agent_name),
            "agent_email": row.agent_email,
            "verify_url": f"{base_url()}/verify",
            "bidder_rows": bidder.rows,
            "offer_rows": [*(line for part in terms for line in part.rows), *([signature] if signature else [])],
            **more,
        }
        return compose_mail(delivery, values, to=to, sender=from_, reply_to=reply_to)
