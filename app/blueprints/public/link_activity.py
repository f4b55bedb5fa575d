"""That a link's form was looked at, and begun. The page says so itself, after five seconds in sight: previews and
scanners open links too, and never get that far. A number a day is all that is kept."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask import Response, request

from app.blueprints.public.routes import OFFER_LINKS, public
from app.core.clock import now
from app.properties import link_activity
from app.properties.links import OpenedLink
from app.web.guards import Guard, caller_line, policy, rates
from app.web.loaders import ByLink
from app.web.rate_limits import keyed, spend

A_DAY = rates("10/day")[0]  # of one address: some share theirs, and nobody makes a link look sought after


@public.post("/o/<token>/seen")
@policy(Guard.LINK, limit="30/minute", opens=ByLink(OFFER_LINKS, lambda: Response(status=204)))
def seen(link: OpenedLink) -> Response:
    """`what` is `opened` or `begun`. Anything else, and a link that takes no offers, counts nothing."""
    what = request.form.get("what", "")
    if link.state == "open" and what in link_activity.COUNTED:
        if spend(A_DAY, "seen", what, link.property.id.hex, keyed(caller_line())).over:
            return Response(status=204)
        today = now().astimezone(ZoneInfo(link.property.agency.zone)).date()
        link_activity.count(link.property.agency_id, link.property.id, today, what)
    return Response(status=204)
