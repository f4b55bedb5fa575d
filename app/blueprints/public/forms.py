"""The buyer's form. Everything is text until `OfferReader` has read it: what was typed is shown again as typed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from flask_babel import lazy_gettext as _l
from werkzeug.datastructures import MultiDict
from wtforms import BooleanField, Field, Form, RadioField, SelectMultipleField, StringField, TextAreaField
from wtforms.fields.choices import SelectChoice

from app.core.labels import LABELS
from app.core.questions import Question
from app.models import Property
from app.offers import fields
from app.offers.document import Document
from app.offers.fields import FIELDS, ON_PAGE
from app.offers.reading import unseen_removed

SIGNATURE_FIELDS = ("signature_kind", "signature_drawn", "signature_typed")


def rules_of(prop: Property) -> dict[str, str]:
    """`required`, `optional` or `hidden` for every field of the form."""
    rules = {field.name: "required" for field in FIELDS if field.needed} | {"consent": "required"}
    rules |= {field.name: prop.field_rules.get(field.rule, "optional") for field in FIELDS if field.rule}
    rules |= dict.fromkeys(SIGNATURE_FIELDS, "required" if prop.signature_required else "hidden")
    return rules


def choices(kind: str) -> list[SelectChoice]:
    """The values of an enumeration with their labels."""
    return [SelectChoice(value, text) for value, text in LABELS[kind].items()]


class Rules(dict[str, str]):
    """A field that nobody ruled on is optional."""

    def __missing__(self, name: str) -> str:
        return "optional"


class NotYetOrDayField(StringField):
    """`none`, or a day, which the page asks for in a field of its own beside the choice."""

    data: str | None

    def process(self, formdata: Any, *args: Any, **more: Any) -> None:
        super().process(formdata, *args, **more)
        self.data = _not_yet_or_day(self.data, (formdata and formdata.get(f"{self.name}_day")) or "")


WIDGETS: dict[str, type[Field]] = {
    "text": StringField,
    "date": StringField,
    "textarea": TextAreaField,
    "choices": RadioField,
    "not_yet_or_day": NotYetOrDayField,
    "checkboxes": SelectMultipleField,
}


def _typed(field: fields.Field) -> Any:
    """The field of the form for a declared one."""
    widget = WIDGETS[field.kind.input]
    if field.kind.input not in {"choices", "checkboxes"}:
        return widget(field.label)
    pairs = [SelectChoice(value, text) for value, text in field.choices.items()]
    return widget(field.label, choices=pairs, validate_choice=False)


class Typed(NamedTuple):
    """What was typed into an `OfferForm`: `texts` as its `texts()` gives them, `chosen` as its `chosen()`."""

    texts: dict[str, str]
    chosen: dict[str, list[str]]
    consent: bool


def typed(sent: MultiDict[str, str]) -> Typed:
    """The same as `OfferForm(sent).bind(...)` reads, without an object for each field."""
    texts = {name: sent.get(name, "") for name in _TEXTS}
    for name in _DAYS:
        texts[name] = _not_yet_or_day(texts[name], sent.get(f"{name}_day", ""))
    chosen = {name: sent.getlist(name) for name in _CHOSEN}
    consent = sent.get("consent", "") not in BooleanField.false_values
    return Typed({name: unseen_removed(text) for name, text in texts.items()}, chosen, consent)


def _not_yet_or_day(choice: str | None, day: str) -> str:
    """The day, where one was typed; beside "not yet" both, for the reader to refuse."""
    day = day.strip()
    if not day:
        return choice or ""
    return day if choice in {None, "", "yes"} else f"{choice} {day}"


_CHOSEN = [one.name for one in ON_PAGE if one.kind.input == "checkboxes"]
_DAYS = [one.name for one in ON_PAGE if one.kind.input == "not_yet_or_day"]
_TEXTS = [*(one.name for one in ON_PAGE if one.name not in _CHOSEN), *SIGNATURE_FIELDS, "website"]


class Block(NamedTuple):
    """Fields that one answer brings up (`when`); a line holds those that stand side by side."""

    when: tuple[str, tuple[str, ...]] | None
    lines: list[list[fields.Field]]


class OfferForm(Form):
    vars().update({field.name: _typed(field) for field in ON_PAGE})
    signature_kind = RadioField(_l("Signature"), choices=choices("signature"), validate_choice=False)
    signature_drawn = StringField(_l("Drawn signature"))
    signature_typed = StringField(_l("Type your full name as signature"))
    consent = BooleanField(_l("I have read the privacy notice"))
    website = StringField(_l("Leave this field empty"))

    rules: Rules
    questions: dict[str, Question]

    def bind(self, prop: Property) -> OfferForm:
        """Fit the form to a property. Values of hidden fields are dropped, so that no page repeats them."""
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
            if isinstance(field.data, str | None) and not isinstance(field, SelectMultipleField)
        }

    def chosen(self) -> dict[str, list[str]]:
        """What was ticked, of fields of several answers."""
        return {field.name: field.data or [] for field in self if isinstance(field, SelectMultipleField)}

    def pairs(self) -> list[tuple[str, str]]:
        """All that was typed, as hidden inputs of the review page."""
        pairs = [(name, value) for name, value in self.texts().items() if value and name != "website"]
        pairs += [(name, value) for name, chosen in self.chosen().items() for value in chosen]
        if self.consent.data:
            pairs.append(("consent", "y"))
        return pairs

    def layout(self, part: str, *groups: str, known: bool = False) -> list[Block]:
        """A part of the page, or some groups of it, without hidden fields; `known`: without the bidder's own, too."""
        blocks: list[Block] = []
        for field in ON_PAGE:
            elsewhere = field.part.name != part or (groups and field.group.name not in groups)
            if elsewhere or self.rules[field.name] == "hidden" or (known and field.inside == "bidder"):
                continue
            if not blocks or blocks[-1].when != field.when:
                blocks.append(Block(field.when, []))
            lines = blocks[-1].lines
            if field.beside and lines and lines[-1][0].name == field.beside:
                lines[-1].append(field)
            else:
                lines.append([field])
        return blocks

    def calls(self, blocks: list[Block]) -> bool:
        """Whether a field of it holds something, is wrong, is asked about or is required."""
        every = [field for block in blocks for line in block.lines for field in line]
        return any(
            (self.rules[field.name] == "required" and not field.when)
            or self[field.name].errors
            or field.name in self.questions
            or (self[field.name].data and self[field.name].data != field.default)
            for field in every
        )

    def hint(self, field: fields.Field) -> Any:
        return field.hint or field.buyer_hint

    def attributes(self, field: fields.Field) -> dict[str, str]:
        return {**field.kind.attributes, **field.attributes}

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
    """An offer as the values of a new form that replaces it; signature and consent are given anew."""
    return {**{field.name: field.kind.typed(field.value_in(document.terms)) for field in FIELDS}, "replaces": replaces}
