"""What a property's owner opens: all its offers, to read only. The link shows a button; each press is an
entry of the register."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.public.facts import facts
from app.blueprints.public.routes import public
from app.core.clock import now
from app.core.numbers import between
from app.core.signed_links import SELLER, SELLER_PASS
from app.properties import seller_links
from app.properties.seller_page import OpenedSellerLink, open_seller_link, seller_page
from app.web import passes
from app.web.fragments import page
from app.web.guards import Guard, policy
from app.web.loaders import ByCookie, ByLink

STATUS = {"invalid": 404, "expired": 410, "revoked": 410, "away": 403}


def _standing(link_id: uuid.UUID) -> OpenedSellerLink:
    """While it is open; afterwards its page says why not."""
    opened = open_seller_link(link_id)
    if opened is None or opened.link.state(now()) != "open":
        abort(_closed(opened))
    return opened


BY_LINK = ByLink({SELLER: _standing}, lambda: _closed(None))
BY_COOKIE = ByCookie(Guard.SELLER, SELLER_PASS, lambda link_id: link_id, _standing, lambda: _closed(None, "away"))


@public.get("/s/<token>")
@policy(Guard.LINK, limit="120/minute", opens=BY_LINK)
def seller_landing(opened: OpenedSellerLink, token: str) -> Response:
    """Opening the link shows whose page it is and a button; nothing is written."""
    return page("public/seller_landing.html", token=token, **_head(opened))


@public.post("/s/<token>")
@policy(Guard.LINK, limit="30/minute", opens=BY_LINK)
def enter_as_seller(opened: OpenedSellerLink) -> AnyResponse:
    """The button: the opening is written down, and this browser let in for a day."""
    link_id = opened.link.id
    if not seller_links.opened(opened.link):
        return _closed(open_seller_link(link_id))
    where = url_for("public.seller", link_id=link_id)
    return passes.grant(redirect(where, 303), SELLER_PASS, link_id, f"/s/view/{link_id}")


@public.get("/s/view/<uuid:link_id>")
@policy(Guard.SELLER, limit="120/minute", opens=BY_COOKIE)
def seller(opened: OpenedSellerLink, link_id: uuid.UUID) -> Response:
    """All offers, as they are now. htmx asks for the block again and again."""
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
