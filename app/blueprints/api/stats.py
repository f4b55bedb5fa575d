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
                {"first": period.first.isoformat(), "last": period.last.isoformat(), "count": period.count}
                for period in found.periods
            ],
            "by_currency": [_amounts(amounts) for amounts in found.currencies],
            "by_property": [_property(row) for row in found.properties],
        }
    )


def _summary(summary: Summary) -> dict[str, Any]:
    return {
        "count": summary.count,
        "by_status": {name: summary.statuses[name] for name in STATUSES},
        "by_financing": {name: summary.financing[name] for name in FINANCING},
        "viewed": summary.viewed,
        "median_seconds_to_view": summary.seconds_to_view,
        "decided": summary.decided,
        "median_seconds_to_decision": summary.seconds_to_decision,
    }


def _amounts(amounts: Amounts) -> dict[str, Any]:
    ratio = None if amounts.ratio is None else f"{amounts.ratio // 10_000}.{amounts.ratio % 10_000:04}"
    return {
        "currency": amounts.currency,
        "count": amounts.count,
        "best": Money(amounts.best, amounts.currency).text,
        "median": Money(amounts.median, amounts.currency).text,
        "median_ratio_to_asking": ratio,
    }


def _property(row: OfProperty) -> dict[str, Any]:
    return {
        **_summary(row.summary),
        "property_id": str(row.id),
        "property_external_id": row.external_id,
        "title": row.title,
        "amounts": _amounts(row.amounts),
    }
