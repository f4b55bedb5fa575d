"""How the agency's CRM and BidFlux are joined, step by step, with this installation's own addresses."""

from __future__ import annotations

from flask import Response

from app.blueprints.settings.routes import settings
from app.core.urls import base_url
from app.web.fragments import page
from app.web.guards import Guard, policy


@settings.get("/app/settings/crm")
@policy(Guard.OWNER, limit="120/minute")
def crm() -> Response:
    """For REBS, for ImmoFlux, for any CRM that calls addresses, and for none."""
    return page("settings/crm.html", base=base_url())
