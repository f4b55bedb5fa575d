"""`/healthz`, `/readyz` and `/metrics`, for the operator's machines."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from flask import Blueprint, Response, jsonify
from flask_babel import force_locale
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from app.core.clock import now
from app.core.language import SOURCE
from app.core.version import VERSION
from app.delivery.queue import oldest_due
from app.ops import figures, health
from app.web.counting import collect_into
from app.web.guards import Cache, Guard, policy

ops = Blueprint("ops", __name__)
NEEDED = ("database", "migrations")


@ops.get("/healthz")
@policy(Guard.PUBLIC, limit="600/minute", cache=Cache.NONE)
def healthz() -> Response:
    """Alive: this process answers."""
    return jsonify(status="ok", version=VERSION)


@ops.get("/readyz")
@policy(Guard.PUBLIC, limit="600/minute", cache=Cache.NONE)
def readyz() -> tuple[Response, int]:
    """Able to serve: the database answers, takes a write, is not older than the code. What offers are taken without is
    said, and does not fail it: the queue, deliveries that are late, a disk that fills up."""
    with force_locale(SOURCE):
        found = health.readiness()
    checks = {name: finding.partition(":")[0].partition(" ")[0] for name, finding in found.items()}
    waits = health.oldest_waits() if checks["migrations"] == health.OK else None
    able = all(checks[name] == health.OK for name in NEEDED)
    said = {"status": "ok" if able else "unavailable", "checks": checks, "oldest_due_seconds": waits}
    return jsonify(said), 200 if able else 503


@ops.get("/metrics")
@policy(Guard.OPERATOR, limit="120/minute", cache=Cache.NONE)
def metrics() -> Response:
    """Prometheus figures: requests, deliveries by kind and state, the age of the oldest one due, offers, ledgers."""
    registry = CollectorRegistry()
    collect_into(registry)
    registry.register(_Figures())
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Figures(Collector):
    """As families, not as the library's gauges: those would be shared with the other processes, and told once more."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        by_state, offers = figures.figures()
        deliveries = GaugeMetricFamily("bidflux_deliveries", "Deliveries by kind and state", labels=["kind", "state"])
        for named, number in sorted(by_state.items()):
            deliveries.add_metric(named, number)
        yield deliveries
        at = now()
        entries, longest = figures.ledger()
        for name, text, value in (
            ("delivery_oldest_due_seconds", "How long the oldest due delivery waits", _age(at, oldest_due(at))),
            ("offers", "Offers, erased ones among them", offers),
            ("ledger_entries", "Entries of all ledgers", entries),
            ("ledger_head", "Where the longest ledger stands", longest),
        ):
            yield GaugeMetricFamily(f"bidflux_{name}", text, value=value)


def _age(at: datetime, since: datetime | None) -> float:
    return max(0.0, (at - since).total_seconds()) if since else 0.0
