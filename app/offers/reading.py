"""From what was typed to a `Draft`: every fault named at once, every doubt asked about, nothing guessed."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from app.core import limits
from app.core.contacts import read_email, read_phone, show_phone
from app.core.days import read_day
from app.core.formats import days, show_money
from app.core.money import CURRENCY_WORDS, Money, OtherCurrency, read_amount
from app.core.questions import Question
from app.core.typed_numbers import read_days, read_percent
from app.core.values import CONTROL
from app.models import Property
from app.offers import fields as kinds
from app.offers.document import Bidder, Draft, Signature
from app.offers.fields import BY_NAME, FIELDS, LIMITS, Field, Kind
from app.offers.tax_ids import read_tax_id
from app.outbound.images import NotAPicture, is_a_dot, read_signature

MAX_TERM_DAYS = 3650
FAR_BELOW, FAR_ABOVE = Decimal("0.1"), Decimal(5)
T = TypeVar("T")


@dataclass(slots=True)
class OfferReader:
    """Reads one form. `values` and `chosen` as typed, `confirmed` the questions answered, `rules` per field."""

    prop: Property
    values: Mapping[str, str]
    chosen: Mapping[str, Collection[str]]
    consent: bool
    confirmed: Collection[str]
    rules: Mapping[str, str]
    at: datetime
    zone: str
    bidder: Bidder | None = None  # of an offer whose bidder is known already, whatever is typed
    errors: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    questions: dict[str, Question] = dataclasses.field(default_factory=dict)
    eased: dict[str, str] = dataclasses.field(default_factory=dict)  # rules that give way to what was typed elsewhere

    def read(self) -> Draft | None:
        """The draft, or None with `errors` and `questions` saying what stands in the way."""
        terms: dict[str, Any] = {}
        self._ease_advance()
        for field in FIELDS:
            known = self.bidder is not None and field.inside == "bidder"
            if known or (field.when and terms[field.when[0]] not in field.when[1]):
                continue
            terms[field.name] = READERS[field.kind](self, field)
        self._make_up(terms)
        self._weigh(terms)
        given = {name: terms.pop(name) for name in list(terms) if BY_NAME[name].inside == "bidder"}
        bidder, signature = self.bidder or Bidder(**given), self._signature()
        if not self.consent:
            self._wrong("consent", _("Tick this box once you have read the privacy notice"))
        return None if self.errors or self.questions else Draft(bidder, terms, signature)

    # --- text ---

    def _rule(self, name: str) -> str:
        return self.eased.get(name) or self.rules[name]

    def _raw(self, name: str) -> str:
        if self._rule(name) == "hidden":
            return ""
        typed = self.values.get(name, "")
        if _UNREADABLE.search(typed):
            self._wrong(name, _("Some characters could not be read; type them again"))
            return ""
        text = unseen_removed(typed).strip()
        if len(text) > (limit := LIMITS.get(name, limits.LINE)):
            self._wrong(name, _("Use at most %(limit)d characters", limit=limit))
            return ""
        return text

    def _text(self, name: str) -> str | None:
        return self._needed(name, self._raw(name))

    def _line(self, name: str) -> str | None:
        return self._needed(name, " ".join(self._raw(name).split()))

    def _needed(self, name: str, text: str) -> str | None:
        if not text and self._rule(name) == "required" and name not in self.errors:
            self._wrong(name, _("Fill this in"))
        return text or None

    def _wrong(self, name: str, message: str) -> None:
        """`message` may be lazy: words cost more than reading, and most of what is typed is right."""
        self.errors.setdefault(name, []).append(str(message))

    def _ask(self, name: str, value: str, text: str, confirm: str, suggestion: str | None = None) -> None:
        key = f"{name}:{value}"
        if key not in self.confirmed:
            self.questions[name] = Question(text, confirm, key, suggestion)

    def _parsed(self, name: str, read: Callable[[str], T], message: str | Callable[[ValueError], str]) -> T | None:
        if not (text := self._line(name)):
            return None
        try:
            return read(text)
        except ValueError as why:
            self._wrong(name, message(why) if callable(message) else message)
            return None

    def _choice(self, name: str, allowed: Collection[str]) -> str | None:
        value = self._line(name)
        if value and value not in allowed:
            self._wrong(name, _("Choose one of the answers"))
            return None
        if not value and name in self.errors and self.errors[name] == [_("Fill this in")]:
            self.errors[name] = [_("Choose one of the answers")]
        return value

    # --- people ---

    def _name(self, field: Field) -> str:
        name = self._line(field.name) or ""
        if name and (len(name) < 2 or not any(c.isalpha() for c in name)):
            self._wrong(field.name, _("Write your name and surname"))
        return name

    def _company(self, field: Field) -> str | None:
        company = self._line(field.name)
        if not company and field.name not in self.errors:
            self._wrong(field.name, _("Write the name of the company"))
        return company

    def _email(self, _one: Field) -> str | None:
        wrong = _l("Write an e-mail address such as nume@exemplu.ro")
        email = self._parsed("email", read_email, wrong)
        if email and email.suggestion:
            question = _("Did you mean %(address)s?", address=email.suggestion)
            keep = _("No, %(address)s is right", address=email.address)
            self._ask("email", email.address, question, keep, email.suggestion)
        elif email and not email.address.rpartition("@")[0].isascii():
            question = _("Many mail servers refuse an address with such letters. Is it right?")
            self._ask("email", email.address, question, _("Yes, %(address)s is right", address=email.address))
        return email.address if email else None

    def _phone(self, _one: Field) -> str:
        wrong = _l("Write a phone number such as 0712 034 567, or one that begins with + and the country")
        behind = _l("Write the number without its extension, and the extension in the message")
        phone = self._parsed("phone", read_phone, lambda why: behind if getattr(why, "extension", False) else wrong)
        if phone and phone.suggestion:
            shown, meant = show_phone(phone.e164), show_phone(phone.suggestion)
            question, keep = _("Did you mean %(phone)s?", phone=meant), _("No, %(phone)s is right", phone=shown)
            self._ask("phone", phone.e164, question, keep, meant)
        elif phone and phone.doubtful:
            shown = show_phone(phone.e164)
            self._ask(
                "phone", phone.e164, _("%(phone)s looks unusual. Is it right?", phone=shown), _("Yes, it is right")
            )
        return phone.e164 if phone else ""

    def _tax_id(self, _one: Field) -> str | None:
        wrong = _l("Use letters and digits only, such as RO12345678")
        other = _l("This is the number of the trade register; write the tax id (CUI), such as RO12345678")
        tax_id = self._parsed("tax_id", read_tax_id, lambda why: other if getattr(why, "register", False) else wrong)
        if not tax_id and "tax_id" not in self.errors:
            self._wrong("tax_id", _("Write the tax id of the company"))
        return tax_id

    def _names(self, field: Field) -> tuple[str, ...]:
        lines = [" ".join(line.split()) for line in (self._text(field.name) or "").splitlines()]
        names = tuple(line for line in lines if line)
        if len(names) > limits.CO_BUYERS:
            self._wrong(field.name, _("Name at most ten co-buyers, one a line"))
        if any(len(name) > limits.LINE for name in names):
            self._wrong(field.name, _("Use at most %(limit)d characters for each name", limit=limits.LINE))
        return names

    # --- money ---

    def _amount(self, name: str, *, ask: bool = False) -> Money | None:
        currency, wrong = self.prop.currency, _l("Write an amount such as 125.000 or 125.000,50")
        reading = self._parsed(
            name,
            partial(read_amount, currency=currency),
            lambda why: foreign(why.said, currency) if isinstance(why, OtherCurrency) else wrong,
        )
        if reading is None:
            return None
        if reading.minor == 0:
            self._wrong(name, _("The amount must be more than zero"))
            return None
        amount = Money(reading.minor, self.prop.currency)
        if reading.doubtful or (ask and self._unlikely(amount)):
            question = _("This reads as %(amount)s. Is that what you mean?", amount=show_money(amount))
            self._ask(name, str(amount.minor), question, _("Yes, %(amount)s", amount=show_money(amount)))
        return amount

    def _unlikely(self, amount: Money) -> bool:
        asking = self.prop.asking_minor
        if not asking:
            return amount.minor < 1_000_00
        return not FAR_BELOW <= Decimal(amount.minor) / asking <= FAR_ABOVE

    def _make_up(self, terms: dict[str, Any]) -> None:
        """Own funds and credit make the amount; the one that was not typed is the rest of it."""
        financing, amount = terms["financing"], terms["amount"]
        own: Any = terms.get("own_funds_amount")
        credit: Any = terms.get("credit_amount")
        faulty = self.errors.keys() & {"amount", "own_funds_amount", "credit_amount"}
        if financing not in {"mixed", "credit"} or not amount or faulty:
            return
        if financing == "mixed" and not own and not credit:
            self._wrong("own_funds_amount", _("Say how much of the amount is own funds and how much is credit"))
        elif bool(own) != bool(credit) and (own or credit) < amount:
            rest = Money(amount.minor - (own or credit).minor, amount.currency)
            terms["own_funds_amount"], terms["credit_amount"] = own, credit = own or rest, credit or rest
        made = sum(part.minor for part in (own, credit) if part)
        if made and made != amount.minor:
            total, whole = show_money(Money(made, amount.currency)), show_money(amount)
            message = _("Own funds and credit make %(total)s, the offer is %(whole)s", total=total, whole=whole)
            self._wrong("credit_amount" if credit else "own_funds_amount", message)

    def _ease_advance(self) -> None:
        """A required advance is one of two fields; with neither, what is said of it stands with the first alone."""
        if self.rules["advance_amount"] != "required":
            return
        pair = ("advance_amount", "advance_percent")
        given = any(self.values.get(name) for name in pair)
        self.eased |= dict.fromkeys(pair, "optional" if given else "hidden")
        if not given:
            self._wrong("advance_amount", _("Write the advance as an amount or in percent"))

    def _weigh(self, terms: dict[str, Any]) -> None:
        """What fields say beside each other."""
        advance, amount = terms["advance_amount"], terms["amount"]
        if advance and terms["advance_percent"]:
            self._wrong("advance_percent", _("Write the advance once: as an amount or in percent"))
        if advance and amount and advance > amount:
            self._wrong("advance_amount", _("The advance is more than the offer"))
        precontract, deed = terms["precontract_date"], terms["deed_date"]
        if precontract and deed and deed < precontract:
            self._wrong("deed_date", _("The deed comes after the pre-contract"))

    def _share(self, field: Field) -> str | None:
        return self._parsed(field.name, _percent, _l("Write a percentage from 0 to 100, such as 10 or 12,5"))

    # --- terms ---

    def _days(self, field: Field) -> int | None:
        wrong = _l("Write a number of days, from 0 to %(most)d", most=MAX_TERM_DAYS)
        term = self._parsed(field.name, lambda text: read_days(text, MAX_TERM_DAYS), wrong)
        if term and term.about:
            shown = days(term.days)
            question = _("This reads as %(days)s. Is that what you mean?", days=shown)
            self._ask(field.name, str(term.days), question, _("Yes, %(days)s", days=shown))
        return term.days if term else None

    def _date(self, field: Field) -> date | None:
        name = field.name
        wrong, none = _l("Write a date such as 2026-12-31 or 31.12.2026"), _l("There is no such day")
        day = self._parsed(name, read_day, lambda why: none if getattr(why, "impossible", False) else wrong)
        today = self.at.astimezone(ZoneInfo(self.zone)).date()
        if day and day < today:
            self._wrong(name, _("This date has passed"))
        if day and day.year > today.year + 10:
            self._wrong(name, _("This date is too far away"))
        return day

    def _viewing(self, field: Field) -> date | str | None:
        wrong, none = _l("Choose “Not yet”, or write the day of the viewing"), _l("There is no such day")
        day = self._parsed(
            field.name,
            lambda text: text if text == kinds.NOT_YET else read_day(text),
            lambda why: none if getattr(why, "impossible", False) else wrong,
        )
        today = self.at.astimezone(ZoneInfo(self.zone)).date()
        if isinstance(day, date) and day > today:
            self._wrong(field.name, _("This day has not come yet"))
        if isinstance(day, date) and day.year < today.year - 10:
            self._wrong(field.name, _("This day is too long ago"))
        return day

    def _ticked(self, field: Field) -> tuple[str, ...]:
        if self._rule(field.name) == "hidden":
            return ()
        ticked = set(self.chosen.get(field.name) or ())
        if ticked - field.choices.keys():
            self._wrong(field.name, _("Choose one of the answers"))
        return tuple(sorted(ticked))

    def _picked(self, field: Field) -> str | None:
        return self._choice(field.name, field.choices) or field.default

    def _yes(self, field: Field) -> bool | None:
        picked = self._picked(field)
        return None if picked is None else picked == "yes"

    def _reference(self, field: Field) -> str | None:
        typed = (self._line(field.name) or "").upper().replace(" ", "")
        if not typed:
            return None
        reference = typed if typed.startswith("BF-") else f"BF-{typed.removeprefix('BF')}"
        if not re.fullmatch(r"BF-[0-9A-Z]{8}", reference):
            self._wrong(field.name, _("A reference looks like BF-7KQ4MXPA"))
        return reference

    # --- signature ---

    def read_signature(self) -> Signature | None:
        """The signature alone, or None with `errors` saying why."""
        return self._signature()

    def _signature(self) -> Signature | None:
        if not self.prop.signature_required:
            return None
        drawn, typed = self.values.get("signature_drawn", ""), self.values.get("signature_typed", "")
        kind = self.values.get("signature_kind") or ("drawn" if drawn else "typed")
        if kind == "drawn" and drawn:
            try:
                image = read_signature(drawn)
                if is_a_dot(image):
                    question = _("Your signature is only a dot. Do you want to sign with it?")
                    self._ask("signature_drawn", hashlib.sha256(image).hexdigest()[:16], question, _("Yes, keep it"))
                return Signature("drawn", image=image)
            except NotAPicture:
                self._wrong(
                    "signature_drawn", _("The drawn signature could not be read; draw it again or type your name")
                )
                return None
        if kind == "typed" and typed.strip():
            self.eased["signature_typed"] = "optional"
            text = self._line("signature_typed")
            return Signature("typed", text=text)
        self._wrong(
            "signature_drawn" if kind == "drawn" else "signature_typed",
            _("Draw your signature, or type your full name"),
        )
        return None


READERS: dict[Kind, Callable[[OfferReader, Field], Any]] = {
    kinds.LINE: lambda reader, field: reader._line(field.name),
    kinds.TEXT: lambda reader, field: reader._text(field.name),
    kinds.NAME: OfferReader._name,
    kinds.EMAIL: OfferReader._email,
    kinds.PHONE: OfferReader._phone,
    kinds.COMPANY: OfferReader._company,
    kinds.TAX_ID: OfferReader._tax_id,
    kinds.NAMES: OfferReader._names,
    kinds.REFERENCE: OfferReader._reference,
    kinds.MONEY: lambda reader, field: reader._amount(field.name, ask=field.needed),
    kinds.PERCENT: OfferReader._share,
    kinds.DAYS: OfferReader._days,
    kinds.DAY: OfferReader._date,
    kinds.VIEWING: OfferReader._viewing,
    kinds.CHOICE: OfferReader._picked,
    kinds.YES: OfferReader._yes,
    kinds.CHOICES: OfferReader._ticked,
}


def foreign(typed: str, currency: str) -> str:
    """What is said to somebody who wrote an amount in another currency than the offer's."""
    names = {"EUR": _("euro"), "RON": _("lei")}
    typed = names.get(CURRENCY_WORDS.get(typed, ""), typed)
    return str(_("You wrote %(said)s; the offer is in %(currency)s", said=typed, currency=names[currency]))


def unseen_removed(text: str) -> str:
    """Text without control and direction characters, its lines ended by `\\n`."""
    return CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


_UNREADABLE = re.compile("[\ufffd\ud800-\udfff]")


def _percent(text: str) -> str:
    return f"{read_percent(text).normalize():f}"
