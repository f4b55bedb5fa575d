"""`/api/crm`: the API for CRMs, over the same functions as the dashboard."""

from app.blueprints.api import (  # noqa: F401  routes of the blueprint
    documentation,
    events,
    offers,
    properties,
    stats,
    webhooks,
)
from app.blueprints.api.blueprint import api
from app.blueprints.api.documentation import api_docs

__all__ = ["api", "api_docs"]
