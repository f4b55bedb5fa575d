from app.blueprints.public.routes import public

__all__ = ["public"]
