"""What clients ask about their data, for the agency's owner to answer."""

from __future__ import annotations

import uuid

from flask import Response, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.settings.routes import settings
from app.core.clock import now
from app.core.errors import Conflict, NotFound
from app.core.limits import REASON, plain_lines
from app.privacy import data_requests as service
from app.privacy import personal_data
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy


@settings.get("/app/settings/requests")
@policy(Guard.OWNER, limit="120/minute")
def requests() -> Response:
    """Those that wait for an answer, and those that had one."""
    return _page()


@settings.post("/app/settings/requests/<uuid:request_id>")
@policy(Guard.OWNER, limit="30/minute", step_up=True)
def answer_request(request_id: uuid.UUID) -> AnyResponse:
    """`answer` is erase, or refuse with the `reason` that is sent to who asked."""
    by, answer = person(), request.form.get("answer")
    data_request = service.by_id(request_id)
    if data_request is None or data_request.agency_id != by.agency_id:
        raise NotFound
    reason = plain_lines(request.form.get("reason"))
    if len(reason) > REASON:
        return _page(422, request_id, _("Use at most %(limit)d characters", limit=REASON))
    if answer == "refuse" and not reason:
        return _page(422, request_id, _("Say why: the client has a right to know."))
    if answer not in {"erase", "refuse"}:
        return _page(422, request_id, _("Choose one of the answers"))
    try:
        erased = service.decide(request_id, by.agency_id, erase=answer == "erase", reason=reason, by=by.actor)
    except Conflict:
        return _page(409, request_id, _("This request was answered in the meantime."))
    message = (
        ngettext("%(num)d offer erased. The client is told.", "%(num)d offers erased. The client is told.", erased)
        if answer == "erase"
        else _("The client is told.")
    )
    return done(url_for("settings.requests"), message)


def _page(status: int = 200, wrong: uuid.UUID | None = None, problem: str = "") -> Response:
    agency_id, at = person().agency_id, now()
    waiting = service.waiting(agency_id)
    found = personal_data.count_by_tag(
        agency_id, [data_request.tag for data_request in waiting if data_request.tag and not data_request.ended_at]
    )
    lines = [
        {
            "held": data_request,
            "email": service.address_of(data_request),
            "offers": data_request.offers if data_request.ended_at else found.get(data_request.tag or b"", 0),
            "late": service.is_late(data_request, at),
        }
        for data_request in waiting
    ]
    return page(
        "settings/data_requests.html",
        status=status,
        lines=lines,
        wrong=wrong,
        problem=problem,
        typed=request.form.get("reason", ""),
    )
