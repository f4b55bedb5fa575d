from app.blueprints.public import (  # noqa: F401  routes of the same blueprint
    bidder,
    codes,
    confirming,
    data_requests,
    link_activity,
    photos,
    receipts,
    sellers,
)
from app.blueprints.public.routes import public

__all__ = ["public"]
