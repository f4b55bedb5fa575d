"""Totals over the offers, as they are shown."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field

from app.blueprints.api.schemas.common import Query
from app.core.values import Currency, Day, Line254x1, Strict, Uid

Ratio = Annotated[str, Field(pattern=r"^\d+\.\d{4}$", description="A decimal string: `0.9480` is 94.80 %.")]
Sum = Annotated[str, Field(description="A decimal string.")]


class StatsQuery(Query):
    from_: Annotated[Day | None, Field(alias="from", description="First day, in the agency's zone.")] = None
    to: Annotated[Day | None, Field(description="Last day, included.")] = None
    property_id: Annotated[Uid | None, Field(description="Of one property only.")] = None
    agent: Annotated[Line254x1 | None, Field(description="E-mail of the agent now responsible.")] = None


class StatusCounts(Strict):
    """How many offers stand where."""

    new: int
    viewed: int
    accepted: int
    rejected: int


class FinancingCounts(Strict):
    """How many offers are financed how."""

    cash: int
    credit: int
    mixed: int


class SummaryOut(Strict):
    """Some offers in figures. Medians are over the `viewed` and `decided` ones."""

    count: int
    by_status: StatusCounts
    by_financing: FinancingCounts
    viewed: int = Field(description="How many have been opened in the dashboard.")
    median_seconds_to_view: int | None
    decided: int
    median_seconds_to_decision: int | None


class AmountsOut(Strict):
    """Amounts in one currency."""

    currency: Currency
    count: int
    best: Sum
    median: Sum
    median_ratio_to_asking: Ratio | None = Field(description="Null where no property asked a price.")


class PropertyStats(SummaryOut):
    """One property's offers in one currency."""

    property_id: str
    property_external_id: str | None
    title: str
    amounts: AmountsOut


class PeriodOut(Strict):
    """A stretch of days, both ends included."""

    first: date
    last: date
    count: int


class StatsOut(SummaryOut):
    """Totals over the offers of the agency, or of what was asked about."""

    period_unit: str = Field(description="`day`, `week`, `month` or `year`: chosen by the length of the time.")
    by_period: list[PeriodOut]
    by_currency: list[AmountsOut]
    by_property: list[PropertyStats]
