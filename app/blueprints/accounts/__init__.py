from app.blueprints.accounts import entering  # noqa: F401  its routes are of the same blueprint
from app.blueprints.accounts.routes import accounts

__all__ = ["accounts"]
