from app.blueprints.accounts.routes import accounts

__all__ = ["accounts"]
