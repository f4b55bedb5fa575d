"""Requests by route and status, for `/metrics`: over all processes of a server that says where they share their counts.

The web server's file names the folder (`PROMETHEUS_MULTIPROC_DIR`) before anything is imported; elsewhere each process
counts for itself.
"""

from __future__ import annotations

import os

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

SHARED = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
_own = CollectorRegistry()
_requests = Counter(
    "bidflux_requests", "Requests by method, route and status", ["method", "route", "status"], registry=_own
)
_counters: dict[tuple[str, str, int], Counter] = {}  # found once: a label costs more than the count


def register_counting(app: Flask) -> None:
    app.after_request(_count)


def _count(response: Response) -> Response:
    route = request.url_rule.rule if request.url_rule else "none"
    named = request.method, route, response.status_code
    counter = _counters.get(named)
    if counter is None:
        counter = _counters[named] = _requests.labels(*map(str, named))
    counter.inc()
    return response


def collect_into(registry: CollectorRegistry) -> None:
    """Have a registry tell the counts."""
    if SHARED:
        MultiProcessCollector(registry, path=SHARED)  # type: ignore[no-untyped-call]  # the library leaves it untyped
    else:
        registry.register(_Own())


class _Own(Collector):
    def collect(self) -> object:  # type: ignore[override]  # an iterable of metrics, as the library's own is
        return _own.collect()
