"""Forms of the settings. Each is checked here; what needs the database is checked in the noun."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, DateField, Form, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, DataRequired, InputRequired, Length, ValidationError

from app.accounts import facts
from app.accounts.facts import FILL_IN
from app.core.clock import now
from app.core.contacts import show_phone
from app.core.labels import LABELS
from app.core.language import LANGUAGES
from app.core.limits import COMPANY, KEY_NAME, NAME
from app.core.numbers import whole
from app.models.agency import AGENT, ASSISTANT, OWNER, ROLES, Agency
from app.models.property import CURRENCIES

LONG = _l("Use at most %(max)d characters")
SPOKEN = [SelectChoice(code, spoken.own_name) for code, spoken in LANGUAGES.items()]
# The agencies we know of sit in these; any other zone name may be typed.
ZONES = ("Europe/Bucharest", "Europe/Chisinau", "Europe/Budapest", "Europe/Vienna", "Europe/London", "UTC")


def _line(most: int) -> list[Any]:
    return [DataRequired(FILL_IN), Length(max=most, message=LONG)]


def _strip(text: str | None) -> str:
    return " ".join((text or "").split())


def _phone(_form: Form, field: StringField) -> None:
    if not field.data:
        return
    try:
        field.e164 = facts.phone(field.data)
    except ValueError as error:
        raise ValidationError(error.args[0]) from None


def _email(_form: Form, field: StringField) -> None:
    try:
        field.data = facts.email(field.data or "")
    except ValueError as error:
        raise ValidationError(error.args[0]) from None


def _email_if_any(form: Form, field: StringField) -> None:
    if field.data:
        _email(form, field)


def _known_zone(_form: Form, field: StringField) -> None:
    try:
        facts.zone(field.data or "")
    except ValueError as error:
        raise ValidationError(error.args[0]) from None


class ProfileForm(Form):
    full_name = StringField(_l("Full name"), filters=[_strip], validators=_line(NAME))
    phone = StringField(_l("Phone"), validators=[_phone], description=_l("Shown to buyers beside your name."))
    language = SelectField(_l("Language"), choices=SPOKEN)

    shortcuts = BooleanField(
        _l("Use keys in the dashboard"), description=_l("Press ? on any page to see them: / searches, j and k move.")
    )

    def values(self) -> dict[str, Any]:
        return {
            "full_name": self.full_name.data,
            "phone": phone_of(self.phone),
            "language": self.language.data,
            "shortcuts": bool(self.shortcuts.data),
        }


class PasswordForm(Form):
    present = PasswordField(_l("Present password"), validators=[InputRequired(FILL_IN)])
    password = PasswordField(
        _l("New password"), validators=[InputRequired(FILL_IN)], description=_l("At least 12 characters.")
    )


class DeputyForm(Form):
    """Who stands in while somebody is away."""

    deputy = SelectField(_l("Who stands in"), validate_choice=False)
    since = DateField(_l("First day"), validators=[DataRequired(FILL_IN)])
    until = DateField(_l("Last day"), validators=[DataRequired(FILL_IN)])


class ChooseForm(Form):
    """A password, chosen by a link that came by mail."""

    password = PasswordField(
        _l("New password"), validators=[InputRequired(FILL_IN)], description=_l("At least 12 characters.")
    )


class WelcomeForm(ChooseForm):
    """The same of who was invited: how they are called and what they read is theirs to say."""

    full_name = StringField(_l("Full name"), filters=[_strip], validators=_line(NAME))
    language = SelectField(_l("Language"), choices=SPOKEN, description=_l("Of your pages, and of the mails to you."))


class AgencyForm(Form):
    name = StringField(_l("Name of the agency"), filters=[_strip], validators=_line(NAME))
    email = StringField(_l("E-mail"), validators=[_email], description=_l("Shown to buyers."))
    phone = StringField(_l("Phone"), validators=[_phone])
    company = StringField(
        _l("Company"),
        filters=[_strip],
        validators=[Length(max=COMPANY, message=LONG)],
        description=_l("Registered name, number (CUI) and seat; the privacy notice names them."),
    )
    privacy_contact = StringField(
        _l("Contact for data protection"),
        validators=[_email_if_any],
        description=_l("An e-mail address, such as the data protection officer's; the privacy notice names it."),
    )
    zone = StringField(_l("Time zone"), validators=[_known_zone])
    language = SelectField(
        _l("Language"),
        choices=SPOKEN,
        validators=[AnyOf(list(LANGUAGES), _l("Choose one of the answers"))],
        validate_choice=False,
        description=_l("Of the mails to the agency itself, and first chosen for whom you invite."),
    )
    currency = SelectField(
        _l("Currency"),
        choices=[SelectChoice(code, code) for code in CURRENCIES],
        validators=[AnyOf(CURRENCIES, _l("Choose one of the answers"))],
        validate_choice=False,
        description=_l("Of new properties; each can have another."),
    )
    colleagues_read = BooleanField(_l("Agents may read the properties and offers of their colleagues"))
    needs_factor = BooleanField(
        _l("Everybody needs a second factor"),
        description=_l("Whoever has none sets one up before going on: codes of their phone, say."),
    )
    bidders_see_status = BooleanField(
        _l("Clients see on their page where their offer stands"),
        description=_l("Received, opened, accepted or rejected. Reasons and notes are never shown."),
    )

    @classmethod
    def of(cls, agency: Agency) -> AgencyForm:
        form = cls(obj=agency)
        form.phone.data = show_phone(agency.phone) if agency.phone else ""
        return form

    def values(self) -> dict[str, Any]:
        """By the names of the agency's columns, which the fields have too."""
        return {**self.data, "phone": phone_of(self.phone)}


class FirstAgencyForm(Form):
    """The first agency and its owner, on one page."""

    full_name = StringField(_l("Full name"), filters=[_strip], validators=_line(NAME))
    email = StringField(_l("E-mail"), validators=[_email], description=_l("You sign in with it."))
    password = PasswordField(
        _l("Password"), validators=[InputRequired(FILL_IN)], description=_l("At least 12 characters.")
    )
    name = StringField(_l("Name of the agency"), filters=[_strip], validators=_line(NAME))
    language = SelectField(_l("Language"), choices=SPOKEN, description=_l("Of the agency's mails, and of your pages."))
    currency = SelectField(
        _l("Currency"),
        choices=[SelectChoice(code, code) for code in CURRENCIES],
        description=_l("Of new properties; each can have another."),
    )
    zone = StringField(_l("Time zone"), validators=[_known_zone], default=ZONES[0])

    def refuse(self, errors: Mapping[str, Iterable[Any]]) -> None:
        """Add what the service refused, in the reader's language."""
        for name, messages in errors.items():
            self[name].errors = [*self[name].errors, *(str(message) for message in messages)]


class UserForm(Form):
    full_name = StringField(_l("Full name"), filters=[_strip], validators=_line(NAME))
    email = StringField(_l("E-mail"), validators=[_email], description=_l("They sign in with it."))
    phone = StringField(_l("Phone"), validators=[_phone])
    role = SelectField(
        _l("Role"),
        choices=[SelectChoice(role, LABELS["role"][role]) for role in (AGENT, ASSISTANT, OWNER)],
        validators=[AnyOf(ROLES, _l("Choose one of the answers"))],
        validate_choice=False,
        default=AGENT,
        description=_l("An assistant reads everything and records offers, and decides nothing."),
    )
    language = SelectField(
        _l("Language"),
        choices=SPOKEN,
        validators=[AnyOf(list(LANGUAGES), _l("Choose one of the answers"))],
        validate_choice=False,
        description=_l("Of the mails to them and of their pages; they can change it."),
    )


class HeirForm(Form):
    heir = SelectField(_l("Their properties pass to"), validate_choice=False)


class ApiKeyForm(Form):
    name = StringField(
        _l("Name of the key"),
        filters=[_strip],
        validators=_line(KEY_NAME),
        description=_l("Which system uses it, so that you know which one to revoke."),
    )
    scope = SelectField(
        _l("What it may do"),
        choices=[SelectChoice("write", _l("Read and change")), SelectChoice("read", _l("Only read"))],
        validators=[AnyOf(("write", "read"), _l("Choose one of the answers"))],
        validate_choice=False,
        default="write",
    )
    days = SelectField(
        _l("Valid for"),
        choices=[
            SelectChoice("0", _l("Until it is revoked")),
            SelectChoice("30", _l("30 days")),
            SelectChoice("90", _l("90 days")),
            SelectChoice("365", _l("A year")),
        ],
        validators=[AnyOf(("0", "30", "90", "365"), _l("Choose one of the answers"))],
        validate_choice=False,
        default="0",
    )
    kind = SelectField(
        _l("Data"),
        choices=[SelectChoice("live", _l("This agency")), SelectChoice("test", _l("A test agency with sample data"))],
        validators=[AnyOf(("live", "test"), _l("Choose one of the answers"))],
        validate_choice=False,
        default="live",
        description=_l("A test key changes nothing of yours and writes to nobody."),
    )

    @property
    def scopes(self) -> tuple[str, ...]:
        return ("read",) if self.scope.data == "read" else ("read", "write")

    @property
    def expires_at(self) -> datetime | None:
        return now() + timedelta(days=whole(self.days.data)) if self.days.data != "0" else None


def phone_of(field: StringField) -> str | None:
    """The number as stored, after `validate`."""
    return getattr(field, "e164", None) if field.data else None
