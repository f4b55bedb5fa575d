"""Figures over the offers, each leading to the list that it counts."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext

from app.blueprints.stats.words import band_name, duration, period_name
from app.core.access import Person
from app.core.clock import now
from app.core.labels import label
from app.offers.list.filter import OfferFilter
from app.properties.listing import agent_choices, property_choices
from app.stats import charts
from app.stats.figures import Stats, count_up, read_stats_filter, within
from app.stats.tally import BANDS
from app.web.fragments import page
from app.web.guards import Guard, person, policy

stats = Blueprint("stats", __name__)

SHOWN = 50
PRESETS = (30, 90, 365)


@stats.get("/app/stats")
@policy(Guard.SIGNED_IN, limit="120/minute", scope="stats")
def index() -> Response:
    """The figures of a period, a property and an agent; without any of them, of all offers."""
    by = person()
    zone = by.agency.zone
    chosen, errors = read_stats_filter(request.args, zone)
    found = count_up(by, chosen, zone)

    def listed(**more: object) -> str:
        return _list_of(chosen, **more)

    return page(
        "stats/index.html",
        "stats_page",
        stats=found,
        chosen=chosen,
        errors=errors,
        listed=listed,
        over_time=[
            (period_name(period, found.unit), period.count, _list_of(within(chosen, period, zone)))
            for period in found.periods
        ],
        bands=[(band_name(low, high), {"ratio_from": low, "ratio_below": high}) for low, high in BANDS],
        chart=_charts(found),
        duration=duration,
        presets=_presets(by),
        properties=property_choices(by, chosen.property_id),
        agents=agent_choices(by, chosen.agent) if by.reads_all else [],
        shown=SHOWN,
    )


def _list_of(chosen: OfferFilter, **more: object) -> str:
    """The address of the list of these offers."""
    named: dict[str, Any] = {**chosen.named(), **{name: value for name, value in more.items() if value is not None}}
    return url_for("offers.index", **named)


def _presets(by: Person) -> list[tuple[int, str]]:
    """The last so many days, each with its address; property and agent stay."""
    today = now().astimezone(ZoneInfo(by.agency.zone)).date()
    named: dict[str, Any] = {name: request.args[name] for name in ("property_id", "agent") if request.args.get(name)}
    named["to"] = today
    return [(days, url_for("stats.index", **{**named, "from": today - timedelta(days=days - 1)})) for days in PRESETS]


def _charts(found: Stats) -> dict[str, str]:
    summary = found.summary
    most = max(found.periods, key=lambda period: period.count)
    message = ngettext(
        "%(num)d offer in all; the most, %(most)d: %(when)s.",
        "%(num)d offers in all; the most, %(most)d: %(when)s.",
        summary.count,
        most=most.count,
        when=period_name(most, found.unit),
    )
    values = [period.count for period in found.periods]
    made = {
        "time": charts.columns("time", values, title=_("Offers over time"), text=message),
        "status": charts.bars("status", _named("status", summary.statuses), title=_("By status")),
        "financing": charts.bars("financing", _named("financing_short", summary.financing), title=_("By financing")),
    }
    for amounts in found.currencies:
        shown = [(band_name(*limits), count) for limits, count in zip(BANDS, amounts.bands, strict=True)]
        title = _("Against the asking price, in %(currency)s", currency=amounts.currency)
        made[amounts.currency] = charts.bars(f"bands-{amounts.currency}", shown, title=title)
    return {name: str(svg) for name, svg in made.items()}


def _named(kind: str, counts: dict[str, int]) -> list[tuple[str, int]]:
    values = {"status": ("new", "viewed", "accepted", "rejected"), "financing_short": ("cash", "credit", "mixed")}
    return [(label(kind, value), counts.get(value, 0)) for value in values[kind]]
