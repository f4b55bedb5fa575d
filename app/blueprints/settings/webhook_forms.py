"""Forms of the webhooks' settings. Addresses and events are checked by the service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from wtforms import DateTimeLocalField, Form, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from app.blueprints.settings.forms import LONG
from app.models.webhook import EVENTS, TEST
from app.presentation import LABELS
from app.services.account_facts import FILL_IN

LOCAL = "%Y-%m-%dT%H:%M"


def _events(*kinds: str) -> list[SelectChoice]:
    return [SelectChoice(kind, LABELS["event"][kind]) for kind in kinds]


class EndpointForm(Form):
    url = StringField(
        _l("Address"),
        filters=[lambda text: (text or "").strip()],
        validators=[DataRequired(FILL_IN), Length(max=2000, message=LONG)],
        description=_l("An https:// address of your CRM; its maker names it."),
    )
    events = SelectMultipleField(
        _l("Events"),
        choices=_events(*EVENTS),
        validate_choice=False,
        description=_l("Choose none to be told of everything."),
    )

    def chosen(self) -> list[str]:
        return list(dict.fromkeys(self.events.data or []))


class TestForm(Form):
    kind = SelectField(
        _l("What to send"),
        choices=_events(TEST, *EVENTS),
        default=TEST,
        validate_choice=False,
        description=_l("A whole sample, marked as a test. Nobody in it is real."),
    )


class ReplayForm(Form):
    since = DateTimeLocalField(
        _l("Since"),
        format=LOCAL,
        validators=[InputRequired(_l("Choose a day and an hour"))],
        description=_l("In the agency's time zone. What waits is tried at once, what arrived is not sent again."),
    )

    @classmethod
    def from_moment(cls, moment: datetime | None, zone: str) -> ReplayForm:
        """Filled in with when the trouble began, if there is any."""
        local = moment and moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, second=0, microsecond=0)
        return cls(data={"since": local})

    def moment(self, zone: str) -> datetime:
        local: Any = self.since.data
        moment: datetime = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        return moment
