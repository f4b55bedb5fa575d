from app.blueprints.settings.routes import settings

__all__ = ["settings"]
