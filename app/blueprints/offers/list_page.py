"""What surrounds the rows of the list: tabs with counters, filters, choices, column heads that sort."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

from flask import request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from app.blueprints.offers.rows import shown_rows
from app.core.access import Person
from app.core.formats import COUNTED, Choices, days, show_date, show_money
from app.core.labels import filter_label, label
from app.core.language import LANGUAGES, language
from app.core.money import Money
from app.models import Offer
from app.models.offer import FINANCING, SOURCES, STATUSES
from app.models.property import CURRENCIES
from app.offers.choosing import MOST
from app.offers.exports.writing import PURPOSES
from app.offers.list.filter import MAIN_CURRENCY, Errors, Moment, OfferFilter, read_filter
from app.offers.list.order import DEFAULT_SORT, WITHIN_ONE_CURRENCY
from app.offers.list.pages import OfferListPage, standing
from app.offers.view_reading import views_of
from app.properties.listing import agent_choices, property_choices, property_title
from app.web.paths import path_to, query_of, with_query

# Where each letter would otherwise be a page of its own to go back through.
TYPED = {"q", "min_amount", "max_amount", "min_term", "max_term"}
ORDERS = {
    "-submitted_at": _l("Newest first"),
    "submitted_at": _l("Oldest first"),
    "-amount": _l("Highest amount first"),
    "amount": _l("Lowest amount first"),
    "payment_term_days": _l("Shortest payment term first"),
    "-payment_term_days": _l("Longest payment term first"),
    "financing": _l("By financing"),
    "valid_until": _l("Soonest to expire first"),
    "status": _l("By status"),
    "property": _l("By property"),
    "-updated_at": _l("Last changed first"),
}
# Columns of the table, by what sorts them, and which way they run first.
HEADS = {"property": "", "amount": "-", "financing": "", "status": "", "submitted_at": "-"}


@dataclass(frozen=True, slots=True)
class Tab:
    """One status as a link, with how many it shows."""

    text: str
    count: int
    url: str
    current: bool


@dataclass(frozen=True, slots=True)
class Chip:
    """One thing that is filtered by, and the way to the list without it."""

    name: str
    label: str
    value: str
    url: str


@dataclass(frozen=True, slots=True)
class ColumnHead:
    """A column's head: where it leads, and `ascending` or `descending` while it sorts."""

    url: str
    sorted: str


def address(chosen: OfferFilter, **place: object) -> str:
    """The list's address with this filter, at `after` or `before`."""
    values = {**chosen.named(), **{name: str(value) for name, value in place.items() if value}}
    return with_query(path_to("offers.index"), query_of(values))


def read_address(by: Person, args: Mapping[str, str]) -> tuple[OfferFilter, Errors]:
    """The filter of a query string; amounts are in euros unless it says otherwise."""
    return read_filter(args, by.agency.zone, default_currency=MAIN_CURRENCY)


def offer_address(offer_id: uuid.UUID) -> str:
    """An offer's address that keeps the list it was opened from, as this request names it."""
    return url_for("offers.show", offer_id=offer_id, **given())


def given() -> dict[str, Any]:
    """What the address says, without what it leaves empty, and without what would steer `url_for`."""
    steering = {"endpoint", "offer_id"}
    return {
        name: value
        for name, value in request.args.items()
        if value and name not in steering and not name.startswith("_")
    }


def around(by: Person, offer: Offer) -> dict[str, Any]:
    """The way from an offer back to the list it was opened from, and to the offers before and after it there."""
    chosen, _errors = read_address(by, request.args)
    named: dict[str, Any] = chosen.named()
    there = standing(by, chosen, offer)
    before, after = (
        url_for("offers.show", offer_id=beside, **named) if beside else None for beside in (there.before, there.after)
    )
    return {
        "named": named,
        "most": MOST,
        "here": url_for("offers.show", offer_id=offer.id, **named),
        "list_url": address(chosen),
        "before_url": before,
        "after_url": after,
        "in_reserve": there.in_reserve,
    }


def results(by: Person, chosen: OfferFilter, shown: OfferListPage, errors: Errors, today: date) -> dict[str, Any]:
    """What changes whenever the filter does."""
    named = chosen.named()
    return {
        "chosen": chosen,
        "shown": shown,
        "rows": shown_rows(shown.lines, by=by, today=today, named=named),
        "errors": errors,
        "purposes": PURPOSES,
        "most": MOST,
        "named": named,
        "views": views_of(by),
        "tabs": _tabs(chosen, named, shown.counts),
        "chips": _chips(by, chosen),
        "heads": _heads(chosen, named),
        "newer_url": address(chosen, before=shown.newer) if shown.newer else None,
        "older_url": address(chosen, after=shown.older) if shown.older else None,
        "total": shown.counts[chosen.status or ""],
        "said": said,
        **news(chosen, by.agency.event_seq, by.agency.event_seq, 0),
    }


def news(chosen: OfferFilter, seen: int, at: int, new: int) -> dict[str, Any]:
    """The bar of what came in after event number `seen`, as known `at` a later one: how many, where to, when to ask."""
    query = query_of(_less(chosen.named(), "sort"))
    return {
        "new": new,
        "news_url": with_query(path_to("offers.news"), query, f"seen={seen}&at={at}"),
        "fresh_url": with_query(path_to("offers.index"), query),
    }


def choices(by: Person, chosen: OfferFilter) -> dict[str, Any]:
    """What the filter's form offers. What is chosen is always among it, or the next filter would drop it."""
    same, known = _same_choices(language()), chosen.sort in ORDERS
    return {
        "properties": property_choices(by, chosen.property_id),
        "agents": agent_choices(by, chosen.agent) if by.reads_all else [],
        "orders": same.orders if known else [*same.orders, (chosen.sort, _order_name(chosen.sort))],
        "usual_order": same.usual_order,
        "sources": same.sources,
        "financing": same.financing,
        "yes_no": same.yes_no,
        "currencies": CURRENCIES,
        "default_sort": DEFAULT_SORT,
    }


class _SameChoices(NamedTuple):
    """What tabs and filter offer to everybody who reads them in one language."""

    every: str
    statuses: Choices
    orders: Choices
    usual_order: str
    sources: Choices
    financing: Choices
    yes_no: Choices


@lru_cache(maxsize=len(LANGUAGES))
def _same_choices(_language: str) -> _SameChoices:
    """Asked for in that language, which is the reader's."""
    named = {sort: str(text) for sort, text in ORDERS.items()}
    usual = named.pop(DEFAULT_SORT)
    return _SameChoices(
        str(_("All")),
        Choices((value, label("status", value)) for value in STATUSES),
        Choices(named.items()),
        usual,
        Choices((value, label("source", value)) for value in SOURCES),
        Choices((value, label("financing_short", value)) for value in FINANCING),
        Choices((("true", str(_("Yes"))), ("false", str(_("No"))))),
    )


def _order_name(sort: str) -> str:
    if sort in ORDERS:
        return str(ORDERS[sort])
    turned = ORDERS.get(sort.removeprefix("-") if sort.startswith("-") else f"-{sort}")
    return str(_("%(order)s, the other way round", order=turned) if turned else _("In another order"))


def _tabs(chosen: OfferFilter, named: dict[str, str], counts: dict[str, int]) -> list[Tab]:
    path, query = path_to("offers.index"), query_of(_less(named, "status"))
    same = _same_choices(language())
    tabs = [Tab(same.every, counts[""], with_query(path, query), chosen.status is None)]
    for status, text in same.statuses:
        url = with_query(path, query, f"status={status}")
        tabs.append(Tab(text, counts[status], url, chosen.status == status))
    return tabs


def _heads(chosen: OfferFilter, named: dict[str, str]) -> dict[str, ColumnHead]:
    path, query = path_to("offers.index"), query_of(_less(named, "sort"))
    heads = {}
    for name, first in HEADS.items():
        now = {name: "ascending", f"-{name}": "descending"}.get(chosen.sort, "")
        turned = {"ascending": f"-{name}", "descending": name}.get(now, f"{first}{name}")
        heads[name] = ColumnHead(with_query(path, query, f"sort={turned}"), now)
    return heads


def _less(named: dict[str, str], name: str) -> dict[str, str]:
    return {other: value for other, value in named.items() if other != name}


def _chips(by: Person, chosen: OfferFilter) -> list[Chip]:
    return [
        Chip(name, filter_label(name), _value(by, chosen, name, text), address(chosen.without(*_with(name, chosen))))
        for name, text in chosen.named().items()
        if name not in {"sort", "status"}
    ]


def _with(name: str, chosen: OfferFilter) -> tuple[str, ...]:
    """What goes when this goes: without its currency no amount is compared."""
    if name != "currency":
        return (name,)
    return (name, "min_amount", "max_amount", *(["sort"] if chosen.sort in WITHIN_ONE_CURRENCY else []))


def _value(by: Person, chosen: OfferFilter, name: str, text: str) -> str:
    value = getattr(chosen, name)
    if name == "property_id":
        return property_title(by, value) or _("unknown")
    if name == "agent":
        return next((who for id_, who in agent_choices(by, text) if str(id_) == text), text)
    if name in {"min_amount", "max_amount"}:
        return show_money(Money(value, chosen.currency or ""))
    if name in {"min_term", "max_term"}:
        return days(value)
    if name in {"ratio_from", "ratio_below"}:
        return f"{value}%"
    if name in {"financing", "source"}:
        return label("financing_short" if name == "financing" else name, text)
    if isinstance(value, bool):
        return str(_("Yes") if value else _("No"))
    if isinstance(value, Moment) and len(text) == len("2026-11-23"):
        return show_date(date.fromisoformat(text))
    return text


def replaces_history(by: Person, chosen: OfferFilter) -> bool:
    """Whether this is the same search typed on: Back then leads to before it, not letter by letter through it."""
    before = parse_qs(urlsplit(request.headers.get("HX-Current-URL", "")).query)
    earlier, _errors = read_address(by, {name: values[0] for name, values in before.items()})
    was, now = earlier.named(), chosen.named()
    changed = {name for name in {*was, *now} if was.get(name) != now.get(name)}
    return changed <= {*TYPED, "currency"} and changed <= set(was) & set(now)


def said(total: int) -> str:
    """How many offers are shown, in words, for those who hear the page."""
    if total > COUNTED:
        return str(_("More than %(num)d offers", num=COUNTED))
    return str(ngettext("%(num)d offer", "%(num)d offers", total)) if total else str(_("No offers"))
