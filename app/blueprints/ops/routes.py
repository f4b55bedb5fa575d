"""What an operator's machines ask: alive, ready, figures."""

from __future__ import annotations

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Blueprint, Response, current_app, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from redis import RedisError
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from app.access import Cache, Guard, policy
from app.clock import now
from app.extensions import db
from app.models import Delivery
from app.wake import bell

ops = Blueprint("ops", __name__)


@ops.get("/healthz")
@policy(Guard.PUBLIC, limit="600/minute", cache=Cache.NONE)
def healthz() -> Response:
    """Alive: this process answers."""
    return jsonify(status="ok")


@ops.get("/readyz")
@policy(Guard.PUBLIC, limit="600/minute", cache=Cache.NONE)
def readyz() -> tuple[Response, int]:
    """Able to serve. A queue that is away is said, but offers are taken without it."""
    checks = {"database": _database(), "migrations": _migrations(), "queue": _queue()}
    able = checks["database"] == "ok" and checks["migrations"] == "ok"
    return jsonify(status="ok" if able else "unavailable", checks=checks), 200 if able else 503


@ops.get("/metrics")
@policy(Guard.OPERATOR, limit="120/minute", cache=Cache.NONE)
def metrics() -> Response:
    """Prometheus figures: deliveries by state, age of the oldest one due."""
    registry = CollectorRegistry()
    deliveries = Gauge("bidflux_deliveries", "Deliveries by state", ["state"], registry=registry)
    for state, count in db.session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)):
        deliveries.labels(state).set(count)
    oldest = db.session.scalar(select(func.min(Delivery.due_at)).where(Delivery.state == "pending"))
    age = Gauge("bidflux_delivery_oldest_due_seconds", "How long the oldest due delivery waits", registry=registry)
    age.set(max(0.0, (now() - oldest).total_seconds()) if oldest else 0)
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _database() -> str:
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        return "unreachable"
    return "ok"


def _migrations() -> str:
    try:
        applied = MigrationContext.configure(db.session.connection()).get_current_heads()
    except SQLAlchemyError:
        return "unknown"
    return "ok" if set(applied) == _heads() else "behind"


def _heads() -> set[str]:
    known: set[str] | None = current_app.extensions.get("bidflux_heads")
    if known is None:
        directory = current_app.extensions["migrate"].directory
        known = set(ScriptDirectory(f"{current_app.root_path}/../{directory}").get_heads())
        current_app.extensions["bidflux_heads"] = known
    return known


def _queue() -> str:
    try:
        bell().connection.ping()
    except RedisError:
        return "away"
    return "ok"
