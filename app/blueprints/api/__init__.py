"""`/api/crm`: the CRM's way in and out, thin over the same services as the dashboard."""

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
