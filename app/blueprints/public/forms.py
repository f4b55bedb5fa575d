"""The buyer's form. Everything is text until `OfferReader` has read it: what was typed is shown again as typed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from flask_babel import lazy_gettext as _l
from wtforms import BooleanField, Form, RadioField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from app.core.labels import LABELS
from app.core.questions import Question
from app.models import Property
from app.offers.document import Document
from app.offers.reading import unseen_removed

REQUIRED = frozenset({"full_name", "email", "phone", "amount", "financing", "payment_term_days", "consent"})
# Which fields of the form each rule of a property speaks of.
RULED = {
    "valid_until": ("valid_until",),
    "advance": ("advance_amount", "advance_percent"),
    "conditions": ("conditions", "conditions_text"),
    "precontract_date": ("precontract_date",),
    "deed_date": ("deed_date",),
    "co_buyers": ("co_buyers",),
    "type": ("type", "company_name", "tax_id"),
    "represented_by": ("represented_by",),
    "payment_term_note": ("payment_term_note",),
    "message": ("message",),
}
SIGNATURE_FIELDS = ("signature_kind", "signature_drawn", "signature_typed")


def rules_of(prop: Property) -> dict[str, str]:
    """`required`, `optional` or `hidden` for every field of the form."""
    rules = dict.fromkeys(REQUIRED, "required")
    for name, fields in RULED.items():
        rules |= dict.fromkeys(fields, prop.field_rules.get(name, "optional"))
    rules |= dict.fromkeys(SIGNATURE_FIELDS, "required" if prop.signature_required else "hidden")
    return rules


def choices(kind: str) -> list[SelectChoice]:
    """The values of an enumeration with their labels."""
    return [SelectChoice(value, text) for value, text in LABELS[kind].items()]


class Rules(dict[str, str]):
    """A field that nobody ruled on is optional."""

    def __missing__(self, name: str) -> str:
        return "optional"


class OfferForm(Form):
    full_name = StringField(_l("Full name"))
    email = StringField(_l("E-mail"))
    phone = StringField(_l("Phone"))
    amount = StringField(_l("Amount offered"))
    financing = RadioField(_l("Type of financing"), choices=choices("financing"), validate_choice=False)
    own_funds_amount = StringField(_l("Own funds"))
    credit_amount = StringField(_l("Credit"))
    credit_program = RadioField(_l("Credit programme"), choices=choices("credit_program"), validate_choice=False)
    credit_preapproved = RadioField(
        _l("Is the credit pre-approved?"),
        choices=[SelectChoice("yes", _l("Yes")), SelectChoice("no", _l("No"))],
        validate_choice=False,
    )
    payment_term_days = StringField(_l("Payment term, in days"))
    payment_term_note = StringField(_l("Note on the payment term"))
    valid_until = StringField(_l("Valid until"))
    advance_amount = StringField(_l("Advance, as an amount"))
    advance_percent = StringField(_l("Advance, in percent"))
    conditions = SelectMultipleField(_l("The offer depends on"), choices=choices("condition"), validate_choice=False)
    conditions_text = TextAreaField(_l("Other conditions"))
    precontract_date = StringField(_l("Preferred date of the pre-contract"))
    deed_date = StringField(_l("Preferred date of the deed"))
    co_buyers = TextAreaField(_l("Co-buyers"))
    type = RadioField(_l("You buy as"), choices=choices("bidder_type"), validate_choice=False)
    company_name = StringField(_l("Company name"))
    tax_id = StringField(_l("Tax id (CUI)"))
    represented_by = StringField(_l("Represented by"))
    message = TextAreaField(_l("Message for the agent"))
    replaces = StringField(_l("Reference of the earlier offer"))
    signature_kind = RadioField(_l("Signature"), choices=choices("signature"), validate_choice=False)
    signature_drawn = StringField(_l("Drawn signature"))
    signature_typed = StringField(_l("Type your full name as signature"))
    consent = BooleanField(_l("I have read the privacy notice"))
    website = StringField(_l("Leave this field empty"))

    rules: Rules
    questions: dict[str, Question]

    def bind(self, prop: Property) -> OfferForm:
        """Fit the form to a property. What cannot be seen is dropped here: no page may repeat it."""
        for typed in self:
            if isinstance(typed.data, str):
                typed.data = unseen_removed(typed.data)
        self.rules = Rules(rules_of(prop))
        self.questions = {}
        return self

    def texts(self) -> dict[str, str]:
        """Every single-valued field as typed."""
        return {
            field.name: field.data or ""
            for field in self
            if field.name not in {"conditions", "consent"} and isinstance(field.data, str | None)
        }

    def pairs(self) -> list[tuple[str, str]]:
        """All that was typed, as hidden inputs of the review page."""
        pairs = [(name, value) for name, value in self.texts().items() if value and name != "website"]
        pairs += [("conditions", kind) for kind in self.conditions.data or []]
        if self.consent.data:
            pairs.append(("consent", "y"))
        return pairs

    def add_errors(self, errors: dict[str, list[str]]) -> None:
        for name, messages in errors.items():
            self[name].errors = [*self[name].errors, *messages]


class ConfirmForm(Form):
    """What a bidder gives beside their yes to an offer that was recorded for them."""

    signature_kind = RadioField(_l("Signature"), choices=choices("signature"), validate_choice=False)
    signature_drawn = StringField(_l("Drawn signature"))
    signature_typed = StringField(_l("Type your full name as signature"))
    consent = BooleanField(_l("I have read the privacy notice"))

    questions: Mapping[str, Question] = MappingProxyType({})


def typed_again(document: Document, replaces: str) -> dict[str, Any]:
    """An offer as its bidder would type it into a new form that replaces it; signature and consent are given anew."""
    terms, bidder = document.terms, document.bidder
    texts = (
        "financing", "credit_program", "payment_term_note", "valid_until", "advance_percent", "precontract_date",
        "deed_date", "represented_by", "message",
    )  # fmt: skip
    amounts = ("amount", "own_funds_amount", "credit_amount", "advance_amount")
    approved = terms["credit_preapproved"]
    return {
        "full_name": bidder.full_name,
        "email": bidder.email,
        "phone": bidder.phone,
        "type": bidder.type,
        "company_name": bidder.company_name or "",
        "tax_id": bidder.tax_id or "",
        **{name: terms[name] or "" for name in texts},
        **{name: _as_typed(terms[name]) for name in amounts},
        "payment_term_days": str(terms["payment_term_days"]),
        "credit_preapproved": None if approved is None else "yes" if approved else "no",
        "conditions": list(terms["conditions"]["kinds"]),
        "conditions_text": terms["conditions"]["text"] or "",
        "co_buyers": "\n".join(terms["co_buyers"]),
        "replaces": replaces,
    }


def _as_typed(amount: str | None) -> str:
    """`118500.00` as `118500`: read the same in every language."""
    return (amount or "").removesuffix(".00").replace(".", ",")
