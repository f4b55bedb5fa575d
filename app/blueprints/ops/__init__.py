from app.blueprints.ops import pages  # noqa: F401  routes of the same blueprint
from app.blueprints.ops.routes import ops

__all__ = ["ops"]
