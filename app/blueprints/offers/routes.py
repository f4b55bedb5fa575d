"""The offers of an agency: the list, one offer, the answer to it, and the file."""

from __future__ import annotations

import uuid
from datetime import date
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, abort, redirect, request, stream_with_context, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.access import Guard, get_offer, get_property, person, policy
from app.blueprints.offers.forms import NoteForm
from app.blueprints.offers.pages import offer_page, status_tabs, with_filter
from app.clock import now
from app.errors import Invalid
from app.fragments import page
from app.htmx import is_full_view
from app.queries import offer_list
from app.queries.offer_filter import MAIN_CURRENCY, read_filter
from app.queries.offers import open_offer
from app.queries.property_list import property_choices
from app.services import decisions, exports, notes

offers = Blueprint("offers", __name__)


@offers.get("/app/offers")
@policy(Guard.SIGNED_IN, limit="600/minute")
def index() -> Response:
    """The list; its address holds filter and place."""
    by = person()
    chosen, errors = read_filter(request.args, by.agency.zone, default_currency=MAIN_CURRENCY)
    after, before = (offer_list.Cursor.read(request.args.get(name), chosen.sort) for name in ("after", "before"))
    shown = offer_list.list_offers(by, chosen, after=after, before=before)
    return page(
        "offers/index.html",
        "offer_list",
        chosen=chosen,
        shown=shown,
        tabs=status_tabs(chosen, shown.counts),
        newer_url=with_filter(chosen, before=shown.newer) if shown.newer else None,
        older_url=with_filter(chosen, after=shown.older) if shown.older else None,
        properties=property_choices(by),
        errors=errors,
        today=today(),
    )


@offers.get("/app/offers.csv")
@policy(Guard.SIGNED_IN, limit="20/minute", records="who took out which offers, before the first row leaves")
def export_csv() -> Response:
    """The offers of a filter as a file. HEAD and prefetches take nothing, and record nothing."""
    by = person()
    chosen, errors = read_filter(request.args, by.agency.zone, default_currency=MAIN_CURRENCY)
    if errors:
        raise Invalid(errors)  # rather no file than one of more offers than were asked for
    zone, rows = by.agency.zone, offer_list.all_offers(by, chosen)
    if is_full_view():
        exports.record_export(chosen, by=by)
        file = stream_with_context(exports.offers_csv(rows, zone))
    else:
        file = iter(())
    name = f"{_('offers')}-{today().isoformat()}.csv"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(file, content_type="text/csv; charset=utf-8", headers=headers)


@offers.get("/app/offers/<uuid:offer_id>")
@policy(Guard.SIGNED_IN, limit="600/minute", records="a person's full view of an offer")
def show(offer_id: uuid.UUID) -> Response:
    """One offer with everything it holds."""
    by = person()
    offer, _state = get_offer(by, offer_id)
    if is_full_view():
        decisions.view(offer, by=by)
    return _offer(offer_id)


@offers.post("/app/offers/<uuid:offer_id>/notes")
@policy(Guard.SIGNED_IN, limit="120/minute", scope="notes")
def write_note(offer_id: uuid.UUID) -> AnyResponse:
    """Keep a note beside the offer: whoever may read it may write one."""
    offer, _state = get_offer(person(), offer_id)
    form = NoteForm(request.form)
    if not form.validate():
        return _offer(offer_id, 422, form)
    notes.write(offer, (form.text.data or "").strip(), by=person())
    return redirect(url_for("offers.show", offer_id=offer_id), 303)


@offers.post("/app/offers/<uuid:offer_id>/notes/<uuid:note_id>/remove")
@policy(Guard.SIGNED_IN, limit="120/minute", scope="notes")
def remove_note(offer_id: uuid.UUID, note_id: uuid.UUID) -> AnyResponse:
    """Take one's own note away."""
    offer, _state = get_offer(person(), offer_id)
    notes.remove(offer, note_id, by=person())
    return redirect(url_for("offers.show", offer_id=offer_id), 303)


@offers.get("/app/offers/<uuid:offer_id>/signature")
@policy(Guard.SIGNED_IN, limit="600/minute")
def signature(offer_id: uuid.UUID) -> Response:
    """The drawn signature as a picture."""
    image = open_offer(*get_offer(person(), offer_id)).signature_image
    if image is None:
        abort(404)
    return Response(image, mimetype="image/png")


def _offer(offer_id: uuid.UUID, status: int = 200, note_form: NoteForm | None = None) -> Response:
    """The page of an offer as it is now, or its block."""
    by = person()
    opened = open_offer(*get_offer(by, offer_id))
    prop = get_property(by, opened.offer.property_id)
    return page("offers/show.html", "offer_view", status, **offer_page(by, opened, prop, today(), note_form))


def today() -> date:
    """The day it is at the agency."""
    return now().astimezone(ZoneInfo(person().agency.zone)).date()
