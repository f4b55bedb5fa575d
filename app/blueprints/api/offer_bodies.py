"""From an offer as the API takes it to a `Draft`, by the same reading as the buyer's form."""

from __future__ import annotations

import os
from datetime import date
from typing import Any

from app.blueprints.api.schemas.offers import OfferNew
from app.core.clock import now
from app.core.errors import Invalid
from app.core.values import HIDDEN
from app.models import Property
from app.offers.document import Draft, Signature
from app.offers.reading import OfferReader
from app.offers.submitting import Sending

NEEDED = frozenset({"full_name", "email", "phone", "amount", "financing", "payment_term_days"})
SAME = (
    "amount", "financing", "own_funds_amount", "credit_amount", "credit_program", "payment_term_days",
    "payment_term_note", "valid_until", "advance_amount", "advance_percent", "precontract_date", "deed_date",
    "message", "represented_by", "replaces",
)  # fmt: skip
BIDDER = ("full_name", "email", "phone", "type", "company_name", "tax_id")
POINTERS = {
    **{name: f"/bidder/{name}" for name in BIDDER},
    "conditions": "/conditions/kinds",
    "conditions_text": "/conditions/text",
}


class _Rules(dict[str, str]):
    """The property's own rules are for its form: here only what every offer has is asked for."""

    def __missing__(self, name: str) -> str:
        return "required" if name in NEEDED else "optional"


class _Confirmed(frozenset[str]):
    """A program means what it sends: nothing is asked back."""

    def __contains__(self, question: object) -> bool:
        return True


class _Reader(OfferReader):
    def _signature(self) -> Signature | None:
        return None  # what was signed elsewhere is not signed here


def read_offer(prop: Property, body: OfferNew, zone: str) -> Draft:
    """The draft; raises `Invalid` that points into the body."""
    if body.currency not in {None, prop.currency}:
        raise Invalid({"currency": [f"The property's currency is {prop.currency}"]})
    if idle := _idle(body):
        raise Invalid(idle)
    reader = _Reader(
        prop=prop,
        values=_values(body),
        conditions=body.conditions.kinds if body.conditions else (),
        consent=True,
        confirmed=_Confirmed(),
        rules=_Rules(),
        at=now(),
        zone=zone,
    )
    draft = reader.read()
    if draft is None:
        raise Invalid({POINTERS.get(name, name): messages for name, messages in reader.errors.items()})
    return draft


def _idle(body: OfferNew) -> dict[str, list[str]]:
    """What the rest of the offer leaves no room for: a form hides it, a program meant something by it."""
    found = dict[str, list[str]]()
    if body.financing == "cash":
        for name in ("own_funds_amount", "credit_amount", "credit_program", "credit_preapproved"):
            if getattr(body, name):
                found[name] = ["Not of an offer in cash: leave it out, or send another financing"]
    if body.bidder.type == "person":
        for name in ("company_name", "tax_id"):
            if _text(getattr(body.bidder, name)).strip():
                found[POINTERS[name]] = ["Only of a company: leave it out, or send the type company"]
    return found


def sending_of(prop: Property, body: OfferNew) -> Sending:
    """Each call is an offer of its own; what makes a repeat the same one is its `Idempotency-Key`."""
    return Sending(os.urandom(16), prop.link_version, body.language, "api", {})


def _values(body: OfferNew) -> dict[str, str]:
    values = {name: _text(getattr(body, name)) for name in SAME}
    values |= {name: _text(getattr(body.bidder, name)) for name in BIDDER}
    values["conditions_text"] = _text(body.conditions.text if body.conditions else None)
    values["co_buyers"] = "\n".join(map(_text, body.co_buyers))
    if body.credit_preapproved is not None:
        values["credit_preapproved"] = "yes" if body.credit_preapproved else "no"
    return values


def _text(value: Any) -> str:
    """As it would be typed; what nobody sees in a name would hide it from search."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else HIDDEN.sub("", str(value))
