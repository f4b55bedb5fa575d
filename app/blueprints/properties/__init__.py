from app.blueprints.properties.routes import properties

__all__ = ["properties"]
