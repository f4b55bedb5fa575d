"""Saved views of the list: kept, named anew, deleted. Opening one is a link to the list."""

from __future__ import annotations

import uuid
from urllib.parse import parse_qsl

from flask import Response, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.offers.list_page import address, read_address
from app.blueprints.offers.routes import offers
from app.core.access import get_saved_view
from app.core.errors import Invalid
from app.offers import saved_views as service
from app.offers.view_reading import views_of
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy


@offers.get("/app/offers/views")
@policy(Guard.SIGNED_IN, limit="120/minute", scope="offer-views")
def views() -> Response:
    """One's saved views, to open, rename and delete."""
    return _page()


@offers.post("/app/offers/views")
@policy(Guard.SIGNED_IN, limit="60/minute", scope="offer-views")
def save_view() -> AnyResponse:
    """Keep a filter of the list, given as the `query` of its address."""
    by = person()
    chosen, _errors = read_address(by, dict(parse_qsl(request.form.get("query", ""))))
    name = request.form.get("name", "")
    try:
        service.save(name, chosen.named(), by=by)
    except Invalid as invalid:
        return _page(422, invalid, new=name, query=request.form.get("query", ""))
    return done(address(chosen), _("The view is saved. You find it among your saved views."))


@offers.post("/app/offers/views/<uuid:view_id>")
@policy(Guard.SIGNED_IN, limit="60/minute", scope="offer-views")
def rename_view(view_id: uuid.UUID) -> AnyResponse:
    """Another name for one's view."""
    by = person()
    name = request.form.get("name", "")
    try:
        service.rename(get_saved_view(by, view_id), name)
    except Invalid as invalid:
        return _page(422, invalid, wrong=view_id, new=name)
    return done(url_for("offers.views"), _("Saved"))


@offers.post("/app/offers/views/<uuid:view_id>/delete")
@policy(Guard.SIGNED_IN, limit="60/minute", scope="offer-views")
def delete_view(view_id: uuid.UUID) -> AnyResponse:
    """One's view goes; the offers stay."""
    service.forget(get_saved_view(person(), view_id))
    return done(url_for("offers.views"), _("The view is deleted."))


def _page(
    status: int = 200, invalid: Invalid | None = None, *, wrong: uuid.UUID | None = None, new: str = "", query: str = ""
) -> Response:
    problem = " ".join(str(message) for message in invalid.errors["name"]) if invalid else ""
    views = views_of(person())
    return page("offers/views.html", status=status, views=views, problem=problem, wrong=wrong, new=new, query=query)
