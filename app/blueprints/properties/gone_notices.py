"""A property that is gone: telling its bidders, and undoing that within ten seconds."""

from __future__ import annotations

import uuid

from flask import flash, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.properties.routes import properties
from app.core.access import get_property
from app.core.errors import Conflict, IllegalTransition, NotFound
from app.offers.deciding import UNDO
from app.properties import gone_notices
from app.web.fragments import done
from app.web.guards import Guard, person, policy


@properties.post("/app/properties/<uuid:property_id>/tell")
@policy(Guard.AGENT, limit="60/minute", scope="property-tell")
def tell(property_id: uuid.UUID) -> AnyResponse:
    """Mail the bidders whose offers stand (`tell=mail`), or record that nobody is told (`tell=nothing`)."""
    prop, chosen = get_property(person(), property_id, write=True), request.form.get("tell")
    if chosen not in {"mail", "nothing"}:
        raise NotFound
    back = url_for("properties.show", property_id=property_id)
    try:
        count = gone_notices.tell(prop, mail=chosen == "mail", by=person().actor)
    except IllegalTransition:
        raise
    except Conflict:
        return done(back, _("This was settled already."))
    mailed = ngettext("%(num)d bidder is told", "%(num)d bidders are told", count)
    shown = {
        "text": mailed if chosen == "mail" else _("The bidders are told nothing"),
        "url": url_for("properties.undo_tell", property_id=property_id),
        "seconds": UNDO.seconds - 1,
    }
    flash(shown, "undo")  # type: ignore[arg-type]  # Flask keeps whatever JSON can say
    return redirect(back, 303)


@properties.post("/app/properties/<uuid:property_id>/tell/undo")
@policy(Guard.AGENT, limit="60/minute", scope="property-tell")
def undo_tell(property_id: uuid.UUID) -> AnyResponse:
    """Take that back, while no mail has left."""
    back = url_for("properties.show", property_id=property_id)
    try:
        gone_notices.undo(get_property(person(), property_id, write=True), by=person().actor)
    except Conflict:
        flash(_("It was too late to undo."), "warn")
        return redirect(back, 303)
    return done(back, _("Undone. Nobody was told."))
