from app.blueprints.public import (  # noqa: F401  routes of the same blueprint
    bidder,
    codes,
    confirming,
    data_requests,
    photos,
    receipts,
    seeing,
    sellers,
)
from app.blueprints.public.routes import public

__all__ = ["public"]
