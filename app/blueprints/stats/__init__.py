from app.blueprints.stats.routes import stats

__all__ = ["stats"]
