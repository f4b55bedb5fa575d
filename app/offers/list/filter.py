"""Which offers: one filter for list, counters, export, API and poll, by the names of the contract's `GET /offers`."""

from __future__ import annotations

import operator
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, and_, bindparam, not_, or_, select

from app.core.contacts import NotAContact, read_email
from app.core.days import NotADay, read_day
from app.core.keys import agency_key
from app.core.limits import EMAIL, PROPERTY, REFERENCE, SEARCH
from app.core.local_times import meanings
from app.core.money import Money, NotMoney, OtherCurrency, read_amount
from app.core.numbers import NotANumber, whole
from app.core.planner_hints import Aside
from app.core.typed_numbers import read_days
from app.core.vault import blind
from app.models import CODE, Confirmation, Offer, OfferState, OfferTag, Property, User
from app.models.offer import FINANCING, SOURCES, STATUSES
from app.models.property import CURRENCIES
from app.offers.list.order import DEFAULT_SORT, SORTS, WITHIN_ONE_CURRENCY

MAIN_CURRENCY = "EUR"
Errors = dict[str, list[Any]]
Condition = ColumnElement[bool]


class UnreadableValue(ValueError):
    """A value that means nothing; its text says what would."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment as it was typed, and what it means."""

    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """Every field is optional. `q` and `email` hold personal data: neither is logged, and saved views seal them.

    Amounts are minor units of `currency`; ratios are whole percents of the price asked when the offer was sent. Times
    and ratios are half open: from `…_after` or `ratio_from` on, and before `…_before` or under `ratio_below`.
    """

    q: str | None = field(default=None, repr=False)
    status: str | None = None
    property_id: uuid.UUID | None = None
    property_external_id: str | None = None
    agent: str | None = None
    financing: str | None = None
    currency: str | None = None
    min_amount: int | None = None
    max_amount: int | None = None
    ratio_from: int | None = None
    ratio_below: int | None = None
    submitted_after: Moment | None = None
    submitted_before: Moment | None = None
    updated_since: Moment | None = None
    min_term: int | None = None
    max_term: int | None = None
    source: str | None = None
    signed: bool | None = None
    confirmed: bool | None = None
    latest: bool | None = None
    reference: str | None = None
    email: str | None = field(default=None, repr=False)
    sort: str = DEFAULT_SORT

    def named(self) -> dict[str, str]:
        """The filter as it stands in a URL; what says nothing is left out."""
        given = zip(_NAMES, _VALUES(self), strict=True)
        named = {name: _text(name, value) for name, value in given if value is not None}
        if self.sort == DEFAULT_SORT:
            del named["sort"]
        return named

    def recordable(self) -> dict[str, str]:
        """The same for the ledger, which holds no personal text: of a search only that there was one."""
        return {name: "…" if name in {"q", "email"} else value for name, value in self.named().items()}

    def without(self, *names: str) -> OfferFilter:
        """The filter with some of its fields as if they had never been given."""
        blank = OfferFilter()
        return replace(self, **{name: getattr(blank, name) for name in names})

    @property
    def narrows(self) -> bool:
        """Whether it leaves any offer out."""
        return self.without("sort") != OfferFilter()

    def shape(self) -> Shape | None:
        """Which fields are given; None where a condition is made for one very value, and is built anew each time."""
        given = zip(_NAMES, _VALUES(self), strict=True)
        names = tuple(name for name, value in given if value is not None and name != "sort")
        return None if _MADE_FOR.intersection(names) else Shape(names, self.sort)

    def values(self) -> dict[str, Any]:
        """What a statement of its shape is run with."""
        given = {name: getattr(self, name) for name in _CONDITIONS if getattr(self, name) is not None}
        return {_held(name): value.at if isinstance(value, Moment) else value for name, value in given.items()}

    @property
    def names_few(self) -> bool:
        """Whether it names a property or a person, and so few offers that all can be counted at once."""
        return bool(self.property_id or self.property_external_id or self.reference or self.email)

    def conditions(self, agency_id: Any, *, with_status: bool = True) -> list[Condition]:
        """On `OfferState`; the words of `q` are not among them, see `app.offers.list.search`."""
        names = [name for name in _CONDITIONS if with_status or name != "status"]
        return self._build(_CONDITIONS, names, agency_id)

    def pins(self, agency_id: uuid.UUID) -> list[Condition]:
        """The conditions that leave few offers, whatever the agency has."""
        return self._build(_PINS, list(_PINS), agency_id)

    def _build(self, how: dict[str, Build], names: list[str], agency_id: Any) -> list[Condition]:
        given = [(how[name], getattr(self, name)) for name in names]
        return [build(self, agency_id, value) for build, value in given if value is not None]


_NAMES = tuple(one.name for one in fields(OfferFilter))
_VALUES = operator.attrgetter(*_NAMES)
_MADE_FOR = frozenset({"q", "agent", "confirmed", "reference", "email"})


class Shape(NamedTuple):
    """A filter without its values: statements are built once for each."""

    names: tuple[str, ...]
    sort: str

    @property
    def filter(self) -> OfferFilter:
        """One that holds in place of each value the parameter that `OfferFilter.values` gives."""
        given: dict[str, Any] = {name: bindparam(_held(name)) for name in self.names}
        moments = {name: Moment("", value) for name, value in given.items() if name in _MOMENTS}
        return OfferFilter(**given | moments, sort=self.sort)


_MOMENTS = {"submitted_after", "submitted_before", "updated_since"}


def _held(name: str) -> str:
    return f"filter_{name}"


def _text(name: str, value: Any) -> str:
    if name in {"min_amount", "max_amount"}:
        return Money(value, "").text.removesuffix(".00")
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.text if isinstance(value, Moment) else str(value)


Build = Callable[[OfferFilter, uuid.UUID, Any], Condition]

# --- from a filter to conditions ----------------------------------------------------------------------------------


def _of_property(*conditions: Condition) -> Condition:
    return OfferState.property_id.in_(select(Property.id).where(*conditions))


def _agent(_chosen: OfferFilter, agency_id: uuid.UUID, agent: str) -> Condition:
    try:
        return _of_property(Property.agency_id == agency_id, Property.agent_id == uuid.UUID(agent))
    except ValueError:
        named = select(User.id).where(User.agency_id == agency_id, User.email == agent)
        return _of_property(Property.agency_id == agency_id, Property.agent_id.in_(named))


def tagged(agency_id: uuid.UUID, kind: str, value: str) -> Condition:
    """Offers by exactly this `email` (as `contacts.folded`) or `phone` (E.164), found by blind index."""
    tag = blind(agency_key(agency_id, f"blind_{kind}"), value)
    tagged = select(OfferTag.offer_id).where(
        OfferTag.agency_id == agency_id, OfferTag.field == kind, OfferTag.tag == tag
    )
    return OfferState.offer_id.in_(tagged)


def referenced(agency_id: uuid.UUID, reference: str) -> Condition:
    referenced = select(Offer.id).where(Offer.agency_id == agency_id, Offer.reference == reference)
    return OfferState.offer_id.in_(referenced)


def _against_asking(agency_id: uuid.UUID, percent: int, compare: Callable[[Any, Any], Any]) -> Condition:
    """Exactly, in whole numbers; offers for which no price was asked are in no band."""
    limits = compare(Offer.amount_minor * 100, Offer.asking_minor * percent)
    return OfferState.offer_id.in_(select(Offer.id).where(Offer.agency_id == agency_id, limits))


def _confirmed(value: bool) -> Condition:
    """Sent by the bidder or confirmed by them with a code; or not."""
    confirmation = select(Confirmation.offer_id).where(Confirmation.offer_id == OfferState.offer_id)
    coded = confirmation.where(Confirmation.proof == CODE).exists()
    by_link = confirmation.where(Confirmation.proof != CODE).exists()
    theirs = or_(and_(OfferState.source == "link", ~by_link), coded)
    return theirs if value else not_(theirs)


def _equal(name: str) -> Build:
    column = getattr(OfferState, name)
    return lambda _chosen, _agency, value: column == value


def _amount(chosen: OfferFilter, limits: Condition) -> Condition:
    """By amount only a list that is sorted by amount is read; any other would fetch every row of the range first."""
    return limits if chosen.sort in WITHIN_ONE_CURRENCY else Aside(limits)


def _term(chosen: OfferFilter, limits: Condition) -> Condition:
    return limits if chosen.sort.removeprefix("-") == "payment_term_days" else Aside(limits)


_CONDITIONS: dict[str, Build] = {
    **{name: _equal(name) for name in ("status", "property_id", "financing", "currency", "source", "signed", "latest")},
    "confirmed": lambda _f, _agency, value: _confirmed(value),
    "property_external_id": lambda _f, agency, value: _of_property(
        Property.agency_id == agency, Property.external_id == value
    ),
    "agent": _agent,
    "min_amount": lambda f, _agency, value: _amount(f, OfferState.amount_minor >= value),
    "max_amount": lambda f, _agency, value: _amount(f, OfferState.amount_minor <= value),
    "ratio_from": lambda _f, agency, value: _against_asking(agency, value, operator.ge),
    "ratio_below": lambda _f, agency, value: _against_asking(agency, value, operator.lt),
    "submitted_after": lambda _f, _agency, value: OfferState.submitted_at >= value.at,
    "submitted_before": lambda _f, _agency, value: OfferState.submitted_at < value.at,
    "updated_since": lambda _f, _agency, value: OfferState.updated_at >= value.at,
    "min_term": lambda f, _agency, value: _term(f, OfferState.term_days >= value),
    "max_term": lambda f, _agency, value: _term(f, OfferState.term_days <= value),
}
_PINS: dict[str, Build] = {
    "reference": lambda _f, agency, value: referenced(agency, value),
    "email": lambda _f, agency, value: tagged(agency, "email", value),
}


# --- from an address to a filter ----------------------------------------------------------------------------------


def read_filter(
    given: Mapping[str, str], zone: str, *, default_currency: str | None = None
) -> tuple[OfferFilter, Errors]:
    """The filter that the fields of a query string say, and what is wrong with those that say nothing, by name.

    A wrong value is left out of the filter: whoever must not answer for more than was asked refuses when there are
    errors. Days and times without an offset are in `zone`. `default_currency` is taken where amounts are compared and
    none is named; without it that is an error.
    """
    read: dict[str, Any] = {}
    errors: Errors = {}
    reading = _Reading(ZoneInfo(zone), set())
    for name in _NAMES:
        text = " ".join(given.get(name, "").replace("\0", " ").split())
        if not text:
            continue
        try:
            read[name] = getattr(reading, name)(text)
        except UnreadableValue as error:
            errors[name] = [error.args[0]]
    _check_order(read, errors)
    _check_currency(read, errors, reading.typed_in)
    chosen = OfferFilter(**read)
    compares = chosen.min_amount is not None or chosen.max_amount is not None or chosen.sort in WITHIN_ONE_CURRENCY
    if compares and chosen.currency is None:
        if default_currency is None and "currency" not in errors:
            errors["currency"] = [_l("Say in which currency the amounts are compared: EUR or RON")]
        chosen = replace(chosen, currency=default_currency)
    return chosen, errors


def _check_currency(read: dict[str, Any], errors: Errors, typed_in: set[str]) -> None:
    """A currency that was typed with an amount is the one to compare in, unless another was said."""
    said = typed_in | ({read["currency"]} if "currency" in read else set())
    if len(said) > 1:
        for name in {"min_amount", "max_amount"} & read.keys():
            errors[name] = [_l("You wrote one currency here and chose another")]
            del read[name]
    elif typed_in and "currency" not in errors:
        read["currency"] = typed_in.pop()


def _check_order(read: dict[str, Any], errors: Errors) -> None:
    """What ends before it begins is said, not answered with an empty list."""
    limits = (("min_amount", "max_amount"), ("min_term", "max_term"), ("ratio_from", "ratio_below"))
    for low, high in limits:
        if low in read and high in read and read[low] > read[high]:
            errors[high] = [_l("This is less than the lower limit")]
            del read[high]
    first, last = read.get("submitted_after"), read.get("submitted_before")
    if first and last and first.at >= last.at:
        errors["submitted_before"] = [_l("This is before the first day")]
        del read["submitted_before"]


@dataclass(frozen=True, slots=True)
class _Reading:
    """How each field is read; the methods bear the fields' names and raise `UnreadableValue`."""

    zone: ZoneInfo
    typed_in: set[str]

    def q(self, text: str) -> str:
        if len(text) > SEARCH:
            raise UnreadableValue(_l("Use at most %(limit)d characters", limit=SEARCH))
        return text

    def status(self, text: str) -> str:
        return _one_of(text, STATUSES)

    def financing(self, text: str) -> str:
        return _one_of(text, FINANCING)

    def source(self, text: str) -> str:
        return _one_of(text, SOURCES)

    def currency(self, text: str) -> str:
        return _one_of(text.upper(), CURRENCIES)

    def sort(self, text: str) -> str:
        return _one_of(text, (*SORTS, *(f"-{name}" for name in SORTS)))

    def property_id(self, text: str) -> uuid.UUID:
        try:
            return uuid.UUID(text)
        except ValueError:
            raise UnreadableValue(_l("No property has this id")) from None

    def property_external_id(self, text: str) -> str:
        if len(text) > PROPERTY["external_id"]:
            raise UnreadableValue(_l("No property has this id"))
        return text

    def agent(self, text: str) -> str:
        """An id, or the e-mail with which they sign in."""
        if len(text) > EMAIL:
            raise UnreadableValue(_l("Use at most %(limit)d characters", limit=EMAIL))
        return text.lower()

    def min_amount(self, text: str) -> int:
        try:
            reading = read_amount(text)
        except OtherCurrency:
            raise UnreadableValue(_l("Amounts are in EUR or RON")) from None
        except NotMoney:
            raise UnreadableValue(_l("Write an amount such as 125000")) from None
        if reading.currency:
            self.typed_in.add(reading.currency)
        if reading.doubtful:
            raise UnreadableValue(_l("This can be read in two ways: write the amount without separators"))
        return reading.minor

    max_amount = min_amount

    def min_term(self, text: str) -> int:
        try:
            return read_days(text, 99_999).days
        except NotANumber:
            raise UnreadableValue(_l("Write a whole number of days")) from None

    max_term = min_term

    def ratio_from(self, text: str) -> int:
        try:
            return whole(text, 0, 9_999)
        except NotANumber:
            raise UnreadableValue(_l("Write a whole number of percents")) from None

    ratio_below = ratio_from

    def submitted_after(self, text: str) -> Moment:
        return self._moment(text, timedelta(0))

    updated_since = submitted_after

    def submitted_before(self, text: str) -> Moment:
        """A day counts whole: before the next one begins."""
        return self._moment(text, timedelta(days=1))

    def _moment(self, text: str, after_day: timedelta) -> Moment:
        try:
            text = _day_of(text)
            if len(text) == len("2026-11-23"):
                day = date.fromisoformat(text) + after_day
                return Moment(text, datetime.combine(day, time(), self.zone).astimezone(UTC))
            # A plus sign that nobody escaped arrives as a space.
            at = datetime.fromisoformat(text.replace(" ", "+"))
            return Moment(text.replace(" ", "+"), at.astimezone(UTC) if at.tzinfo else self._local(at))
        except (ValueError, OverflowError):
            raise UnreadableValue(_l("Write a day such as 2026-11-23, or a time as in RFC 3339")) from None

    def _local(self, at: datetime) -> datetime:
        if len(found := meanings(at, self.zone)) != 1:
            raise UnreadableValue(
                _l("The clocks change that night: write the time with its offset, such as 2026-10-25T03:30:00+03:00")
            )
        return found[0]

    def signed(self, text: str) -> bool:
        if (value := _YES_NO.get(text.lower())) is None:
            raise UnreadableValue(_l("Write true or false"))
        return value

    confirmed = latest = signed

    def reference(self, text: str) -> str:
        plain = text.upper().replace(" ", "")
        named = plain if plain.startswith("BF-") else f"BF-{plain}"
        if len(named) > REFERENCE:
            raise UnreadableValue(_l("A reference looks like BF-7KQ4MXPA"))
        return named

    def email(self, text: str) -> str:
        try:
            return read_email(text).folded
        except NotAContact:
            raise UnreadableValue(_l("Write the whole e-mail address: parts of it are not searched")) from None


_YES_NO = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


def _day_of(text: str) -> str:
    """A day that a person wrote (`5.12.2026`, `5 dec. 2026`) in the spelling of RFC 3339; all else as it is."""
    try:
        return read_day(text).isoformat()
    except NotADay as why:
        if why.impossible:
            raise ValueError(text) from None
        return text


def _one_of(text: str, allowed: tuple[str, ...]) -> str:
    if text not in allowed:
        raise UnreadableValue(_l("Choose one of: %(values)s", values=", ".join(allowed)))
    return text
