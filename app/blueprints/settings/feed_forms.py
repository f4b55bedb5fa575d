"""The form of a feed. Address, file and names of fields are checked in `app.feeds`."""

from __future__ import annotations

import json

from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import FileStorage
from wtforms import BooleanField, FileField, Form, PasswordField, SelectField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, DataRequired, Length, ValidationError

from app.accounts.facts import FILL_IN
from app.blueprints.settings.forms import LONG
from app.core.limits import CRM_KEY, FEED_MAPPING, FEED_NAME, URL, plain_lines
from app.core.numbers import whole
from app.core.typed_numbers import ASK, COMMA, POINT, SEPARATORS
from app.feeds.editing import HOURS, FeedValues
from app.models import PropertyFeed
from app.models.feed import KEY_PLACES, KINDS

# What can be mapped, as a page calls it.
FIELD_NAMES = {
    "external_id": _l("CRM id"), "title": _l("Title"), "title_en": _l("Title in English"),
    "description": _l("Description"), "description_en": _l("Description in English"), "property_type": _l("Type"),
    "for_sale": _l("For sale"), "active": _l("Active"), "address": _l("Street and number"),
    "zone": _l("Neighbourhood"), "city": _l("Town"), "county": _l("County"), "usable_area_sqm": _l("Usable area"),
    "built_area_sqm": _l("Built area"), "land_area_sqm": _l("Land"), "rooms": _l("Rooms"),
    "asking_price": _l("Asking price"), "currency": _l("Currency"), "price_vat": _l("VAT"),
    "buyer_commission": _l("Buyer's commission"), "crm_url": _l("Page in the CRM"),
    "agent_email": _l("Responsible agent"), "accepts_offers": _l("Accept offers through the link"),
    "photo_url": _l("Photo"),
}  # fmt: skip
CHOOSE = _l("Choose one of the answers")


def _strip(text: str | None) -> str:
    return (text or "").strip()


class FeedForm(Form):
    name = StringField(
        _l("Name"), filters=[_strip], validators=[DataRequired(FILL_IN), Length(max=FEED_NAME, message=LONG)]
    )
    kind = SelectField(
        _l("Kind"),
        choices=[
            SelectChoice("rebs", "REBS"),
            SelectChoice("json", _l("JSON from another CRM")),
            SelectChoice("csv", _l("CSV or Excel file")),
        ],
        validators=[AnyOf(KINDS, CHOOSE)],
        validate_choice=False,
        default="rebs",
    )
    url = StringField(
        _l("Address"),
        filters=[_strip],
        validators=[Length(max=URL, message=LONG)],
        description=_l("For REBS and JSON: where the CRM lists its properties."),
    )
    key = PasswordField(
        _l("Key"),
        filters=[_strip],
        validators=[Length(max=CRM_KEY, message=LONG)],
        description=_l("The key that the CRM gave you. Left empty, the present one stays."),
    )
    no_key = BooleanField(_l("Remove the present key"))
    key_in = SelectField(
        _l("How the key is sent"),
        choices=[SelectChoice("header", "Authorization"), SelectChoice("query", "?api_key=")],
        validators=[AnyOf(KEY_PLACES, CHOOSE)],
        validate_choice=False,
        default="header",
    )
    file = FileField(
        _l("CSV or Excel file"),
        description=_l(
            "With a line of names on top; of a workbook its first sheet. Left empty, the present file stays."
        ),
    )
    mapping = TextAreaField(
        _l("Fields"),
        filters=[plain_lines],
        validators=[Length(max=FEED_MAPPING, message=LONG)],
        description=_l("One line for each: our field = their field, as in “title = name” or “city = address.city”."),
    )
    separators = SelectField(
        _l("Point and comma in numbers"),
        choices=[
            SelectChoice(ASK, _l("As people write them; what has two meanings is refused")),
            SelectChoice(COMMA, _l("1.250,50: a comma before the decimals")),
            SelectChoice(POINT, _l("1,250.50: a point before the decimals")),
        ],
        validators=[AnyOf(SEPARATORS, CHOOSE)],
        validate_choice=False,
        default=ASK,
        description=_l(
            "Of texts such as 2.500, which is two and a half in one CRM and two thousand five hundred in another."
        ),
    )
    every_hours = SelectField(
        _l("How often"),
        choices=[
            SelectChoice("0", _l("Only when asked to")),
            SelectChoice("1", _l("Every hour")),
            SelectChoice("6", _l("Every six hours")),
            SelectChoice("24", _l("Once a day")),
        ],
        validators=[AnyOf([str(hours) for hours in HOURS], CHOOSE)],
        validate_choice=False,
        default="0",
    )

    def validate_mapping(self, field: TextAreaField) -> None:
        for number, line in enumerate((field.data or "").splitlines(), 1):
            ours, equals, theirs = line.partition("=")
            if line.strip() and not (ours.strip() and equals and theirs.strip()):
                raise ValidationError(_l("Line %(number)d is not of the form: our field = their field", number=number))

    @classmethod
    def of(cls, feed: PropertyFeed, url: str) -> FeedForm:
        """The form of a feed as it is; its key is not shown."""
        lines = "\n".join(f"{ours} = {theirs}" for ours, theirs in json.loads(feed.mapping).items())
        return cls(
            data={
                "name": feed.name,
                "kind": feed.kind,
                "url": url,
                "key_in": feed.key_in,
                "mapping": lines,
                "separators": feed.separators,
                "every_hours": str(feed.every_hours),
            }
        )

    def values(self, file: FileStorage | None) -> FeedValues:
        """What the form says, after `validate`."""
        lines = [line.partition("=") for line in (self.mapping.data or "").splitlines() if line.strip()]
        return FeedValues(
            self.name.data,
            self.kind.data,
            url=self.url.data,
            key="" if self.no_key.data else self.key.data or None,
            key_in=self.key_in.data,
            file=file.read() if file and file.filename else None,
            mapping={ours.strip(): theirs.strip() for ours, _equals, theirs in lines},
            separators=self.separators.data,
            every_hours=whole(self.every_hours.data),
        )
