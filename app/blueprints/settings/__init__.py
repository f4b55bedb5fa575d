from app.blueprints.settings import (  # noqa: F401  routes of the same blueprint
    accesses,
    crm,
    data_requests,
    feeds,
    notice,
    processing,
    register,
    retention,
    security,
    webhooks,
)
from app.blueprints.settings.routes import settings

__all__ = ["settings"]
