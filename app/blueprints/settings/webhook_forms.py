"""Forms of the webhooks' settings. Addresses and events are checked in `app.webhooks`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from flask_babel import lazy_gettext as _l
from wtforms import Form, SelectField, SelectMultipleField, StringField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import DataRequired, InputRequired, Length

from app.accounts.facts import FILL_IN
from app.blueprints.settings.forms import LONG
from app.core import local_times
from app.core.labels import LABELS
from app.core.limits import URL
from app.core.questions import Question
from app.models.webhook import EVENTS, TEST


def _events(*kinds: str) -> list[SelectChoice]:
    return [SelectChoice(kind, LABELS["event"][kind]) for kind in kinds]


class EndpointForm(Form):
    url = StringField(
        _l("Address"),
        filters=[lambda text: (text or "").strip()],
        validators=[DataRequired(FILL_IN), Length(max=URL, message=LONG)],
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
    asked: Question | None = None
    since = StringField(
        _l("Since"),
        validators=[InputRequired(_l("Choose a day and an hour"))],
        description=_l("In the agency's time zone. What waits is tried at once, what arrived is not sent again."),
    )

    @classmethod
    def from_moment(cls, moment: datetime | None, zone: str) -> ReplayForm:
        """Filled in with when the trouble began, if there is any."""
        shown = local_times.shown_in(moment, zone).replace("T", " ")
        return cls(data={"since": f"{shown}:00" if shown else ""})

    def moment(self, zone: str, confirmed: Collection[str], stored: datetime | None) -> datetime | None:
        """In UTC; None with the form saying what is wrong, or what is asked."""
        if not self.validate():
            return None
        try:
            found = local_times.read("since", self.since.data, zone, confirmed, stored)
        except local_times.NotATime:
            self.since.errors = [_l("Write a date and time such as 2026-12-31 18:00")]
            return None
        if isinstance(found, Question):
            self.asked = found
            return None
        return found
