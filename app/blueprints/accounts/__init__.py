from app.blueprints.accounts import entering, issuer, passkeys, second, setting_up  # noqa: F401  their routes are of the same blueprint
from app.blueprints.accounts.routes import accounts

__all__ = ["accounts"]
