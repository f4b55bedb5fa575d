"""The page for links from a CRM: offers on, from when to when, signed or not, and the link to copy."""

from __future__ import annotations

from typing import Any

from flask import Response, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.properties.forms import PropertyForm, values_of
from app.blueprints.properties.reading import PropertyReader
from app.blueprints.properties.routes import properties
from app.blueprints.properties.saving import zone_of_form
from app.blueprints.properties.sharing import share
from app.core.access import get_property
from app.core.errors import Conflict, NotFound
from app.core.language import language
from app.core.numbers import whole
from app.core.questions import answered
from app.models import Property
from app.properties import editing as service
from app.properties.listing import property_by_external_id
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy


@properties.route("/app/properties/external/<path:external_id>", methods=["GET", "POST"])
@policy(Guard.SIGNED_IN, limit="600/minute", writes="60/minute", scope="property-external")
def external(external_id: str) -> AnyResponse:
    """The form of a property by the CRM's id; one that was not sent yet gets a page that says how to send it."""
    by, external_id = person(), external_id.replace("\0", " ")
    try:
        found = property_by_external_id(by, external_id)
    except NotFound:
        return page("properties/unknown_to_us.html", status=404, external_id=external_id)
    prop = get_property(by, found)
    if not (by.is_owner or prop.agent_id == by.user.id) or prop.archived_at:
        return done(url_for("properties.show", property_id=prop.id))
    if request.method == "GET":
        return _form(prop, PropertyForm(data=values_of(prop, by.agency.zone)))
    return _save(prop, external_id)


def _save(prop: Property, external_id: str) -> AnyResponse:
    form = PropertyForm(request.form)
    reader = PropertyReader(
        values=request.form,
        confirmed=answered(request.form),
        zone=zone_of_form(person().agency.zone),
        agents=(),
        present={"offers_open_at": prop.offers_open_at, "offers_close_at": prop.offers_close_at},
    )
    columns = reader.read_offering()
    if columns is not None and columns["accepts_offers"] and prop.transaction_type != "sale":
        columns = None
        reader.errors["accepts_offers"] = [_("Only a property that is for sale and not archived takes offers")]
    if columns is None:
        form.add_errors(reader.errors)
        return _form(prop, form, status=422, questions=reader.questions)
    property_id, seen = prop.id, request.form.get("version", type=whole)
    try:
        service.change(prop, columns, by=person().actor, version=0 if seen is None else seen)
    except Conflict:
        problem = _("Someone changed this property while you were at it. What you typed is below, not saved yet.")
        return _form(get_property(person(), property_id, write=True), form, status=409, problem=problem)
    return done(url_for("properties.external", external_id=external_id), _("Saved"))


def _form(prop: Property, form: PropertyForm, status: int = 200, **more: Any) -> Response:
    return page(
        "properties/from_crm.html",
        status=status,
        property=prop,
        form=form,
        share=share(prop, language()),
        zone=zone_of_form(person().agency.zone),
        **{"questions": {}, **more},
    )
