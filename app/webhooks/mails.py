"""What webhooks bring to deliveries: mails to owners about endpoints that fail, and where calls go."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import select

from app.accounts.mails import to_colleague
from app.core.urls import base_url
from app.delivery.composing import DeliveryRow, NoLongerOwed
from app.delivery.registry import Endpoints, EndpointTarget, Registry
from app.extensions import db
from app.models import WebhookEndpoint
from app.webhooks import editing


def register(registry: Registry) -> None:
    for name in ("webhook_failing", "webhook_failing_long", "webhook_off"):
        registry.mail(name, to_colleague(_failing))


def _failing(delivery: DeliveryRow) -> dict[str, Any]:
    """The endpoints that fail now; none left, nothing to say."""
    query = select(WebhookEndpoint).where(
        WebhookEndpoint.agency_id == delivery.agency_id,
        WebhookEndpoint.failing_since.is_not(None),
        WebhookEndpoint.off_at.is_(None) if delivery.template != "webhook_off" else WebhookEndpoint.off_at.is_not(None),
    )
    found = db.session.scalars(query.order_by(WebhookEndpoint.failing_since)).all()
    if not found:
        raise NoLongerOwed("mended")
    lines = [
        {"url": editing.url_of(endpoint), "since": endpoint.failing_since, "reason": endpoint.off_reason}
        for endpoint in found
    ]
    return {"endpoints": lines, "url": f"{base_url()}/app/settings/webhooks"}


def endpoints() -> Endpoints:
    """Who calls go to, and who hears what becomes of them."""
    return Endpoints(_targets, editing.recovered, editing.failed)


def _targets(endpoints: Iterable[Any], at: datetime) -> dict[uuid.UUID, EndpointTarget]:
    rows = list(endpoints)
    earlier = editing.earlier_secrets([row.id for row in rows], at)
    return {
        row.id: EndpointTarget(editing.url_of(row), editing.secrets_of(row, earlier.get(row.id, ()))) for row in rows
    }
