"""What an offer is made of: each field declared once, and the kinds of values they are of.

From here come the form, its reader, the rules of a property, the document, the rows of pages and mails, the models of
the API, the columns of files, the rows of the comparison and the sample. The order is that of the API.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal

from flask_babel import lazy_gettext as _l
from pydantic import Field as Limits
from pydantic import WithJsonSchema, WrapValidator

from app.core import limits
from app.core import values as v
from app.core.contacts import show_phone
from app.core.formats import days, percent_text, show_date, show_money
from app.core.labels import LABELS
from app.core.money import Money, from_decimal_text

DECIMAL = {"inputmode": "decimal", "autocomplete": "off"}
Percent = Annotated[str, v.TextPattern(v.PERCENT, "Must be a decimal string from 0 to 100, such as 10 or 12.5")]
NOT_YET = "none"
NotYetOrDay = Annotated[
    v.Day,
    WrapValidator(lambda value, read: value if value == NOT_YET else read(value)),
    WithJsonSchema({"anyOf": [{"const": NOT_YET, "type": "string"}, {"format": "date", "type": "string"}]}),
]
Days = Annotated[int, Limits(ge=0, le=3650, description="From the pre-contract to full payment.")]


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """`held` is the type in the document; `taken` gives that of the API's bodies, `shown` that of its answers, where
    it is another. `cell` names how files write it.

    `kept` makes what stands in the document of what was read, `typed` makes of that what would be typed again, and
    `said` reads it aloud, in its currency. `nothing` stands for a value that nobody gave.
    """

    input: str  # text, date, textarea, choices, checkboxes or not_yet_or_day
    taken: Callable[[Field], Any]
    said: Callable[[Any, Field, str], str] = lambda value, _field, _currency: str(value)
    cell: str = "text"
    held: Any = str
    shown: Callable[[Field], Any] | None = None
    kept: Callable[[Any], Any] = lambda value: value
    typed: Callable[[Any], Any] = lambda value: value or ""
    nothing: Any = None
    unit: Any = ""
    size: str = ""
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)


def money_text(text: str | None, currency: str) -> str:
    """A decimal string of the document, shown in full; empty for None."""
    return show_money(Money(from_decimal_text(text), currency)) if text else ""


def _day_text(text: str) -> str:
    return show_date(date.fromisoformat(text))


def _as_typed(amount: str | None) -> str:
    """`118500.00` as `118500`: read the same in every language."""
    return (amount or "").removesuffix(".00").replace(".", ",")


def _line(of: Field) -> Any:
    return Annotated[str, Limits(min_length=of.least, max_length=of.limit), v.OneLine]


def _one_of(of: Field) -> Any:
    return Literal[tuple(of.choices)]


LINE = Kind("text", _line)
TEXT = Kind("textarea", lambda of: Annotated[str, Limits(max_length=of.limit), v.Clean])
NAME = Kind("text", _line, attributes={"autocomplete": "name", "autocapitalize": "words"})
EMAIL = Kind("text", lambda _of: v.Email)
PHONE = Kind("text", lambda _of: v.Phone, lambda value, _of, _in: show_phone(value), "phone")
COMPANY = Kind("text", _line, attributes={"autocomplete": "organization"})
TAX_ID = Kind("text", _line, size="medium", attributes={"autocomplete": "off", "spellcheck": "false"})
REFERENCE = Kind("text", _line)
NAMES = Kind(
    "textarea",
    lambda _of: list[v.Line200x1],
    lambda value, _of, _in: ", ".join(value),
    held=list[str],
    kept=list,
    typed="\n".join,
    nothing=(),
)
MONEY = Kind(
    "text",
    lambda _of: v.Amount,
    lambda value, _of, currency: money_text(value, currency),
    "money",
    kept=lambda amount: amount.text,
    typed=_as_typed,
    attributes=DECIMAL,
)
PERCENT = Kind(
    "text",
    lambda _of: Percent,
    lambda value, _of, _in: percent_text(value),
    "percent",
    unit="%",
    size="short",
    attributes=DECIMAL,
)
DAYS = Kind(
    "text",
    lambda _of: Days,
    lambda value, _of, _in: days(value),
    "count",
    held=int,
    typed=str,
    unit=_l("days"),
    size="short",
    attributes={"inputmode": "numeric", "autocomplete": "off"},
)
DAY = Kind(
    "date",
    lambda _of: v.Day,
    lambda value, _of, _in: _day_text(value),
    "day",
    shown=lambda _of: v.Day,
    kept=date.isoformat,
)
VIEWING = Kind(
    "not_yet_or_day",
    lambda _of: NotYetOrDay,
    lambda value, of, _in: str(of.choices[NOT_YET]) if value == NOT_YET else _day_text(value),
    "not_yet_or_day",
    shown=lambda _of: NotYetOrDay,
    kept=str,
)
CHOICE = Kind("choices", _one_of, lambda value, of, _in: str(of.choices.get(value, value)), shown=_one_of)
YES = Kind(
    "choices",
    lambda _of: bool,
    lambda value, of, _in: str(of.choices["yes" if value else "no"]),
    "yes",
    held=bool,
    typed=lambda value: None if value is None else "yes" if value else "no",
)
CHOICES = Kind(
    "checkboxes",
    lambda of: list[_one_of(of)],  # type: ignore[misc]  # made while the program starts
    lambda value, of, _in: "\n".join(str(of.choices.get(choice, choice)) for choice in value),
    "conditions",
    held=list[str],
    kept=sorted,
    typed=list,
    nothing=(),
)


class Group(enum.IntEnum):
    """Where a field is read, and in which order files name them."""

    OFFER = 1
    FINANCING = 2
    TERMS = 3
    BIDDER = 4
    MESSAGE = 5


class Part(enum.IntEnum):
    """Where a field is typed."""

    ABOUT = 1
    OFFER = 2
    PAYMENT = 3
    MORE = 4


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """One field. `label` is what the form asks, `called` its name elsewhere, `heading` that in files, where otherwise.

    `needed` of every offer, though agents may not know it (`maybe_unknown`); else `rule` names what a property may say
    of it, and `when` the answer that calls for it. `buyer_hint` is not for agents, `beside` the field that shares its
    line on the form. `inside` is the object that holds it in the document and the API, under `key`. `clear` is its
    column of `Offer`; what has none is sealed and forgotten with the person. What is not `shown` has no row of its own;
    `compared` names it in the comparison, where otherwise, and is None where other rows say it. `width` is that of its
    column in files, 0 for no column. `taken_note` and `shown_note` describe it to readers of the API.
    """

    name: str
    kind: Kind
    label: Any
    group: Group
    part: Part = Part.MORE
    called: Any = None
    heading: Any = None
    hint: Any = ""
    buyer_hint: Any = ""
    limit: int | None = None
    least: int | None = None
    choices: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    most: int = 0
    default: str | None = None
    needed: bool = False
    maybe_unknown: bool = False
    rule: str | None = None
    when: tuple[str, tuple[str, ...]] | None = None
    inside: str | None = None
    key: str = ""
    clear: str | None = None
    width: int = 14
    cell: str = ""
    shown: bool = True
    compared: Any = ""
    long: bool = False
    rows: int = 4
    size: str = ""
    beside: str | None = None
    attributes: Mapping[str, str] = dataclasses.field(default_factory=dict)
    taken_note: str | None = None
    shown_note: str | None = None
    sample: Any = None

    @property
    def title(self) -> Any:
        """Its name beside its value."""
        return self.called or self.label

    @property
    def path(self) -> tuple[str, ...]:
        """Where it stands in the document and the API."""
        last = self.key or self.name
        return (self.inside, last) if self.inside else (last,)

    @property
    def pointer(self) -> str:
        """The same, as RFC 6901 writes it."""
        return "/" + "/".join(self.path)

    def value_in(self, terms: Mapping[str, Any]) -> Any:
        """From a document's terms; None too where the document is older than the field."""
        *around, last = self.path
        parent = (terms.get(around[0]) or {}) if around else terms
        return parent.get(last)

    def kept(self, value: Any) -> Any:
        """What stands in the document for what was read."""
        if value is None:
            value = self.kind.nothing
        return None if value is None else self.kind.kept(value)

    def said(self, terms: Mapping[str, Any], currency: str) -> str:
        """In the reader's words, empty where nothing was said."""
        value = self.value_in(terms)
        return "" if value is None or value in ("", []) else self.kind.said(value, self, currency)


def _bidder(name: str, kind: Kind, label: Any, **more: Any) -> Field:
    return Field(name, kind, label, Group.BIDDER, inside="bidder", **more)


_CREDIT = ("financing", ("credit", "mixed"))
_COMPANY = ("type", ("company",))
FIELDS = (
    Field(
        "amount", MONEY, _l("Amount offered"), Group.OFFER, Part.OFFER, heading=_l("Amount"), limit=limits.NUMBER,
        needed=True, clear="amount_minor", size="amount", shown_note="A decimal string.", sample="118500.00",
    ),
    Field(
        "financing", CHOICE, _l("Type of financing"), Group.FINANCING, Part.PAYMENT, heading=_l("Financing"),
        compared=_l("Financing"), choices=LABELS["financing"], needed=True, clear="financing", cell="financing",
        sample="mixed",
    ),
    Field(
        "own_funds_amount", MONEY, _l("Own funds"), Group.FINANCING, Part.PAYMENT, limit=limits.NUMBER, when=_CREDIT,
        taken_note="This and what is about credit: not of an offer in cash.", sample="50000.00",
    ),
    Field(
        "credit_amount", MONEY, _l("Credit"), Group.FINANCING, Part.PAYMENT, limit=limits.NUMBER, when=_CREDIT,
        beside="own_funds_amount", sample="68500.00",
    ),
    Field(
        "credit_program", CHOICE, _l("Credit programme"), Group.FINANCING, Part.PAYMENT,
        choices=LABELS["credit_program"], when=_CREDIT, cell="program", sample="standard",
    ),
    Field(
        "credit_preapproved", YES, _l("Is the credit pre-approved?"), Group.FINANCING, Part.PAYMENT,
        called=_l("Credit pre-approved"), compared=None, choices={"yes": _l("Yes"), "no": _l("No")}, when=_CREDIT,
        sample=True,
    ),
    Field(
        "payment_term_days", DAYS, _l("Payment term, in days"), Group.TERMS, Part.PAYMENT, called=_l("Payment term"),
        heading=_l("Payment term, in days"), hint=_l("From the pre-contract to full payment."), limit=limits.NUMBER,
        needed=True, clear="term_days", sample=30,
    ),
    Field(
        "payment_term_note", LINE, _l("Note on the payment term"), Group.TERMS, Part.PAYMENT, limit=300,
        rule="payment_term_note", width=24, long=True, attributes={"autocomplete": "off"},
    ),
    Field(
        "valid_until", DAY, _l("Valid until"), Group.TERMS, limit=limits.DAY, rule="valid_until", clear="valid_until",
        shown_note="End of that day in the agency's zone.", sample="2026-12-31",
    ),
    Field(
        "advance_amount", MONEY, _l("Advance, as an amount"), Group.TERMS, called=_l("Advance"), limit=limits.NUMBER,
        rule="advance", taken_note="This, or `advance_percent`, or neither.",
    ),
    Field(
        "advance_percent", PERCENT, _l("Advance, in percent"), Group.TERMS, called=_l("Advance"),
        heading=_l("Advance, in percent"), compared=None, limit=limits.NUMBER, rule="advance", beside="advance_amount",
        sample="10",
    ),
    Field(
        "conditions", CHOICES, _l("The offer depends on"), Group.TERMS, called=_l("Conditions"),
        choices=LABELS["condition"], most=len(LABELS["condition"]), rule="conditions", inside="conditions",
        key="kinds", width=30, sample=["bank_approval"],
    ),
    Field(
        "conditions_text", TEXT, _l("Other conditions"), Group.TERMS, compared=None, limit=limits.TEXT,
        rule="conditions", inside="conditions", key="text", width=30, rows=3,
    ),
    Field(
        "precontract_date", DAY, _l("Preferred date of the pre-contract"), Group.TERMS, limit=limits.DAY,
        rule="precontract_date",
    ),
    Field(
        "deed_date", DAY, _l("Preferred date of the deed"), Group.TERMS, limit=limits.DAY, rule="deed_date",
        beside="precontract_date",
    ),
    Field(
        "viewing", VIEWING, _l("Have you viewed the property?"), Group.TERMS, called=_l("Viewing of the property"),
        choices={NOT_YET: _l("Not yet"), "yes": _l("Yes, on this day")}, limit=limits.DAY, rule="viewing",
        taken_note="`none`: not yet; or the day, not later than today.", shown_note="`none`: not yet; or the day.",
        sample="2026-11-20",
    ),
    Field(
        "message", TEXT, _l("Message for the agent"), Group.MESSAGE, called=_l("Message"), limit=limits.TEXT,
        rule="message", width=40, sample="Ne place mult apartamentul.",
    ),
    _bidder(
        "full_name", NAME, _l("Full name"), part=Part.ABOUT, compared=None, limit=limits.LINE, least=3, needed=True,
        width=26, sample="Măriuca Țepeș-Ionescu",
    ),
    _bidder(
        "email", EMAIL, _l("E-mail"), part=Part.ABOUT, compared=None, limit=limits.EMAIL, needed=True,
        maybe_unknown=True, width=30,
        shown_note="Null only when an agent recorded the offer of someone who gave none.",
        sample="mariuca@client.example",
    ),
    _bidder(
        "phone", PHONE, _l("Phone"), part=Part.ABOUT, compared=None, limit=limits.PHONE, needed=True, width=16,
        taken_note="As people write it; stored as E.164.", sample="+40712034567",
    ),
    _bidder(
        "type", CHOICE, _l("You buy as"), compared=_l("Buys as"), called=_l("Buying as a company"),
        choices=LABELS["bidder_type"], default="person", rule="type", shown=False, width=0, sample="person",
    ),
    _bidder(
        "company_name", COMPANY, _l("Company name"), called=_l("Company"), compared=None, limit=limits.LINE,
        rule="type", when=_COMPANY, width=24, taken_note="Only of a company, as is `tax_id`; it needs both.",
    ),
    _bidder("tax_id", TAX_ID, _l("Tax id (CUI)"), compared=None, limit=limits.NUMBER, rule="type", when=_COMPANY),
    Field(
        "co_buyers", NAMES, _l("Co-buyers"), Group.BIDDER, hint=_l("One name a line."), most=limits.CO_BUYERS,
        sample=[], limit=limits.TEXT, rule="co_buyers", width=26, rows=2, attributes={"autocomplete": "off"},
    ),
    Field(
        "represented_by", LINE, _l("Represented by"), Group.BIDDER,
        buyer_hint=_l("A broker or another person who speaks for you."), limit=limits.LINE, rule="represented_by",
        width=24, attributes={"autocomplete": "off"},
    ),
    Field(
        "replaces", REFERENCE, _l("Reference of the earlier offer"), Group.OFFER, Part.OFFER,
        called=_l("Replaces the offer"), compared=None, limit=30, width=0,
        taken_note="Reference of this bidder's earlier offer, if it replaces it.",
    ),
)  # fmt: skip
BY_NAME = {field.name: field for field in FIELDS}
AMOUNT, *TERMS, REPLACES = FIELDS
LIMITS = {field.name: field.limit for field in FIELDS if field.limit}
NEEDED = frozenset(field.name for field in FIELDS if field.needed)
# As the form asks for them, from the top of the page to its end.
ON_PAGE = sorted(FIELDS, key=lambda field: (field.part, field.group))
# The rules of a property, each with what it is called and the fields it speaks of.
RULES: dict[str, Any] = {}
for declared in ON_PAGE:
    if declared.rule:
        RULES.setdefault(declared.rule, declared.title)


def nested(values: Mapping[str, Any], fields: Iterable[Field] = FIELDS) -> dict[str, Any]:
    """Values under the fields' names, as the document and the API arrange them."""
    found: dict[str, Any] = {}
    for field in fields:
        *around, last = field.path
        (found.setdefault(around[0], {}) if around else found)[last] = values.get(field.name)
    return found
