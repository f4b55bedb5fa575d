"""`/ops`: the state of the whole installation, for whom the command line marked as running it."""

from __future__ import annotations

import uuid

from flask import Response, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.ops.routes import ops
from app.ops import health, overview
from app.web.fragments import done, page
from app.web.guards import Guard, policy


@ops.get("/ops")
@policy(Guard.RUNS, limit="120/minute", scope="ops-page")
def index() -> Response:
    """Checks, queue, deliveries in trouble, feeds, backups, versions, certificates, disk, agencies."""
    return page("ops/index.html", shown=overview.overview(), is_sound=health.is_sound)


@ops.post("/ops/deliveries/<uuid:call_id>/retry")
@policy(Guard.RUNS, limit="60/minute", scope="ops-retry")
def retry(call_id: uuid.UUID) -> AnyResponse:
    """Have a delivery in trouble tried again now."""
    overview.retry(call_id)
    return done(url_for("ops.index"), _("It is tried again now"))
