from app.blueprints.offers.routes import offers

__all__ = ["offers"]
