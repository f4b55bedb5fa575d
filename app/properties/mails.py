"""Mails to agents about properties."""

from __future__ import annotations

from typing import Any

from flask import g

from app.accounts.mails import to_colleague
from app.core.urls import base_url
from app.delivery.composing import DeliveryRow, NoLongerOwed
from app.delivery.registry import Registry
from app.properties.floods import flooded
from app.properties.handover import handed_in


def register(registry: Registry) -> None:
    registry.mail("property_handed", to_colleague(_handed))
    registry.mail("link_flooded", to_colleague(_flooded))


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


def _flooded(delivery: DeliveryRow) -> dict[str, Any]:
    """The property that far too many offers come for; `NoLongerOwed` once it takes none, or was slowed down."""
    found = flooded(delivery.agency_id, delivery.entry)
    if found is None or not found[0].accepts_offers or found[0].slowed_at:
        raise NoLongerOwed("settled")
    prop, an_hour = found
    url = f"{base_url()}/app/properties/{prop.id}"
    return {"title": prop.local_title(g.language), "an_hour": an_hour, "url": url}
