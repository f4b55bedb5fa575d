from app.blueprints.public import bidder, codes, confirming, photos, receipts  # noqa: F401  routes of the same blueprint
from app.blueprints.public.routes import public

__all__ = ["public"]
