# The routes of these modules are of one blueprint.
from app.blueprints.accounts import entering  # noqa: F401
from app.blueprints.accounts.routes import accounts

__all__ = ["accounts"]
