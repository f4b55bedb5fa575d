"""`/healthz`, `/readyz` and `/metrics`, for the operator's machines."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select

from app.core.clock import now
from app.extensions import db
from app.models import Delivery
from app.ops import health
from app.web.guards import Cache, Guard, policy

ops = Blueprint("ops", __name__)


@ops.get("/healthz")
@policy(Guard.PUBLIC, limit="600/minute", cache=Cache.NONE)
def healthz() -> Response:
    """Alive: this process answers."""
    return jsonify(status="ok")


@ops.get("/readyz")
@policy(Guard.PUBLIC, limit="600/minute", cache=Cache.NONE)
def readyz() -> tuple[Response, int]:
    """Able to serve: the database answers, takes a write, is up to date. A queue that is away is said, but offers are
    taken without it."""
    database = health.database()
    database = health.writable() if database == health.OK else database
    found = {"database": database, "migrations": health.migrations(), "queue": health.queue()}
    checks = {name: finding.partition(":")[0].partition(" ")[0] for name, finding in found.items()}
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
