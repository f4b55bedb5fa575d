"""The agency's register, for its owner: signed heads to keep elsewhere, and the whole of it to check elsewhere."""

from __future__ import annotations

import json

from flask import Response, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.settings.routes import settings
from app.core.clock import now
from app.proof import checkpoints
from app.proof import export as ledger_export
from app.proof.checkpoint_reading import checkpoints_of
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy
from app.web.large_files import large_file

SHOWN = 60
LINES = "application/jsonl"


@settings.get("/app/settings/register")
@policy(Guard.OWNER, limit="120/minute")
def register() -> Response:
    """The latest checkpoints, and what can be downloaded."""
    checkpoints = checkpoints_of(person().agency_id, SHOWN)
    return page("settings/register.html", agency=person().agency, checkpoints=checkpoints, shown=SHOWN)


@settings.post("/app/settings/register")
@policy(Guard.OWNER, limit="10/minute", scope="register-now")
def checkpoint_now() -> AnyResponse:
    """Sign the head as it is now."""
    checkpoints.take(person().agency_id)
    return done(url_for("settings.register"), _("The head of the register is signed."))


@settings.get("/app/settings/register/checkpoints.jsonl")
@policy(Guard.OWNER, limit="30/minute")
def register_checkpoints() -> Response:
    """Every checkpoint, newest first, one a line."""
    lines = [json.dumps(line.exported(), separators=(",", ":")) for line in checkpoints_of(person().agency_id)]
    return _download("\n".join([*lines, ""]), "checkpoints")


@settings.post("/app/settings/register/export")
@policy(Guard.OWNER, limit="6/minute", scope="register-export", step_up=True)
def register_export() -> Response:
    """The whole register, as it is or anonymised. That it was exported is an entry of it."""
    anonymised = request.form.get("form") == "anonymised"
    by = person()
    with large_file(by.agency_id) as sent:
        content = b"".join(ledger_export.export(by.agency_id, anonymised=anonymised, by=by.actor))
        return sent(_download(content, "register-anonymised" if anonymised else "register"))


def _download(content: str | bytes, name: str) -> Response:
    named = {"Content-Disposition": f'attachment; filename="{name}-{now():%Y-%m-%d}.jsonl"'}
    return Response(content, content_type=LINES, headers=named)
