"""What the address of the list says, and the answer to an offer."""

from __future__ import annotations

import uuid

from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Form, IntegerField, StringField, TextAreaField
from wtforms.validators import AnyOf, InputRequired, Length

from app.models.offer import FINANCING, STATUSES
from app.queries.offer_list import OfferFilter

MAX_REASON = 1000


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
        validators=[Length(max=MAX_REASON, message=_l("Use at most %(max)d characters"))],
        description=_l("For your agency only: it stays in the history and is never sent to the client."),
    )
    notify_bidder = BooleanField(_l("Tell the bidder by mail"))
    version = IntegerField(_l("Version"), validators=[InputRequired()])
