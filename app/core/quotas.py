"""Quotas of an agency: rows of a kind, bytes a day and in all.

Asked within the unit of work, under the lock of the agency's head, so that no two writes share what is left. What a
bidder sends, and what takes data away, is never asked; what it weighs is counted all the same.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from flask import current_app
from sqlalchemy import Select, func, select

from app.config import Quotas
from app.core.errors import QuotaOfDay, QuotaReached

if TYPE_CHECKING:
    from app.core.unit_of_work import UnitOfWork

MB, GB = 1_000_000, 1_000_000_000


def quotas() -> Quotas:
    found: Quotas = current_app.extensions["bidflux_settings"].quotas
    return found


def hold_bytes(tx: UnitOfWork) -> None:
    """Raise `QuotaOfDay` or `QuotaReached` when the agency has written all that it may."""
    most = quotas()
    if tx.used.day_bytes >= most.megabytes_a_day * MB:
        raise QuotaOfDay("megabytes_a_day", most.megabytes_a_day, until_tomorrow(tx.at))
    if tx.used.bytes >= most.gigabytes * GB:
        raise QuotaReached("gigabytes", most.gigabytes)


def hold_recorded(tx: UnitOfWork) -> None:
    """One more offer that others record for a bidder."""
    hold_bytes(tx)
    most = quotas()
    if tx.used.day_offers >= most.offers_a_day:
        raise QuotaOfDay("offers_a_day", most.offers_a_day, until_tomorrow(tx.at))
    if tx.used.offers >= most.offers:
        raise QuotaReached("offers", most.offers)
    tx.used.day_offers += 1
    tx.used.offers += 1


def hold_rows(tx: UnitOfWork, kind: str, rows: Select[Any], more: int = 0) -> None:
    """One more row of a kind beside those `rows`, which are counted no further than the quota goes."""
    if left(tx, kind, rows) <= more:
        raise QuotaReached(kind, getattr(quotas(), kind))


def left(tx: UnitOfWork, kind: str, rows: Select[Any]) -> int:
    """How many rows of a kind there is room for."""
    most: int = getattr(quotas(), kind)
    return most - (tx.connection.scalar(select(func.count()).select_from(rows.limit(most).subquery())) or 0)


def until_tomorrow(at: datetime) -> int:
    """Seconds until a new day begins, in UTC."""
    tomorrow = datetime.combine(at.astimezone(UTC).date() + timedelta(days=1), time(), UTC)
    return max(1, int((tomorrow - at).total_seconds()) + 1)
