"""A proxy in front that nobody told us of: with TRUSTED_PROXIES=0 all its callers share one address, and one limit."""

from __future__ import annotations

import ipaddress
import os
import time
from datetime import UTC, datetime
from pathlib import Path

import structlog
from flask import Flask, current_app, request
from flask_babel import force_locale
from flask_babel import gettext as _

from app.config import Settings
from app.core.language import SOURCE

MARK = "proxy.seen"  # its time says when a forwarded request last came
AGAIN = 3600.0  # seconds between two marks of a process
NEAR = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
REMEMBERED = 7 * 86400.0

log = structlog.get_logger(__name__)


def register_lookout(app: Flask) -> None:
    """Where no proxy is trusted, look whether one is there."""
    if not app.extensions["bidflux_settings"].trusted_proxies:
        app.before_request(_look)


def _look() -> None:
    """`X-Forwarded-For` or its kind from this machine or its own network: strangers write such fields too, from
    elsewhere."""
    headers = request.environ
    if "HTTP_X_FORWARDED_FOR" in headers or "HTTP_X_REAL_IP" in headers or "HTTP_FORWARDED" in headers:
        noticed = current_app.extensions.get("bidflux_proxy_noticed", -AGAIN)
        if time.monotonic() - noticed >= AGAIN and _is_near(request.remote_addr or ""):
            current_app.extensions["bidflux_proxy_noticed"] = time.monotonic()
            _note(_mark())
            warn()


def warn() -> None:
    """At the start: what `doctor` would say, as one line of the log."""
    with force_locale(SOURCE):
        if hint := said():
            log.warning("proxy_not_trusted", hint=hint)


def _is_near(address: str) -> bool:
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    return found.is_loopback or any(found in network for network in NEAR)


def _note(mark: Path) -> None:
    try:
        with os.fdopen(os.open(mark, os.O_WRONLY | os.O_CREAT, 0o600)):
            os.utime(mark)
    except OSError as error:  # a full disk: the log has said it
        log.warning("proxy_not_noted", error=type(error).__name__)


def said() -> str:
    """What an operator has to do, or nothing."""
    settings = _settings()
    if settings.trusted_proxies:
        return ""
    if settings.secure:
        return str(
            _(
                "BASE_URL begins with https://, so a proxy stands in front, and TRUSTED_PROXIES=0: all callers share"
                " one limit. Set it to the number of proxies"
            )
        )
    seen = _seen()
    return str(
        _(
            "a proxy passed a request on (%(when)s UTC), and TRUSTED_PROXIES=0: all callers share one limit. Set it to"
            " the number of proxies",
            when=f"{seen:%Y-%m-%d %H:%M}",
        )
        if seen
        else ""
    )


def _seen() -> datetime | None:
    """When a forwarded request last came, of the last week."""
    try:
        at = _mark().stat().st_mtime
    except OSError:
        return datetime.now(UTC) if "bidflux_proxy_noticed" in current_app.extensions else None
    return datetime.fromtimestamp(at, UTC) if time.time() - at < REMEMBERED else None


def _mark() -> Path:
    return _settings().data_dir / MARK


def _settings() -> Settings:
    settings: Settings = current_app.extensions["bidflux_settings"]
    return settings
