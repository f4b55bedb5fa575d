"""The properties of an agency: the list, one with its link and offers, and what can be changed about it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, abort, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.offers.routes import today
from app.blueprints.offers.rows import shown_rows
from app.blueprints.properties.saving import PropertySaving
from app.blueprints.properties.sharing import qr_file, share, shared_with_seller
from app.core.access import get_property
from app.core.errors import IllegalTransition
from app.core.language import language
from app.core.limits import SEARCH
from app.core.numbers import between
from app.models.property import GONE
from app.offers.choosing import MOST, others_of
from app.offers.details import link_photo
from app.offers.list import pages
from app.offers.list.filter import OfferFilter
from app.offers.timeline import property_steps
from app.properties import editing as service
from app.properties import floods, gone_notices, listing, seller_links
from app.properties.links import activity_of
from app.properties.listing import PropertyFilter
from app.properties.representation import offer_url
from app.web.fragments import done, page
from app.web.guards import Cache, Guard, person, policy
from app.web.htmx import wants_block

properties = Blueprint("properties", __name__)
SHOWN_OFFERS = 10
LINKS = ("open", "not_open", "closed", "off", *GONE)


@properties.get("/app/properties")
@policy(Guard.SIGNED_IN, limit="600/minute")
def index() -> Response:
    """The list; `q` searches, `link` and `agent` filter, `archived=1` shows what was put away."""
    by, args = person(), request.args
    link, agent = args.get("link", ""), args.get("agent", type=uuid.UUID)
    words = args.get("q", "").replace("\0", " ")
    too_long = _("Use at most %(limit)d characters", limit=SEARCH) if len(words.strip()) > SEARCH else ""
    chosen = PropertyFilter(words, link if link in LINKS else "", agent, args.get("archived") == "1")
    number = args.get("page", 1, type=between(1, 10_000))
    shown = listing.NOTHING if too_long else listing.list_properties(by, chosen, number=number)
    agents = listing.agent_choices(by) if by.reads_all else []
    context: dict[str, Any] = {"shown": shown, "chosen": chosen, "links": LINKS, "agents": agents}
    context["too_long"] = too_long
    response = page("properties/index.html", "property_results", **context)
    if wants_block():
        response.headers["HX-Replace-Url"] = url_for("properties.index", **chosen.named())  # type: ignore[arg-type]  # names of our own, none of them an option of `url_for`
    return response


@properties.route("/app/properties/new", methods=["GET", "POST"])
@policy(Guard.AGENT, limit="300/minute", writes="60/minute", scope="property-new")
def new() -> AnyResponse:
    """The form of a new property; with `like` it begins as a copy of another one."""
    like = request.args.get("like", type=uuid.UUID) if request.method == "GET" else None
    saving = PropertySaving(person(), None, like=get_property(person(), like) if like else None)
    if request.method == "GET":
        return saving.form_page()
    if (property_id := saving.save()) is None:
        return saving.form_page(saving.status)
    return done(url_for("properties.show", property_id=property_id), _("The property is saved"))


@properties.get("/app/properties/<uuid:property_id>")
@policy(Guard.SIGNED_IN, limit="600/minute", scope="property")
def show(property_id: uuid.UUID) -> Response:
    """One property: facts, link, offers, history."""
    return _property(property_id)


@properties.route("/app/properties/<uuid:property_id>/edit", methods=["GET", "POST"])
@policy(Guard.AGENT, limit="300/minute", writes="60/minute", scope="property-edit")
def edit(property_id: uuid.UUID) -> AnyResponse:
    """The form of a property, as it was when it was opened."""
    saving = PropertySaving(person(), get_property(person(), property_id, write=True))
    if request.method == "GET":
        return saving.form_page()
    if saving.save() is None:
        return saving.form_page(saving.status)
    return done(url_for("properties.show", property_id=property_id), _("The property is saved"))


@properties.route("/app/properties/<uuid:property_id>/accepts", methods=["GET", "POST"])
@policy(Guard.AGENT, limit="300/minute", writes="120/minute", scope="property-accepts")
def accepts(property_id: uuid.UUID) -> AnyResponse:
    """Turn the link on (`on=1`) or off: the warning before it goes off, and what its button does."""
    prop, on = get_property(person(), property_id, write=True), request.form.get("on") == "1"
    if request.method == "GET":
        return page("properties/confirm.html", property=prop, action="off")
    if on and (prop.gone or prop.transaction_type != "sale"):
        raise IllegalTransition
    service.change(prop, {"accepts_offers": on}, by=person().actor)
    message = _("The link takes offers") if on else _("The link is off")
    if wants_block():
        return _property(property_id, toast=message)
    return done(url_for("properties.show", property_id=property_id), message)


@properties.post("/app/properties/<uuid:property_id>/slow")
@policy(Guard.AGENT, limit="30/minute")
def slow(property_id: uuid.UUID) -> AnyResponse:
    """Slow the link down (`on=1`) while it is under attack, or let it run again."""
    prop, on = get_property(person(), property_id, write=True), request.form.get("on") == "1"
    floods.slow(prop, on=on, by=person().actor)
    message = _("The link is slowed down") if on else _("The link runs again as usual")
    return done(url_for("properties.show", property_id=property_id), message)


@properties.route("/app/properties/<uuid:property_id>/link", methods=["GET", "POST"])
@policy(Guard.AGENT, limit="300/minute", writes="30/minute", scope="property-link")
def rotate(property_id: uuid.UUID) -> AnyResponse:
    """A new link: the warning, and what its button does."""
    return _change(
        property_id, "rotate", service.rotate_link, _("The property has a new link. The old one has stopped.")
    )


@properties.route("/app/properties/<uuid:property_id>/archive", methods=["GET", "POST"])
@policy(Guard.AGENT, limit="300/minute", writes="30/minute", scope="property-archive")
def archive(property_id: uuid.UUID) -> AnyResponse:
    """Putting a property away: the warning, and what its button does."""
    return _change(property_id, "archive", service.archive, _("The property is archived"))


@properties.post("/app/properties/<uuid:property_id>/restore")
@policy(Guard.AGENT, limit="30/minute")
def restore(property_id: uuid.UUID) -> AnyResponse:
    """Take a property out of the archive."""
    message = _("The property is back in the list. Its link is off until you turn it on.")
    return _change(property_id, "", service.restore, message)


def _change(property_id: uuid.UUID, warning: str, change: Callable[..., object], message: str) -> AnyResponse:
    """The page that warns of a change; and, when its button was pressed, the change."""
    prop = get_property(person(), property_id, write=True)
    if request.method == "GET":
        return page("properties/confirm.html", property=prop, action=warning)
    change(prop, by=person().actor)
    return done(url_for("properties.show", property_id=property_id), message)


@properties.get("/app/properties/<uuid:property_id>/photo")
@policy(Guard.SIGNED_IN, limit="1200/minute", cache=Cache.PRIVATE_FOREVER, scope="property-photo")
def photo(property_id: uuid.UUID) -> Response:
    """The picture; its address names its version."""
    picture = link_photo(get_property(person(), property_id))
    if picture is None:
        abort(404)
    return Response(picture.body, mimetype=picture.mime)


@properties.get("/app/properties/<uuid:property_id>/qr.<any(svg, png):kind>")
@policy(Guard.SIGNED_IN, limit="120/minute")
def qr(property_id: uuid.UUID, kind: str) -> Response:
    """The link as a QR code, to keep or print."""
    prop = get_property(person(), property_id)
    if not prop.accepts_offers or prop.gone:
        abort(404)
    mimetype = "image/svg+xml" if kind == "svg" else "image/png"
    headers = {"Content-Disposition": f'attachment; filename="bidflux-{prop.id.hex[-8:]}.{kind}"'}
    return Response(qr_file(offer_url(prop), kind), mimetype=mimetype, headers=headers)


@properties.get("/app/properties/<uuid:property_id>/card")
@policy(Guard.SIGNED_IN, limit="120/minute", scope="property-card")
def card(property_id: uuid.UUID) -> Response:
    """A card of A6 to print."""
    prop = get_property(person(), property_id)
    if not prop.accepts_offers or prop.gone:
        abort(404)
    return page("properties/card.html", property=prop, share=share(prop, language()))


def _property(property_id: uuid.UUID, *, toast: str = "") -> Response:
    """The page of a property as it is now, or its block."""
    by = person()
    prop = get_property(by, property_id)
    may_change = by.is_owner or prop.agent_id == by.user.id
    chosen = OfferFilter(property_id=prop.id)
    shown = pages.list_offers(by, chosen, limit=SHOWN_OFFERS)
    context: dict[str, Any] = {
        "property": prop,
        "may_change": may_change,
        "seller_links": shared_with_seller(prop, prop.local_title(language())) if may_change else [],
        "seller_days": seller_links.DAYS,
        "line": listing.line_of(by, prop),
        "share": share(prop, language()),
        "activity": activity_of(prop),
        "shown": shown,
        "rows": shown_rows(shown.lines, by=by, today=today(), named=chosen.named()),
        "standing_ids": [offer.id for offer in others_of(by, prop.id, [])][:MOST],
        "steps": property_steps(by.agency_id, prop.id),
        "waiting": gone_notices.left_waiting(prop) if may_change else 0,
    }
    return page("properties/show.html", "property_view", toast=toast, **context)
