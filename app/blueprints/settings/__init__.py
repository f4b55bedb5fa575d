from app.blueprints.settings import feeds, processing, register, webhooks  # noqa: F401  routes of the same blueprint
from app.blueprints.settings.routes import settings

__all__ = ["settings"]
