"""The owner's page of a property, as its agent shares and closes it."""

from __future__ import annotations

import uuid

from flask import request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.properties.routes import properties
from app.core.access import get_property
from app.core.errors import Conflict, Invalid
from app.core.numbers import between
from app.properties import seller_links
from app.web.fragments import done
from app.web.guards import Guard, person, policy


@properties.post("/app/properties/<uuid:property_id>/seller-links")
@policy(Guard.AGENT, limit="30/minute")
def share_with_seller(property_id: uuid.UUID) -> AnyResponse:
    """A new link for the owner: `days` it is good for, `names` whether bidders are named."""
    prop = get_property(person(), property_id, write=True)
    days = request.form.get("days", type=between(1, 3650)) or 0
    try:
        seller_links.create(prop, days, shows_names=request.form.get("names") == "1", by=person())
    except Invalid:
        raise Conflict from None  # the page offers neither another number of days nor an eleventh link
    where = url_for("properties.show", property_id=property_id, _anchor="seller-title")
    return done(where, _("The link for the seller is made. Copy it and send it."))


@properties.post("/app/properties/<uuid:property_id>/seller-links/<uuid:link_id>/revoke")
@policy(Guard.AGENT, limit="30/minute")
def revoke_seller_link(property_id: uuid.UUID, link_id: uuid.UUID) -> AnyResponse:
    """The link stops at once."""
    seller_links.revoke(get_property(person(), property_id, write=True), link_id, by=person())
    where = url_for("properties.show", property_id=property_id, _anchor="seller-title")
    return done(where, _("The seller's link is closed"))
