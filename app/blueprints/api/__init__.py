"""`/api/crm`: the CRM's way in and out, thin over the same services as the dashboard."""

from app.blueprints.api import documentation, events, offers, properties, webhooks  # noqa: F401  routes of the blueprint
from app.blueprints.api.blueprint import api
from app.blueprints.api.documentation import api_docs

__all__ = ["api", "api_docs"]
