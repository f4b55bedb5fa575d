"""Reports faults to the operator's Sentry when `SENTRY_DSN` is set: where it happened, never what a person typed."""

from __future__ import annotations

import sys
from typing import Any

from app.config import Settings
from app.core.logs import redact


def configure_faults(settings: Settings) -> None:
    """Without a DSN nothing is imported and nothing leaves."""
    if settings.sentry_dsn is None:
        return
    import sentry_sdk

    sentry_sdk.init(
        dsn=settings.sentry_dsn,
        environment=settings.environment,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=0.0,
        before_send=scrub,
    )


def scrub(event: Any, _hint: dict[str, Any]) -> Any:
    """Keep type, place and redacted path; drop messages, headers, cookies, queries."""
    request = event.get("request")
    if request:
        event["request"] = {"method": request.get("method"), "url": redact(request.get("url", ""))}
    for error in event.get("exception", {}).get("values", []):
        error["value"] = ""
    for name in ("user", "extra", "breadcrumbs", "logentry"):
        event.pop(name, None)
    return event


def report(error: Exception) -> None:
    """Send one fault, if there is anywhere to send it."""
    if "sentry_sdk" in sys.modules:
        sys.modules["sentry_sdk"].capture_exception(error)
