"""The bidder confirms an offer that somebody recorded for them: by a button, never by opening a link."""

from __future__ import annotations

from flask import redirect, url_for
from werkzeug.wrappers import Response

from app.access import Guard, policy
from app.blueprints.public.routes import public
from app.errors import NotFound
from app.links import BadToken, read_receipt
from app.queries.offers import offer_by_id
from app.services import recorded_offers


@public.post("/r/<token>/confirm")
@policy(Guard.LINK, limit="30/minute")
def confirm(token: str) -> Response:
    """Say that it is theirs, and back to the bidder's page."""
    try:
        found = offer_by_id(read_receipt(token))
    except BadToken:
        found = None
    if found is None:
        raise NotFound
    recorded_offers.confirm(found[0])
    return redirect(url_for("public.receipt", token=token), 303)
