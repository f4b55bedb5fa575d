from app.blueprints.offers import (  # noqa: F401  their routes are of the same blueprint
    asking,
    comparing,
    deciding,
    erasing,
    listing,
    recording,
    viewing,
)
from app.blueprints.offers.routes import offers

__all__ = ["offers"]
