"""How long the agency keeps what clients send, for its owner to set."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Response, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form, IntegerField, SelectField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, NumberRange, Optional

from app.blueprints.settings.routes import settings
from app.core.access import get_property
from app.core.clock import now
from app.privacy import retention as service
from app.properties.listing import property_choices
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy

SPAN = NumberRange(1, 3650, _l("Write a number of days from 1 to 3650"))


class RetentionForm(Form):
    """Days, whole numbers."""

    undecided_days = IntegerField(_l("Offers without an answer, days from when they came"))
    rejected_days = IntegerField(_l("Rejected and withdrawn offers, days from then"))
    accepted_days = IntegerField(_l("Accepted offers, days from then"))
    origin_days = IntegerField(_l("The sender's network address and browser, days"))
    needed: Any = InputRequired(SPAN.message)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for kind in service.KINDS:
            self[kind].validators = [self.needed, SPAN]

    def days(self) -> dict[str, int | None]:
        return {kind: self[kind].data for kind in service.KINDS}


class OwnRetentionForm(RetentionForm):
    """The same of one property; what is left empty follows the agency."""

    property_id = SelectField(_l("Property"), coerce=str, validators=[InputRequired(_l("Choose a property"))])
    needed = Optional()


def _own_form(data: Any = None) -> OwnRetentionForm:
    form = OwnRetentionForm(data, prefix="own-")
    some = (SelectChoice(*pair) for pair in property_choices(person()))
    form.property_id.choices = [SelectChoice("", _("Choose a property")), *some]
    return form


@settings.route("/app/settings/retention", methods=["GET", "POST"])
@policy(Guard.OWNER, limit="120/minute", writes="30/minute", scope="settings-retention", step_up=True)
def retention() -> AnyResponse:
    """How long everything is kept, unless a property says otherwise."""
    if request.method == "GET":
        return _page()
    form = RetentionForm(request.form)
    if not form.validate():
        return _page(422, form=form)
    service.set_days(person().agency_id, form.days(), by=person().actor)
    return done(url_for("settings.retention"), _("Saved. Nothing is erased before a week has passed."))


@settings.post("/app/settings/retention/property")
@policy(Guard.OWNER, limit="30/minute", scope="settings-retention-property", step_up=True)
def property_retention() -> AnyResponse:
    """What one property keeps for another time."""
    form = _own_form(request.form)
    if not form.validate():
        return _page(422, own=form)
    prop = get_property(person(), uuid.UUID(form.property_id.data), write=True)
    service.set_days(person().agency_id, form.days(), by=person().actor, property_id=prop.id)
    return done(url_for("settings.retention"), _("Saved. Nothing is erased before a week has passed."))


def _page(status: int = 200, *, form: RetentionForm | None = None, own: OwnRetentionForm | None = None) -> Response:
    agency_id = person().agency_id
    return page(
        "settings/retention.html",
        status=status,
        form=form or RetentionForm(data=service.days_of(agency_id)),
        own=own or _own_form(),
        kinds=service.KINDS,
        exceptions=service.exceptions_of(agency_id),
        coming=service.coming_up(agency_id, now()),
    )
