"""Offers side by side, and the order in which a property's offers stand."""

from __future__ import annotations

import uuid

from flask import Response, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.offers.forms import MoveForm
from app.blueprints.offers.routes import note_seen, offers, today
from app.core.access import get_offer, get_property
from app.core.errors import NotFound
from app.offers import comparing, ordering
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy


@offers.get("/app/compare")
@policy(Guard.SIGNED_IN, limit="600/minute", records="whose offers a person laid side by side")
def compare() -> Response:
    """Two to six offers, `offer` each: a page of its own, also on paper. What is not the reader's is not there."""
    try:
        wanted = [uuid.UUID(text) for text in request.args.getlist("offer")]
    except ValueError:
        raise NotFound from None
    lines = comparing.chosen_lines(person(), wanted[: comparing.MOST])
    note_seen([line.id for line in lines if line.document])
    return page(
        "offers/compare.html",
        "comparison",
        lines=lines,
        rows=comparing.compare(lines) if len(lines) >= comparing.FEWEST else [],
        too_many=len(set(wanted)) > comparing.MOST,
        mixed=len({line.amount.currency for line in lines}) > 1,
        today=today(),
    )


@offers.get("/app/properties/<uuid:property_id>/order")
@policy(Guard.SIGNED_IN, limit="600/minute", scope="order")
def order(property_id: uuid.UUID) -> Response:
    """The offers that still stand, the best first, each with the reason why it stands there."""
    return _order(property_id)


@offers.post("/app/properties/<uuid:property_id>/order")
@policy(Guard.AGENT, limit="120/minute", scope="order")
def move(property_id: uuid.UUID) -> AnyResponse:
    """Put one offer at another place, and say why."""
    by, form = person(), MoveForm(request.form)
    get_property(by, property_id, write=True)
    if not form.validate():
        return _order(property_id, 422, form)
    _offer, state = get_offer(by, form.offer_id(), write=True)
    if state.property_id != property_id:
        raise NotFound
    ordering.move(state, form.place.data or 1, form.reason.data or None, by=by)
    return done(url_for("offers.order", property_id=property_id), _("The offer was moved"))


@offers.post("/app/properties/<uuid:property_id>/order/reset")
@policy(Guard.AGENT, limit="120/minute", scope="order")
def reset_order(property_id: uuid.UUID) -> AnyResponse:
    """Take every move back."""
    get_property(person(), property_id, write=True)
    ordering.reset(property_id, by=person())
    return done(url_for("offers.order", property_id=property_id), _("The offers stand in their own order again"))


def _order(property_id: uuid.UUID, status: int = 200, form: MoveForm | None = None) -> Response:
    by = person()
    prop = get_property(by, property_id)
    return page(
        "offers/order.html",
        "order",
        status,
        property=prop,
        standing=comparing.standing(by, prop),
        form=form or MoveForm(),
        may_change=by.is_owner or prop.agent_id == by.user.id,
        most=comparing.MOST,
    )
