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
from app.offers.fields import BY_NAME, CHOICES, FIELDS, NEEDED, YES, Field
from app.offers.reading import OfferReader
from app.offers.submitting import Sending

# What an answer of a form leaves no room for, and what to do about it.
IDLE = {
    "financing": "Not of an offer in cash: leave it out, or send another financing",
    "type": "Only of a company: leave it out, or send the type company",
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
        chosen={field.name: _held(body, field) or () for field in FIELDS if field.kind is CHOICES},
        consent=True,
        confirmed=_Confirmed(),
        rules=_Rules(),
        at=now(),
        zone=zone,
    )
    draft = reader.read()
    if draft is None:
        raise Invalid({_place(BY_NAME[name]): messages for name, messages in reader.errors.items()})
    return draft


def _idle(body: OfferNew) -> dict[str, list[str]]:
    """What the rest of the offer leaves no room for: a form hides it, a program meant something by it."""
    found = dict[str, list[str]]()
    for field in FIELDS:
        if field.when and _held(body, BY_NAME[field.when[0]]) not in field.when[1]:
            given = _held(body, field)
            if given and _text(given).strip():
                found[_place(field)] = [IDLE[field.when[0]]]
    return found


def sending_of(prop: Property, body: OfferNew) -> Sending:
    """Each call is an offer of its own; what makes a repeat the same one is its `Idempotency-Key`."""
    return Sending(os.urandom(16), prop.link_version, body.language, "api", {})


def _held(body: OfferNew, field: Field) -> Any:
    """What a body says of a field."""
    value: Any = body
    for name in field.path:
        value = getattr(value, name) if value is not None else None
    return value


def _place(field: Field) -> str:
    """How a fault names it: at the top of the body by its name."""
    return field.pointer if field.inside else field.name


def _values(body: OfferNew) -> dict[str, str]:
    return {field.name: _as_typed(field, _held(body, field)) for field in FIELDS if field.kind is not CHOICES}


def _as_typed(field: Field, value: Any) -> str:
    if field.kind is YES and value is not None:
        return "yes" if value else "no"
    return "\n".join(map(_text, value)) if isinstance(value, list) else _text(value)


def _text(value: Any) -> str:
    """As it would be typed; what nobody sees in a name would hide it from search."""
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else HIDDEN.sub("", str(value))
