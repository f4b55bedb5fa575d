"""What a property's owner opens: all its offers, to read only. The link shows a door; each press of its button is an
entry of the register."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.public import passes
from app.blueprints.public.facts import facts
from app.blueprints.public.routes import public
from app.core.clock import now
from app.core.numbers import between
from app.core.signed_links import SELLER, SELLER_PASS, BadToken, read
from app.properties import seller_links
from app.properties.seller_page import OpenedSellerLink, open_seller_link, seller_page
from app.web.fragments import page
from app.web.guards import Guard, policy

STATUS = {"invalid": 404, "expired": 410, "revoked": 410, "away": 403}


@public.get("/s/<token>")
@policy(Guard.LINK, limit="120/minute")
def seller_door(token: str) -> Response:
    """Opening the link shows whose page it is and a button; nothing is written."""
    opened = _by_token(token)
    if opened is None or opened.link.state(now()) != "open":
        return _closed(opened)
    return page("public/seller_door.html", token=token, **_head(opened))


@public.post("/s/<token>")
@policy(Guard.LINK, limit="30/minute")
def enter_as_seller(token: str) -> AnyResponse:
    """The button: the opening is written down, and this browser let in for a day."""
    opened = _by_token(token)
    if opened is None or not seller_links.opened(opened.link):
        return _closed(_by_token(token))
    where = url_for("public.seller", link_id=opened.link.id)
    return passes.grant(redirect(where, 303), SELLER_PASS, opened.link.id, f"/s/view/{opened.link.id}")


@public.get("/s/view/<uuid:link_id>")
@policy(Guard.SELLER, limit="120/minute")
def seller(link_id: uuid.UUID) -> Response:
    """All offers, as they are now. htmx asks for the block again and again."""
    if not passes.holds(SELLER_PASS, link_id):
        return _closed(None, "away")
    opened = open_seller_link(link_id)
    if opened is None or opened.link.state(now()) != "open":
        return _closed(opened)
    number = request.args.get("page", 1, type=between(1, 10_000))
    return page(
        "public/seller.html",
        "seller_offers",
        shown=seller_page(opened, number),
        link=opened.link,
        today=now().astimezone(ZoneInfo(opened.prop.agency.zone)).date(),
        drawn_at=_second(now()),
        here=url_for("public.seller", link_id=link_id, page=number if number > 1 else None),
        **_head(opened),
    )


def _second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def _by_token(token: str) -> OpenedSellerLink | None:
    try:
        return open_seller_link(read(SELLER, token))
    except BadToken:
        return None


def _head(opened: OpenedSellerLink) -> dict[str, Any]:
    prop = opened.prop
    g.zone = prop.agency.zone
    return {"property": facts(prop), "agency": prop.agency, "agent": prop.agent, "names": opened.link.shows_names}


def _closed(opened: OpenedSellerLink | None, state: str = "invalid") -> Response:
    """A link that shows nothing says why, and who can help."""
    state = opened.link.state(now()) if opened else state
    head = _head(opened) if opened else {}
    until = opened.link.expires_at if opened else None
    return Response(render_template("public/seller_state.html", state=state, until=until, **head), STATUS[state])
