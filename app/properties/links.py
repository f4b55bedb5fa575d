"""What a property's signed link opens."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from app.core.clock import now, rfc3339
from app.core.keys import unwrap_offer_key
from app.core.signed_links import OfferLink
from app.core.vault import Place, unpad, unseal
from app.extensions import db
from app.models import LinkActivity, Offer, OfferBody, OfferKey, OfferRequest, OfferState, Property
from app.offers.chain import line_of
from app.offers.document import Document, decode
from app.offers.representation import request_state
from app.properties.linked import linked_property
from app.properties.representation import link_state


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """A property, and where its link stands: open, not_open, closed, off, rotated, answered, or what
    became of the property."""

    property: Property
    version: int
    state: str
    request: OpenedRequest | None = None

    def closes_at(self) -> datetime | None:
        return self.request.deadline if self.request else self.property.offers_close_at


@dataclass(frozen=True, slots=True)
class OpenedRequest:
    """A better offer asked of one bidder: what they offered, until when, and what the agent wrote."""

    id: uuid.UUID
    deadline: datetime
    message: str | None
    reference: str
    document: Document

    def shown(self) -> dict[str, str | None]:
        """What its page says of it: which offer is replaced, until when, in which words."""
        return {"offer": self.reference, "deadline": rfc3339(self.deadline), "message": self.message}


def open_link(link: OfferLink) -> OpenedLink | None:
    """The link's property with agent and agency; None when it is gone."""
    prop = linked_property(link.property_id)
    return OpenedLink(prop, link.version, link_state(prop, link.version)) if prop else None


def open_property(property_id: uuid.UUID) -> OpenedLink | None:
    """The property's present link, for a bidder who comes from their own page and is not shown it."""
    prop = linked_property(property_id)
    return OpenedLink(prop, prop.link_version, link_state(prop, prop.link_version)) if prop else None


@dataclass(frozen=True, slots=True)
class Activity:
    """How often a link was opened, begun and sent, without persons."""

    opened: int
    begun: int
    sent: int


def activity_of(prop: Property) -> Activity:
    """Since the property was added."""
    looked = select(func.sum(LinkActivity.opened), func.sum(LinkActivity.begun)).where(
        LinkActivity.agency_id == prop.agency_id, LinkActivity.property_id == prop.id
    )
    sent = select(func.count()).where(
        OfferState.agency_id == prop.agency_id, OfferState.property_id == prop.id, OfferState.source == "link"
    )
    row = db.session.execute(looked.add_columns(sent.scalar_subquery())).one()
    return Activity(int(row[0] or 0), int(row[1] or 0), row[2])


def open_request_of(offer: Offer) -> OfferRequest | None:
    """The better offer that its bidder is asked for just now."""
    found = db.session.execute(
        select(OfferRequest, Property.availability, Property.archived_at)
        .join(Property, Property.id == OfferRequest.property_id)
        .where(
            OfferRequest.agency_id == offer.agency_id,
            OfferRequest.offer_id == offer.id,
            OfferRequest.answer_id.is_(None),
            OfferRequest.cancelled_at.is_(None),
        )
    ).first()
    return found[0] if found and request_state(found[0], found, now()) == "open" else None


def open_request(request_id: uuid.UUID) -> OpenedLink | None:
    """The link of one bidder, who was asked for a better offer; None too once the person has been forgotten."""
    row = db.session.execute(
        select(OfferRequest, OfferBody.body_ct, OfferKey.kek_id, OfferKey.wrapped)
        .join(OfferBody, OfferBody.offer_id == OfferRequest.offer_id)
        .join(OfferKey, OfferKey.offer_id == OfferRequest.offer_id)
        .where(OfferRequest.id == request_id)
    ).one_or_none()
    prop = linked_property(row[0].property_id) if row else None
    if row is None or prop is None:
        return None
    request: OfferRequest = row[0]
    agency_id, offer_id = request.agency_id, request.offer_id
    key = unwrap_offer_key(agency_id, offer_id, row.kek_id, row.wrapped)
    document = decode(unpad(unseal(key, Place(agency_id, "offer_body", "body", offer_id), row.body_ct)))
    message = None
    if request.message_ct:
        place = Place(agency_id, "offer_request", "message", request.id)
        message = unseal(key, place, request.message_ct).decode()
    opened = OpenedRequest(request.id, request.deadline, message, _latest_of(offer_id), document)
    return OpenedLink(prop, prop.link_version, request_state(request, prop, now()), opened)


def _latest_of(offer_id: uuid.UUID) -> str:
    """The reference of what an answer replaces: the offer itself, or what took its place since."""
    latest = line_of(db.session.connection(), offer_id)[-1]
    return db.session.scalars(select(Offer.reference).where(Offer.id == latest)).one()
