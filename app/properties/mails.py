"""Mails to agents about properties."""

from __future__ import annotations

from typing import Any

from flask import g

from app.accounts.mails import to_colleague
from app.core.urls import base_url
from app.delivery.composing import DeliveryRow, NoLongerOwed
from app.delivery.registry import Registry
from app.properties.handover import handed_in


def register(registry: Registry) -> None:
    registry.mail("property_handed", to_colleague(_handed))


def _handed(delivery: DeliveryRow) -> dict[str, Any]:
    """What somebody was made responsible for at once; `NoLongerOwed` when none of it is theirs any more."""
    found = handed_in(delivery.agency_id, delivery.user_id, *map(int, delivery.key_of("entries")))
    if not found:
        raise NoLongerOwed("handed on")
    return {
        "properties": [
            {"title": prop.local_title(g.language), "waiting": waiting, "url": f"{base_url()}/app/properties/{prop.id}"}
            for prop, waiting in found
        ]
    }
