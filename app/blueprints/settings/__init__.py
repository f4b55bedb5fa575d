from app.blueprints.settings import (  # noqa: F401  routes of the same blueprint
    accesses,
    crm,
    feeds,
    notice,
    processing,
    register,
    requests,
    retention,
    webhooks,
)
from app.blueprints.settings.routes import settings

__all__ = ["settings"]
