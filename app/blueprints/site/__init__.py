from app.blueprints.site import styleguide, verifying  # noqa: F401  routes of the same blueprint
from app.blueprints.site.routes import site

__all__ = ["site"]
