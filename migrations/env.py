"""Runs migrations on the application's own engine, in one transaction on both databases."""

from alembic import context
from flask import current_app
from sqlalchemy import MetaData

from app.core.database import WRITE
from app.models.base import UtcDateTime


def metadata() -> MetaData:
    return current_app.extensions["migrate"].db.metadatas[None]


def render_item(kind, item, autogen_context):
    """Write our column type as the plain one it is stored as: a migration must not depend on today's code."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


def compare_type(_context, _inspected, _metadata_column, _inspected_type, metadata_type):
    return False if isinstance(metadata_type, UtcDateTime) else None


def run() -> None:
    engine = current_app.extensions["migrate"].db.engine
    with engine.connect().execution_options(**{WRITE: True}) as connection:
        context.configure(
            connection=connection,
            target_metadata=metadata(),
            transactional_ddl=True,
            compare_type=compare_type,
            render_item=render_item,
        )
        with context.begin_transaction():
            context.run_migrations()
        connection.commit()


if context.is_offline_mode():
    raise SystemExit("migrations need the database: triggers differ between engines")
run()
