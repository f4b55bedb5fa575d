from app.blueprints.offers import comparing, deciding, listing, viewing  # noqa: F401  their routes are of the same blueprint
from app.blueprints.offers.routes import offers

__all__ = ["offers"]
