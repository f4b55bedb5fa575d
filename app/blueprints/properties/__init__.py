from app.blueprints.properties import from_crm, gone_notices, sellers  # noqa: F401  routes of the same blueprint
from app.blueprints.properties.routes import properties

__all__ = ["properties"]
