"""One POST of a property's form: read it, save it with its picture, or show it again with all that was typed."""

from __future__ import annotations

import uuid
from typing import Any
from zoneinfo import available_timezones

from flask import Response, request
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError
from wtforms.fields.choices import SelectChoice

from app.blueprints.properties.forms import PropertyForm, values_of
from app.blueprints.properties.reading import PropertyReader
from app.core.access import Person, get_property
from app.core.errors import Conflict, Invalid
from app.core.numbers import whole
from app.core.questions import Question, answered
from app.models import Property
from app.outbound.images import PHOTO_BYTES, NotAPicture, Picture, read_photo
from app.properties import editing as service
from app.properties.listing import agent_choices
from app.web.fragments import page

# A copy is another property: no CRM knows it, and its link is turned on when it is ready.
NOT_COPIED = {
    "external_id": "",
    "availability": "available",
    "accepts_offers": False,
    "offers_open_at": "",
    "offers_close_at": "",
}


def zone_of_form(now_in: str) -> str:
    """The zone that the form named beside its times, though the agency may have moved to another since."""
    shown = request.form.get("times_in", "")
    return shown if shown in available_timezones() else now_in


class PropertySaving:
    """`prop` is None for a new property, which may begin `like` another.

    `status` says how the form is answered when `save` returns None.
    """

    def __init__(self, by: Person, prop: Property | None, *, like: Property | None = None) -> None:
        self.by, self.prop, self.like = by, prop, like
        self.zone = zone_of_form(by.agency.zone)
        self.agents = agent_choices(by) if by.is_owner else []
        self.version = prop.version if prop else 0
        self.questions: dict[str, Question] = {}
        self.problem = ""
        self.status = 422
        self.photo: Picture | None = None
        self.form = self._form()

    def _form(self) -> PropertyForm:
        if request.method == "POST":
            form = PropertyForm(request.form)
        elif self.prop:
            form = PropertyForm(data=values_of(self.prop, self.zone))
        elif self.like:
            form = PropertyForm(data={**values_of(self.like, self.zone), **NOT_COPIED})
        else:
            known_as = request.args.get("external_id", "")
            first = {"agent_id": str(self.by.user.id), "external_id": known_as, "currency": self.by.agency.currency}
            form = PropertyForm(data=first)
        form.agent_id.choices = [SelectChoice(str(agent_id), name) for agent_id, name in self.agents]
        return form

    def save(self) -> uuid.UUID | None:
        """The property's id, or None when something stands in the way."""
        columns = self._read()
        if columns is None:
            return None
        existing = self.prop.id if self.prop else uuid.UUID(int=0)
        try:
            property_id = self._write(columns)
        except IntegrityError:
            self.form.add_errors({"external_id": [_("Another property has this id")]})
            return None
        except Invalid as invalid:
            self.form.add_errors({name: [_(str(text)) for text in faults] for name, faults in invalid.errors.items()})
            return None
        except Conflict:
            self._changed_meanwhile(existing)
            return None
        self._write_photo(property_id)
        return property_id

    def _read(self) -> dict[str, Any] | None:
        present = {} if self.prop is None else {name: getattr(self.prop, name) for name in service.CHANGEABLE}
        reader = PropertyReader(
            values=request.form,
            confirmed=answered(request.form),
            zone=self.zone,
            agents=[agent_id for agent_id, _name in self.agents],
            present=present,
        )
        columns = reader.read()
        self._read_photo(reader.errors)
        sale = self.prop is None or self.prop.transaction_type == "sale"
        if columns and columns["accepts_offers"] and (not sale or (self.prop and self.prop.archived_at)):
            reader.errors["accepts_offers"] = [_("Only a property that is for sale and not archived takes offers")]
        self.form.add_errors(reader.errors)
        self.questions = reader.questions
        return None if reader.errors else columns

    def _read_photo(self, errors: dict[str, list[str]]) -> None:
        sent = request.files.get("photo")
        if not sent or not sent.filename:
            return
        body = sent.read(PHOTO_BYTES + 1)
        if len(body) > PHOTO_BYTES:
            errors["photo"] = [_("The photo is larger than 10 MB; choose a smaller one")]
            return
        try:
            self.photo = read_photo(body)
        except NotAPicture:
            errors["photo"] = [_("This is no photo that we can read; choose a JPEG, PNG or WebP file")]

    def _write(self, columns: dict[str, Any]) -> uuid.UUID:
        if self.prop is None:
            columns.setdefault("agent_id", self.by.user.id)
            return service.create(self.by.agency_id, columns, by=self.by.actor)
        property_id = self.prop.id
        seen = request.form.get("version", type=whole)
        service.change(self.prop, columns, by=self.by.actor, version=0 if seen is None else seen)
        return property_id

    def _write_photo(self, property_id: uuid.UUID) -> None:
        if self.photo is None and not self.form.remove_photo.data:
            return
        prop = get_property(self.by, property_id)
        if self.photo or prop.photo_id:
            service.set_photo(prop, self.photo, by=self.by.actor)

    def _changed_meanwhile(self, property_id: uuid.UUID) -> None:
        """Show what was typed over the newer version, so that saving again is a choice."""
        self.status = 409
        self.prop = get_property(self.by, property_id, write=True)
        self.version = self.prop.version
        self.problem = _("Someone changed this property while you were at it. What you typed is below, not saved yet.")

    def form_page(self, status: int = 200) -> Response:
        """The form; a photo cannot be kept by a browser, so its loss is said."""
        lost = self.photo is not None and status != 200
        return page(
            "properties/form.html",
            status=status,
            form=self.form,
            property=self.prop,
            version=self.version,
            questions=self.questions,
            problem=self.problem,
            photo_lost=lost,
            zone=self.zone,
        )
