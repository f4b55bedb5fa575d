"""What the address of the list says, and the answer to an offer."""

from __future__ import annotations

import uuid

from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Form, RadioField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice
from wtforms.validators import AnyOf, InputRequired, Length

from app.models.offer import FINANCING, STATUSES
from app.queries.offer_list import OfferFilter

TOO_LONG = Length(max=1000, message=_l("Use at most %(max)d characters"))


def read_filter(args: MultiDict[str, str]) -> OfferFilter:
    """The filter of a URL; what it does not understand is left out."""
    try:
        property_id = uuid.UUID(args.get("property_id", ""))
    except ValueError:
        property_id = None
    return OfferFilter(
        status=_one_of(args.get("status"), STATUSES),
        property_id=property_id,
        financing=_one_of(args.get("financing"), FINANCING),
    )


def _one_of(value: str | None, allowed: tuple[str, ...]) -> str | None:
    return value if value in allowed else None


class DecisionForm(Form):
    status = StringField(_l("Status"), validators=[InputRequired(_l("Choose one of the answers")), AnyOf(STATUSES)])
    reason = TextAreaField(
        _l("Reason"),
        validators=[TOO_LONG],
        description=_l("For your agency only: it stays in the history and is never sent to the client."),
    )
    notify_bidder = BooleanField(_l("Tell the bidder by mail"))
    message = TextAreaField(
        _l("Message"), validators=[TOO_LONG], description=_l("Goes into the mail, as you write it.")
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
        _l("Message to them"), validators=[TOO_LONG], description=_l("Goes into each of their mails, as you write it.")
    )
    close_link = BooleanField(_l("Turn the link off: no more offers come in"))

    @staticmethod
    def statuses() -> tuple[str, ...]:
        return STATUSES

    def text(self, name: str) -> str | None:
        """What was typed into a text field, or None."""
        return (self[name].data or "").strip() or None
