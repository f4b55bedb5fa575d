"""Totals over the offers: the figures of the dashboard's own page."""

from __future__ import annotations

from typing import Any

from app.blueprints.api.blueprint import api
from app.blueprints.api.calls import ApiAnswer, operation
from app.blueprints.api.schemas.stats import FinancingCounts, StatsOut, StatsQuery, StatusCounts
from app.core.errors import Invalid
from app.core.money import Money
from app.stats.figures import Amounts, OfProperty, Summary, count_up, stats_filter
from app.web.api_keys import key_holder

STATUSES, FINANCING = tuple(StatusCounts.model_fields), tuple(FinancingCounts.model_fields)


@api.get("/stats")
@operation(
    "Count the offers",
    tag="Statistics",
    scope="read",
    query=StatsQuery,
    answers={200: StatsOut},
    limit="120/minute",
)
def stats_read(query: StatsQuery) -> ApiAnswer:
    """By status, financing, property and period; amounts per currency, never mixed. Days are the agency's."""
    by = key_holder()
    chosen, errors = stats_filter(
        by.zone, first=query.from_, last=query.to, property_id=query.property_id, agent=query.agent
    )
    if errors:
        raise Invalid({f"?{name}": [str(text) for text in texts] for name, texts in errors.items()})
    found = count_up(by, chosen, by.zone)
    return ApiAnswer(
        {
            **_summary(found.summary),
            "period_unit": found.unit,
            "by_period": [
                {"first": one.first.isoformat(), "last": one.last.isoformat(), "count": one.count}
                for one in found.periods
            ],
            "by_currency": [_amounts(one) for one in found.currencies],
            "by_property": [_property(one) for one in found.properties],
        }
    )


def _summary(one: Summary) -> dict[str, Any]:
    return {
        "count": one.count,
        "by_status": {name: one.statuses[name] for name in STATUSES},
        "by_financing": {name: one.financing[name] for name in FINANCING},
        "viewed": one.viewed,
        "median_seconds_to_view": one.seconds_to_view,
        "decided": one.decided,
        "median_seconds_to_decision": one.seconds_to_decision,
    }


def _amounts(one: Amounts) -> dict[str, Any]:
    ratio = None if one.ratio is None else f"{one.ratio // 10_000}.{one.ratio % 10_000:04}"
    return {
        "currency": one.currency,
        "count": one.count,
        "best": Money(one.best, one.currency).text,
        "median": Money(one.median, one.currency).text,
        "median_ratio_to_asking": ratio,
    }


def _property(one: OfProperty) -> dict[str, Any]:
    return {
        **_summary(one.summary),
        "property_id": str(one.id),
        "property_external_id": one.external_id,
        "title": one.title,
        "amounts": _amounts(one.amounts),
    }
