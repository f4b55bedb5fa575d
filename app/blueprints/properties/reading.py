"""From what was typed about a property to its columns: every fault named at once, every doubt asked about."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from flask_babel import format_decimal
from flask_babel import gettext as _

from app.blueprints.properties.forms import RULES
from app.core import limits, local_times
from app.core.clock import now
from app.core.formats import show_money
from app.core.money import CURRENCY_WORDS, Money, NotMoney, OtherCurrency, read_amount
from app.core.numbers import NotANumber
from app.core.questions import Question
from app.core.typed_numbers import read_quantity, tidy
from app.core.values import NAMED, made_text
from app.feeds.rows import NOT_PATH
from app.models.property import AVAILABILITY, CURRENCIES, PRICE_VAT, PROPERTY_TYPES
from app.offers.fields import RULES as RULED
from app.properties.editing import BACKDATED
from app.properties.plausible import MOST, SIZES, UNITS, is_usual

TEXTS = (
    "title", "title_en", "description", "description_en", "external_id", "address", "zone", "city", "county",
    "buyer_commission",
)  # fmt: skip
LONG = {"description", "description_en"}
OFFERING = ("accepts_offers", "signature_required", "code_required")
FLAGS = ("show_exact_address", *OFFERING)


@dataclass(slots=True)
class PropertyReader:
    """Reads one form. `values` as typed; `present` what the property holds now; `agents` who may be responsible."""

    values: Mapping[str, str]
    confirmed: Collection[str]
    zone: str
    agents: Collection[uuid.UUID]
    present: Mapping[str, Any]
    errors: dict[str, list[str]] = field(default_factory=dict)
    questions: dict[str, Question] = field(default_factory=dict)

    def read(self) -> dict[str, Any] | None:
        """The columns, or None with `errors` and `questions` saying what stands in the way."""
        columns: dict[str, Any] = {name: self._text(name) for name in TEXTS}
        if not columns["title"] and "title" not in self.errors:
            self._wrong("title", _("Give the property a title"))
        external_id = columns["external_id"]
        if external_id not in {None, self.present.get("external_id")} and not re.fullmatch(NAMED, external_id):
            self._wrong("external_id", _(NOT_PATH))
        columns |= {name: bool(self.values.get(name)) for name in FLAGS}
        columns["property_type"] = self._choice("property_type", PROPERTY_TYPES)
        if "availability" in self.values:
            columns["availability"] = self._choice("availability", AVAILABILITY)
        columns |= {name: self._size(name, columns["property_type"] or "other") for name in SIZES}
        columns["currency"] = self._choice("currency", CURRENCIES)
        columns["price_vat"] = self._choice("price_vat", PRICE_VAT) if self.values.get("price_vat") else None
        columns["asking_minor"] = self._price(columns["currency"] or "EUR")
        columns["field_rules"] = self._rules()
        columns |= self._window()
        if agent_id := self._agent():
            columns["agent_id"] = agent_id
        return None if self.errors or self.questions else columns

    def read_offering(self) -> dict[str, Any] | None:
        """The columns of the link alone; or None with `errors` and `questions`."""
        columns: dict[str, Any] = {name: bool(self.values.get(name)) for name in OFFERING}
        columns |= self._window()
        return None if self.errors or self.questions else columns

    def _wrong(self, name: str, message: str) -> None:
        self.errors.setdefault(name, []).append(message)

    def _typed(self, name: str) -> str:
        text = self.values.get(name, "").replace("\r\n", "\n").replace("\r", "\n")
        return made_text(text.replace("\ufffd", "")).strip()

    def _text(self, name: str) -> str | None:
        text = self._typed(name)
        if name not in LONG:
            text = " ".join(text.split())
        return self._within(name, text) or None

    def _within(self, name: str, text: str) -> str:
        """The text, or nothing where it is too long."""
        if len(text) <= (limit := limits.PROPERTY[name]):
            return text
        self._wrong(name, _("Use at most %(limit)d characters", limit=limit))
        return ""

    def _size(self, name: str, property_type: str) -> float | None:
        text = self._within(name, " ".join(self._typed(name).split()))
        if not text:
            return None
        try:
            typed = read_quantity(text, UNITS[name])
            other = typed.other
            size = tidy(other if other is not None and typed.value > MOST[name] else typed.value)
        except NotANumber:
            size = 0
        if not 0.01 <= size <= MOST[name]:
            most = format_decimal(MOST[name])
            self._wrong(name, _("Write a number with two decimals at most, up to %(most)s", most=most))
            return None
        if typed.other is not None or typed.odd or not is_usual(name, size, property_type):
            self._ask_size(name, size)
        return size

    def _ask_size(self, name: str, size: float) -> None:
        key = f"{name}:{size}"
        if key in self.confirmed or size == self.present.get(name):
            return
        shown = format_decimal(size) + ("" if name == "rooms" else " m²")
        text = _("This reads as %(size)s. Is that what you mean?", size=shown)
        self.questions[name] = Question(text, _("Yes, %(amount)s", amount=shown), key)

    def _choice(self, name: str, allowed: Collection[str]) -> str | None:
        value = self.values.get(name, "")
        if value not in allowed:
            self._wrong(name, _("Choose one of the answers"))
            return None
        return value

    def _price(self, currency: str) -> int | None:
        typed = self._within("asking_price", " ".join(self._typed("asking_price").split()))
        if not typed:
            return None
        try:
            reading = read_amount(typed, currency)
        except OtherCurrency as other:
            word = CURRENCY_WORDS.get(other.said, other.said)
            self._wrong(
                "asking_price", _("You wrote %(said)s; the price is in %(currency)s", said=word, currency=currency)
            )
            return None
        except NotMoney:
            self._wrong("asking_price", _("Write an amount such as 125.000 or 125.000,50"))
            return None
        if not reading.minor:
            self._wrong("asking_price", _("The amount must be more than zero"))
            return None
        shown = show_money(Money(reading.minor, currency))
        key = f"asking_price:{reading.minor}"
        if reading.doubtful and key not in self.confirmed and reading.minor != self.present.get("asking_minor"):
            text = _("This reads as %(amount)s. Is that what you mean?", amount=shown)
            self.questions["asking_price"] = Question(text, _("Yes, %(amount)s", amount=shown), key)
        return reading.minor

    def _rules(self) -> dict[str, str]:
        rules = {name: self.values.get(f"rule_{name}", "optional") for name in RULED}
        for name, rule in rules.items():
            if rule not in RULES:
                self._wrong(f"rule_{name}", _("Choose one of the answers"))
        return {name: rule for name, rule in rules.items() if rule != "optional"}

    def _agent(self) -> uuid.UUID | None:
        chosen = self.values.get("agent_id")
        if not chosen:
            return None
        found = next((agent_id for agent_id in self.agents if str(agent_id) == chosen), None)
        if found is None:
            self._wrong("agent_id", _("Choose one of the answers"))
        return found

    def _window(self) -> dict[str, datetime | None]:
        opens, closes = self._moment("offers_open_at"), self._moment("offers_close_at")
        if closes and closes <= now() and closes != self.present.get("offers_close_at"):
            self._wrong("offers_close_at", _("This time has passed"))
        if opens and opens < now() - BACKDATED and opens != self.present.get("offers_open_at"):
            self._wrong("offers_open_at", _("This time has passed"))
        if opens and closes and closes <= opens:
            self._wrong("offers_close_at", _("The end comes after the beginning"))
        return {"offers_open_at": opens, "offers_close_at": closes}

    def _moment(self, name: str) -> datetime | None:
        """A local time of the agency, as UTC. Only old browsers may leave out the time of day."""
        if not (text := self._typed(name)):
            return None
        value = self.present.get(name)
        try:
            found = local_times.read(name, text, self.zone, self.confirmed, value)
            if found != value and not now().year - 1 <= local_times.naive(text).year <= now().year + 10:
                raise local_times.NotATime(text)
        except local_times.NotATime:
            self._wrong(name, _("Write a date and time such as 2026-12-31 18:00"))
            return None
        if isinstance(found, Question):
            self.questions[name] = found
            return None
        return found
