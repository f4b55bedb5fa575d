# The routes of these modules are of one blueprint.
from app.blueprints.offers import (  # noqa: F401
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
