"""The offers of an agency: the list, one offer, the answer to it, and the file."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import date
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.offers import list_page
from app.blueprints.offers.forms import NoteForm
from app.blueprints.offers.pages import offer_page
from app.core.access import get_offer, get_property
from app.core.clock import now
from app.models import Offer, OfferState
from app.offers import deciding, notes
from app.offers.details import open_offer, signature_image
from app.privacy import access_log
from app.proof import receipts
from app.proof.receipt_reading import stored
from app.web.fragments import page
from app.web.guards import Guard, person, policy
from app.web.htmx import is_full_view, is_seen

offers = Blueprint("offers", __name__)


@offers.get("/app/offers/<uuid:offer_id>")
@policy(Guard.SIGNED_IN, limit="600/minute", records="a person's full view of an offer")
def show(offer_id: uuid.UUID) -> Response:
    """One offer with everything it holds."""
    by = person()
    found = get_offer(by, offer_id)
    if is_full_view() and found[1].status == "new":
        deciding.view(found[0], by=by)
        found = get_offer(by, offer_id)
    shown = _offer(*found)
    if is_full_view():
        access_log.note_opening(offer_id, by=by)
    return shown


@offers.post("/app/offers/<uuid:offer_id>/notes")
@policy(Guard.AGENT, limit="120/minute", scope="notes")
def write_note(offer_id: uuid.UUID) -> AnyResponse:
    """Keep a note beside the offer: whoever may read it may write one."""
    offer, state = get_offer(person(), offer_id)
    form = NoteForm(request.form)
    if not form.validate():
        return _offer(offer, state, 422, form)
    notes.write(offer, form.text.data, by=person())
    return redirect(list_page.offer_address(offer_id), 303)


@offers.post("/app/offers/<uuid:offer_id>/notes/<uuid:note_id>/remove")
@policy(Guard.AGENT, limit="120/minute", scope="notes")
def remove_note(offer_id: uuid.UUID, note_id: uuid.UUID) -> AnyResponse:
    """Take one's own note away."""
    offer, _state = get_offer(person(), offer_id)
    notes.remove(offer, note_id, by=person())
    return redirect(list_page.offer_address(offer_id), 303)


@offers.get("/app/offers/<uuid:offer_id>/signature")
@policy(Guard.SIGNED_IN, limit="600/minute", records="whose signature a person saw")
def signature(offer_id: uuid.UUID) -> Response:
    """The drawn signature as a picture."""
    image = signature_image(open_offer(*get_offer(person(), offer_id)))
    if image is None:
        abort(404)
    note_seen([offer_id])
    return Response(image, mimetype="image/png")


@offers.get("/app/offers/<uuid:offer_id>/receipt.pdf")
@policy(Guard.SIGNED_IN, limit="120/minute", records="whose receipt a person took")
def receipt_pdf(offer_id: uuid.UUID) -> Response:
    """The sealed receipt, as its bidder has it."""
    offer, _state = get_offer(person(), offer_id)
    pdf = stored(offer.agency_id, offer.id)
    if pdf is None:
        abort(404)
    note_seen([offer.id])
    named = {"Content-Disposition": f'attachment; filename="{offer.reference}.pdf"'}
    return Response(pdf, mimetype="application/pdf", headers=named)


@offers.post("/app/offers/<uuid:offer_id>/receipt.pdf")
@policy(Guard.SIGNED_IN, limit="30/minute", scope="ask-receipt")
def ask_receipt(offer_id: uuid.UUID) -> AnyResponse:
    """Have the receipt made for an offer that has none."""
    receipts.ask(get_offer(person(), offer_id)[0])
    return redirect(url_for("offers.show", offer_id=offer_id), 303)


def _offer(offer: Offer, state: OfferState, status: int = 200, note_form: NoteForm | None = None) -> Response:
    """The page of an offer, or its block."""
    by = person()
    opened = open_offer(offer, state)
    prop = get_property(by, offer.property_id)
    context = offer_page(by, opened, prop, today(), note_form) | list_page.around(by, offer)
    return page("offers/show.html", "offer_view", status, **context)


def note_seen(offer_ids: Sequence[uuid.UUID]) -> None:
    """Write down that these offers' people are shown, unless a browser only asks beforehand."""
    if is_seen():
        access_log.note_view(offer_ids, by=person())


def today() -> date:
    """The day it is at the agency."""
    return now().astimezone(ZoneInfo(person().agency.zone)).date()
