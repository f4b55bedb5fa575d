"""Figures over the offers of a filter, for the page and the API: counts, amounts per currency, times to answers.

What is counted is what the list shows under the same filter: both are built from `OfferFilter`.
"""

from __future__ import annotations

import uuid
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from sqlalchemy import select

from app.core.access import Asker, offers_of
from app.core.clock import now
from app.extensions import db
from app.models import Offer, OfferState, Property, User
from app.offers.list.filter import Errors, Moment, OfferFilter, read_filter
from app.stats.tally import BANDS, Unit, band, median, periods, unit_for

FIELDS = {"from": "submitted_after", "to": "submitted_before", "property_id": "property_id", "agent": "agent"}
EARLIEST, LATEST = date(2000, 1, 1), date(2200, 1, 1)  # beyond, days have no neighbours in every zone and unit
ROWS = 2000
Key = TypeVar("Key", bound=Hashable)


class CountedOffer(NamedTuple):
    """What is counted of one offer. Amounts are minor units."""

    property_id: uuid.UUID
    status: str
    financing: str
    currency: str
    amount: int
    asking: int | None
    submitted_at: datetime
    viewed_at: datetime | None
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Summary:
    """Some offers in figures. `viewed` and `decided` say over how many the medians, in seconds, are taken."""

    count: int
    statuses: Counter[str]
    financing: Counter[str]
    viewed: int
    seconds_to_view: int | None
    decided: int
    seconds_to_decision: int | None


@dataclass(frozen=True, slots=True)
class Amounts:
    """Amounts in one currency, minor units; `ratio` is the median share of the asking price, in ten-thousandths.

    `bands` counts by `app.stats.tally.BANDS`, leaving out the `unpriced` ones, whose property asked no price.
    """

    currency: str
    count: int
    best: int
    median: int
    ratio: int | None
    bands: list[int]
    unpriced: int


@dataclass(frozen=True, slots=True)
class OfProperty:
    """One property's offers in one currency."""

    id: uuid.UUID
    external_id: str | None
    title: str
    summary: Summary
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class OfAgent:
    """The offers for the properties that one agent is responsible for now."""

    id: uuid.UUID
    name: str
    email: str
    summary: Summary


@dataclass(frozen=True, slots=True)
class Period:
    """From the first day to the last, both included."""

    first: date
    last: date
    count: int


@dataclass(frozen=True, slots=True)
class Stats:
    chosen: OfferFilter
    summary: Summary
    unit: Unit
    periods: list[Period]
    currencies: list[Amounts]
    properties: list[OfProperty]
    agents: list[OfAgent]


def read_stats_filter(given: Mapping[str, str], zone: str) -> tuple[OfferFilter, Errors]:
    """The filter that `from`, `to` (days of the zone), `property_id` and `agent` say, and what could not be read."""
    asked = {FIELDS[name]: given.get(name, "") for name in FIELDS}
    errors: Errors = {}
    for name in ("from", "to"):
        text = given.get(name, "").strip()
        if text and not _is_day(text):
            asked[FIELDS[name]] = ""
            errors[name] = [_l("Write a day such as 2026-11-23")]
    chosen, wrong = read_filter(asked, zone)
    names = {field: name for name, field in FIELDS.items()}
    return chosen, {**errors, **{names[field]: texts for field, texts in wrong.items()}}


def stats_filter(
    zone: str, *, first: date | None, last: date | None, property_id: uuid.UUID | None, agent: str | None
) -> tuple[OfferFilter, Errors]:
    """The same from values that have been read already."""
    given = {"from": first, "to": last, "property_id": property_id, "agent": agent}
    return read_stats_filter({name: str(value) for name, value in given.items() if value is not None}, zone)


def _is_day(text: str) -> bool:
    try:
        return len(text) == len("2026-11-23") and bool(date.fromisoformat(text))
    except ValueError:
        return False


def count_up(by: Asker, chosen: OfferFilter, zone: str) -> Stats:
    """Everything that is told about the offers of a filter, of those that whoever asks may see. Two queries."""
    rows = _rows(by, chosen)
    unit, told = _told(rows, chosen, ZoneInfo(zone))
    named = _names(by, {row.property_id for row in rows})
    of_properties = _grouped(rows, lambda row: (row.property_id, row.currency))
    of_agents = _grouped(rows, lambda row: named[row.property_id].agent_id)
    people = {row.agent_id: row for row in named.values()}
    return Stats(
        chosen,
        summarise(rows),
        unit,
        told,
        [amounts(currency, some) for currency, some in sorted(_grouped(rows, lambda row: row.currency).items())],
        sorted(
            (_of_property(named[key[0]], key[1], some) for key, some in of_properties.items()),
            key=lambda row: (-row.summary.count, row.title, row.id),
        ),
        sorted(
            (OfAgent(key, people[key].full_name, people[key].email, summarise(s)) for key, s in of_agents.items()),
            key=lambda row: (-row.summary.count, row.name, row.id),
        ),
    )


def _rows(by: Asker, chosen: OfferFilter) -> list[CountedOffer]:
    state = OfferState
    query = (
        select(
            state.property_id, state.status, state.financing, state.currency, state.amount_minor, Offer.asking_minor,
            state.submitted_at, state.viewed_at, state.decided_at,
        )
        .join(Offer, Offer.id == state.offer_id)
        .where(offers_of(by), *chosen.conditions(by.agency_id))
    )  # fmt: skip
    found = db.session.execute(query.execution_options(yield_per=ROWS))
    return [CountedOffer(*row) for row in found]


def _names(by: Asker, ids: set[uuid.UUID]) -> dict[uuid.UUID, Any]:
    """Titles and people of these properties, read whole: an agency's properties are few beside its offers."""
    query = (
        select(Property.id, Property.external_id, Property.title, Property.agent_id, User.full_name, User.email)
        .join(User, User.id == Property.agent_id)
        .where(Property.agency_id == by.agency_id)
    )
    return {row.id: row for row in db.session.execute(query) if row.id in ids}


def _grouped(rows: Iterable[CountedOffer], key: Callable[[CountedOffer], Key]) -> dict[Key, list[CountedOffer]]:
    found: dict[Key, list[CountedOffer]] = defaultdict(list)
    for row in rows:
        found[key(row)].append(row)
    return found


def _of_property(named: Any, currency: str, rows: Sequence[CountedOffer]) -> OfProperty:
    return OfProperty(named.id, named.external_id, named.title, summarise(rows), amounts(currency, rows))


def summarise(rows: Sequence[CountedOffer]) -> Summary:
    viewed = [_seconds(row.submitted_at, row.viewed_at) for row in rows if row.viewed_at]
    decided = [_seconds(row.submitted_at, row.decided_at) for row in rows if row.decided_at]
    return Summary(
        len(rows),
        Counter(row.status for row in rows),
        Counter(row.financing for row in rows),
        len(viewed),
        median(viewed),
        len(decided),
        median(decided),
    )


def _seconds(first: datetime, then: datetime) -> int:
    return max(int((then - first).total_seconds()), 0)


def amounts(currency: str, rows: Sequence[CountedOffer]) -> Amounts:
    """Of one or more offers, all in this currency."""
    priced = [(row.amount, row.asking) for row in rows if row.asking]
    per_band = Counter(band(amount, asking) for amount, asking in priced)
    ratio = median(amount * 10_000 // asking for amount, asking in priced)
    middle = median(row.amount for row in rows) or 0
    best = max(row.amount for row in rows)
    bands = [per_band[n] for n in range(len(BANDS))]
    return Amounts(currency, len(rows), best, middle, ratio, bands, len(rows) - len(priced))


# --- over time ----------------------------------------------------------------------------------------------------


def _told(rows: Sequence[CountedOffer], chosen: OfferFilter, zone: ZoneInfo) -> tuple[Unit, list[Period]]:
    """How many came in each stretch of the time asked about, days as the agency's zone has them."""
    first, last = _span(rows, chosen, zone)
    unit = unit_for(first, last)
    cuts = periods(first, last, unit)
    starts = [datetime.combine(begin, time(), zone).astimezone(UTC) for begin, _end in cuts]
    per_period = Counter(bisect_right(starts, row.submitted_at) - 1 for row in rows)
    return unit, [Period(begin, end, per_period[n]) for n, (begin, end) in enumerate(cuts)]


def _span(rows: Sequence[CountedOffer], chosen: OfferFilter, zone: ZoneInfo) -> tuple[date, date]:
    """The days asked about; where they are left open, from the first offer to today."""
    today = now().astimezone(zone).date()
    came = [moment.astimezone(zone).date() for moment in _ends(rows)]
    asked_first, asked_last = _day(chosen.submitted_after), _day(chosen.submitted_before)
    first = asked_first if asked_first and asked_first >= EARLIEST else (came[0] if came else asked_last or today)
    last = min(asked_last or date.max, max([today, first, *came]))
    last = min(max(last, EARLIEST), LATEST)
    return min(max(first, EARLIEST), last), last


def _ends(rows: Sequence[CountedOffer]) -> list[datetime]:
    moments = [row.submitted_at for row in rows]
    return [min(moments), max(moments)] if moments else []


def _day(moment: Moment | None) -> date | None:
    return date.fromisoformat(moment.text) if moment else None


def within(chosen: OfferFilter, period: Period, zone: str) -> OfferFilter:
    """The filter for the offers of one period."""
    days = {"submitted_after": period.first.isoformat(), "submitted_before": period.last.isoformat()}
    return read_filter({**chosen.named(), **days}, zone)[0]
