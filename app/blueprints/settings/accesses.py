"""Who saw what, for the agency's owner: by person and by agent."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from wtforms import Form, SelectField, StringField
from wtforms.fields.choices import SelectChoice

from app.blueprints.settings.routes import settings
from app.core.contacts import NotAContact, read_email
from app.privacy.access_list import accesses as lines_of
from app.privacy.access_list import keys_of, offers_of_person, people_of
from app.privacy.access_log import note_search
from app.web.fragments import page
from app.web.guards import Guard, person, policy
from app.web.htmx import is_full_view


class AccessForm(Form):
    """Both may be left empty."""

    agent = SelectField(_l("Who looked"), validate_choice=False)
    email = StringField(_l("E-mail of the client who was looked at"))


@settings.get("/app/settings/access")
@policy(Guard.OWNER, limit="120/minute", records="whom an owner looked up")
def accesses() -> Response:
    """Openings of offers, searches by person and exports, newest first."""
    by = person()
    agency_id = by.agency_id
    form, status, found = AccessForm(request.args), 200, None
    form.agent.choices = [SelectChoice("", _("Everyone"))]
    form.agent.choices += [SelectChoice(str(id_), name) for id_, name in people_of(agency_id)]
    form.agent.choices += [SelectChoice(str(id_), f"{_('API key')}: {name}") for id_, name in keys_of(agency_id)]
    if form.email.data:
        try:
            found = offers_of_person(agency_id, read_email(form.email.data).folded)
        except NotAContact:
            form.email.errors = [_("Write a whole e-mail address")]
            found, status = [], 422
    if found and is_full_view():
        note_search(found, by=by)
    before = _id(request.args.get("before"))
    lines, older = lines_of(agency_id, by_id=_id(form.agent.data), offer_ids=found, before=before)
    asked = {"agent": form.agent.data or None, "email": form.email.data or None}
    shown: dict[str, Any] = {"lines": lines, "older": older, "paged": before is not None}
    return page("settings/access.html", status=status, form=form, asked=asked, **shown)


def _id(text: Any) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text)) if text else None
    except ValueError:
        return None
