"""Everything that is held about one person, found by their e-mail address and opened for them."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Collection
from typing import Any

from sqlalchemy import func, select

from app.core.clock import now, rfc3339
from app.core.contacts import read_email
from app.core.keys import agency_key
from app.core.language import LANGUAGES
from app.core.vault import blind
from app.extensions import db
from app.models import Agency, Offer, OfferOrigin, OfferState, OfferTag, Property
from app.offers.details import OpenedOffer, open_offer, signature_image
from app.offers.document import Document
from app.offers.representation import offer_json
from app.offers.timeline import mails_owed, notes_of, offer_steps
from app.privacy.correspondence import given_to, own_confirmation, words_about
from app.proof import texts


def offers_of(agency_id: uuid.UUID, folded: str) -> list[uuid.UUID]:
    """The offers of an agency that were sent with this address (folded, as `app.core.contacts` does), oldest first."""
    tag = blind(agency_key(agency_id, "blind_email"), folded)
    query = select(OfferTag.offer_id).where(
        OfferTag.agency_id == agency_id, OfferTag.field == "email", OfferTag.tag == tag
    )
    return list(db.session.scalars(query.order_by(OfferTag.offer_id)))


def offers_by_email(agency_id: uuid.UUID, email: str) -> list[uuid.UUID]:
    """The same by an address as it was typed. Raises `NotAContact`."""
    return offers_of(agency_id, read_email(email).folded)


def count_by_tag(agency_id: uuid.UUID, tags: Collection[bytes]) -> dict[bytes, int]:
    """How many offers were sent with each of these addresses, named by their blind index; none where there are none."""
    of = OfferTag
    query = select(of.tag, func.count()).where(of.agency_id == agency_id, of.field == "email", of.tag.in_(tags))
    return {row[0]: row[1] for row in db.session.execute(query.group_by(of.tag))}


def held_about(agency_id: uuid.UUID, folded: str) -> dict[str, Any]:
    """Everything that an agency holds about a person: each offer as sent and all that came of it; and, as Art. 15(1)
    GDPR asks, purposes, bases, periods, recipients and rights (`notice`)."""
    agency = db.session.get_one(Agency, agency_id)
    query = (
        select(Offer, OfferState, Property)
        .join(OfferState, OfferState.offer_id == Offer.id)
        .join(Property, Property.id == Offer.property_id)
        .where(Offer.agency_id == agency_id, Offer.id.in_(offers_of(agency_id, folded)))
        .order_by(Offer.submitted_at)
    )
    found = [_held(open_offer(offer, state), prop) for offer, state, prop in db.session.execute(query).all()]
    return {
        "controller": {"name": agency.name, "email": agency.email, "phone": agency.phone},
        "made_at": rfc3339(now()),
        "notice": {language: texts.notice_of(agency, language) for language in LANGUAGES},
        "offers": [offer for offer in found if offer],
    }


def held_of(agency_id: uuid.UUID, offer_ids: Collection[uuid.UUID]) -> list[dict[str, Any]]:
    """The same of these offers, whoever sent them, by id; of one whose bidder was forgotten only that it was."""
    query = (
        select(Offer, OfferState, Property)
        .join(OfferState, OfferState.offer_id == Offer.id)
        .join(Property, Property.id == Offer.property_id)
        .where(Offer.agency_id == agency_id, Offer.id.in_(offer_ids))
        .order_by(Offer.id)
    )
    return [
        _held(open_offer(offer, state), prop)
        or {"offer": {"id": str(offer.id), "reference": offer.reference, "property_id": str(prop.id)}, "erased": True}
        for offer, state, prop in db.session.execute(query).all()
    ]


def _held(opened: OpenedOffer, prop: Property) -> dict[str, Any] | None:
    if opened.document is None:
        return None
    offer = opened.offer
    image = signature_image(opened)
    return {
        "offer": offer_json(offer, opened.state, opened.document, external_id=prop.external_id),
        "property": prop.title,
        "as_sent": _as_sent(opened.document),
        "commitment_sha256": offer.commitment.hex(),
        "signature_png": base64.b64encode(image).decode() if image else None,
        "sent_from": _origin(opened),
        "history": [{"at": rfc3339(step.at), "what": step.kind, "by": step.actor, "reason": step.reason,
                     "to": step.data.get("to")} for step in reversed(offer_steps(opened))],
        "confirmation": _confirmation(opened),
        "written": [{"at": rfc3339(words.at), "what": words.what, "text": words.text}
                    for words in words_about(opened)],
        "given_to": [{"at": rfc3339(given.at), "to": given.to} for given in given_to(opened)],
        "notes": [{"at": rfc3339(note.at), "text": note.text} for note in notes_of(opened)],
        "mails": [{"at": rfc3339(mail.ended_at or mail.due_at), "what": mail.template, "state": mail.state}
                  for mail in mails_owed(offer) if not mail.to],
    }  # fmt: skip


def _confirmation(opened: OpenedOffer) -> dict[str, Any] | None:
    confirmation = own_confirmation(opened)
    if confirmation is None:
        return None
    at, proof, text, image = confirmation
    png = base64.b64encode(image).decode() if image else None
    return {"at": rfc3339(at), "proof": proof, "signature_text": text, "signature_png": png}


def _as_sent(document: Document) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.dumps(document.body, default=str))
    return body


def _origin(opened: OpenedOffer) -> dict[str, Any] | None:
    """The caller's address and browser, while they are kept."""
    sealed = db.session.scalar(select(OfferOrigin.body_ct).where(OfferOrigin.offer_id == opened.offer.id))
    if sealed is None:
        return None
    found: dict[str, Any] = json.loads(opened.unseal("offer_origin", "body", opened.offer.id, sealed))
    return found
