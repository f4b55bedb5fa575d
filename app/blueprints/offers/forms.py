"""What is asked about an answer to offers."""

from __future__ import annotations

import uuid

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, Form, IntegerField, RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import UUID, AnyOf, DataRequired, InputRequired, Length, NumberRange

from app.core import limits
from app.core.limits import plain_lines
from app.core.questions import Question
from app.models.offer import STATUSES

LONG = _l("Use at most %(max)d characters")
TOO_LONG = Length(max=limits.MESSAGE, message=LONG)


class NoteForm(Form):
    text = TextAreaField(
        _l("New note"),
        filters=[plain_lines],
        validators=[DataRequired(_l("Fill this in")), Length(max=limits.NOTE, message=LONG)],
        description=_l("Seen by your agency only."),
    )


class MoveForm(Form):
    offer = StringField(validators=[InputRequired(), UUID()])
    place = IntegerField(_l("Place"), validators=[InputRequired(), NumberRange(1, 10_000)])
    reason = StringField(_l("Why"), filters=[plain_lines], validators=[Length(max=limits.WHY, message=LONG)])

    def offer_id(self) -> uuid.UUID:
        return uuid.UUID(self.offer.data)


class BetterForm(Form):
    asked: Question | None = None
    until = StringField(
        _l("Until when"),
        validators=[InputRequired(_l("Fill this in"))],
        description=_l("After this the link takes nothing more. In the agency's time zone."),
    )
    message = TextAreaField(
        _l("Message"),
        filters=[plain_lines],
        validators=[TOO_LONG],
        description=_l("Goes into the mail, as you write it."),
    )


class DecisionForm(Form):
    status = StringField(_l("Status"), validators=[InputRequired(_l("Choose one of the answers")), AnyOf(STATUSES)])
    reason = TextAreaField(
        _l("Reason"),
        filters=[plain_lines],
        validators=[TOO_LONG],
        description=_l("For your agency only: it stays in the history and is never sent to the client."),
    )
    notify_bidder = BooleanField(_l("Tell the bidder by mail"))
    message = TextAreaField(
        _l("Message"),
        filters=[plain_lines],
        validators=[TOO_LONG],
        description=_l("Goes into the mail, as you write it."),
    )
    others = RadioField(
        _l("The other offers"),
        choices=[
            SelectChoice("keep", _l("Keep them in reserve: a bank may still refuse")),
            SelectChoice("reject", _l("Tell them no, by mail")),
        ],
        default="keep",
        validate_choice=False,
    )
    others_message = TextAreaField(
        _l("Message to them"),
        filters=[plain_lines],
        validators=[TOO_LONG],
        description=_l("Goes into each of their mails, as you write it."),
    )
    close_link = BooleanField(_l("Turn the link off: no more offers come in"))

    @staticmethod
    def statuses() -> tuple[str, ...]:
        return STATUSES

    def text(self, name: str) -> str | None:
        """What was typed into a text field, or None."""
        return self[name].data or None
