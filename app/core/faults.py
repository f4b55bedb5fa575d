"""Reports faults to the operator's Sentry when `SENTRY_DSN` is set: where it happened, never what a person typed.

Pages and jobs call `report`; nothing else is sent. Of an event what is named here leaves, and all else stays.
"""

from __future__ import annotations

import sys
from typing import Any

from flask import has_request_context, request

from app.config import Settings
from app.core.logs import redact, request_id

PLAIN = ("event_id", "timestamp", "platform", "level", "environment", "release", "sdk")
OF_FRAME = ("filename", "function", "module", "lineno", "in_app")


def configure_faults(settings: Settings, transport: Any = None) -> None:
    """Without a DSN nothing is imported and nothing leaves."""
    if settings.sentry_dsn is None:
        return
    import sentry_sdk
    from sentry_sdk.integrations.atexit import AtexitIntegration
    from sentry_sdk.integrations.dedupe import DedupeIntegration
    from sentry_sdk.integrations.excepthook import ExcepthookIntegration

    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        environment=settings.environment,
        transport=transport,
        # Others would patch Flask, RQ and http.client, which then tells our keys to whomever a webhook calls.
        default_integrations=False,
        integrations=[AtexitIntegration(), DedupeIntegration(), ExcepthookIntegration()],
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        traces_sample_rate=0.0,
        server_name="",
        before_send=scrub,
    )


def scrub(event: Any, _hint: dict[str, Any]) -> Any:
    """Type, place, and of a request its method, redacted path and number."""
    kept = {name: event[name] for name in PLAIN if name in event}
    if found := event.get("exception", {}).get("values"):
        kept["exception"] = {"values": [_without_text(error) for error in found]}
    if has_request_context():
        kept["request"] = {"method": request.method, "url": redact(request.path)}
        kept["tags"] = {"request_id": request_id()}
    return kept


def _without_text(error: dict[str, Any]) -> dict[str, Any]:
    frames = (error.get("stacktrace") or {}).get("frames") or []
    places = [{name: frame[name] for name in OF_FRAME if name in frame} for frame in frames]
    return {"type": error.get("type"), "module": error.get("module"), "value": "", "stacktrace": {"frames": places}}


def report(error: BaseException) -> None:
    """Send one fault, if there is anywhere to send it."""
    if "sentry_sdk" in sys.modules:
        sys.modules["sentry_sdk"].capture_exception(error)
