"""Mails to agents about feeds."""

from __future__ import annotations

from typing import Any

from app.accounts.mails import to_colleague
from app.core.urls import base_url
from app.delivery.composing import DeliveryRow, NoLongerOwed
from app.delivery.registry import Registry
from app.feeds.runs import vanished_of


def register(registry: Registry) -> None:
    registry.mail("feed_vanished", to_colleague(_vanished))


def _vanished(delivery: DeliveryRow) -> dict[str, Any]:
    """The person's properties that a feed no longer names; none left, nothing to say."""
    found = vanished_of(delivery.agency_id, delivery.user_id)
    if not found:
        raise NoLongerOwed("back")
    return {"properties": [{"title": prop.title, "url": f"{base_url()}/app/properties/{prop.id}"} for prop in found]}
