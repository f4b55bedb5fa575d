from app.blueprints.public import photos  # noqa: F401  its routes are of the same blueprint
from app.blueprints.public.routes import public

__all__ = ["public"]
