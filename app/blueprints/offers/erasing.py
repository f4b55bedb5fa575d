"""An owner erases a client who asked by phone or letter, or whose time is over."""

from __future__ import annotations

import uuid

from flask import Response, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.offers.routes import offers
from app.core.access import get_offer
from app.core.errors import Conflict
from app.offers.details import OpenedOffer, open_offer
from app.offers.document import Bidder
from app.privacy import erasure, personal_data
from app.privacy.access_log import note_search
from app.privacy.data_requests import erase_for_agency
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy
from app.web.htmx import is_full_view


@offers.get("/app/offers/<uuid:offer_id>/erase")
@policy(Guard.OWNER, limit="120/minute", scope="erase-offer", records="whose offers an owner gathered")
def erase_person(offer_id: uuid.UUID) -> Response:
    """What would be erased, and the button."""
    opened, bidder = _opened(offer_id)
    found = _offers_of(bidder, offer_id)
    if is_full_view():
        note_search(found, by=person())
    return page("offers/erase.html", offer=opened.offer, bidder=bidder, count=len(found))


@offers.post("/app/offers/<uuid:offer_id>/erase")
@policy(Guard.OWNER, limit="30/minute", scope="erase-offer", step_up=True)
def erase_person_now(offer_id: uuid.UUID) -> AnyResponse:
    """All that was sent from the same address, over all properties; without an address this offer."""
    opened, bidder = _opened(offer_id)
    by, language = person(), opened.offer.language
    agency_id, actor = by.agency_id, by.actor
    if bidder.email:
        erased = erase_for_agency(agency_id, bidder.email, language, by=actor)
        message = ngettext(
            "%(num)d offer erased. The client is told.", "%(num)d offers erased. The client is told.", erased
        )
    else:
        erased = erasure.erase_all(agency_id, [offer_id], "agency", by=actor)
        message = ngettext("%(num)d offer erased.", "%(num)d offers erased.", erased)
    return done(url_for("offers.show", offer_id=offer_id), message)


def _opened(offer_id: uuid.UUID) -> tuple[OpenedOffer, Bidder]:
    """Raises `Conflict` once there is nobody to forget."""
    opened = open_offer(*get_offer(person(), offer_id, write=True))
    if opened.document is None:
        raise Conflict(_("The person has been forgotten: what they sent can no longer be read."))
    return opened, opened.document.bidder


def _offers_of(bidder: Bidder, offer_id: uuid.UUID) -> list[uuid.UUID]:
    return personal_data.offers_by_email(person().agency_id, bidder.email) if bidder.email else [offer_id]
