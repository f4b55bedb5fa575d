from app.blueprints.ops.routes import ops

__all__ = ["ops"]
