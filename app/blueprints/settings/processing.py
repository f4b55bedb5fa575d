"""The record of processing activities (Art. 30 GDPR) of the agency, for its owner."""

from __future__ import annotations

from flask import Response

from app.blueprints.settings.routes import settings
from app.core.clock import now
from app.privacy import retention
from app.privacy.data_map import personal
from app.proof import texts
from app.web.fragments import page
from app.web.guards import Guard, person, policy


@settings.get("/app/settings/processing")
@policy(Guard.OWNER, limit="120/minute")
def processing() -> Response:
    """What is processed, whose it is, why, how long: to be printed when the authority asks."""
    agency = person().agency
    days = {kind: texts.span(number) for kind, number in retention.days_for(agency.id).items()}
    return page("settings/processing.html", agency=agency, classes=personal(), days=days, at=now())
