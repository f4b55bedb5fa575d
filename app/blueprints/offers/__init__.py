from app.blueprints.offers import deciding  # noqa: F401  its routes are of the same blueprint
from app.blueprints.offers.routes import offers

__all__ = ["offers"]
