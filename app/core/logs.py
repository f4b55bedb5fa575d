"""Logs: one JSON line an event, without query strings, tokens or anything a person typed."""

from __future__ import annotations

import logging
import re
import secrets
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, has_request_context, request

from app.core.signed_links import SIGNED_PATHS

# However it was typed: letters of another case, a slash doubled by a mail program.
TOKEN = re.compile(rf"((?:{'|'.join(path.rstrip('/') for path in (*SIGNED_PATHS, '/photos/'))})/+)[^/?\s]+", re.I)
# As proxies make them: hexadecimal, UUIDs, or with a few marks.
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
LOOPBACK = frozenset({"127.0.0.1", "::1"})
# What links.py signs, wherever it stands: at least 16 bytes, a dot and a SHA-256, all in base64.
SIGNED = re.compile(r"(?<![\w-])[\w-]{22,}+\.[\w-]{43}(?![\w-])")


def without_tokens(text: str) -> str:
    """A text whose signed tokens are gone."""
    return SIGNED.sub("…", TOKEN.sub(r"\1…", text))


def redact(path: str) -> str:
    """A path fit for a log: signed tokens go, and so does what follows the question mark."""
    return without_tokens(path.partition("?")[0])


def _redact_values(_logger: Any, _name: str, fields: MutableMapping[str, Any]) -> dict[str, Any]:
    return {name: without_tokens(value) if isinstance(value, str) else value for name, value in fields.items()}


def request_id() -> str:
    """The number of this request, on its page and in the log, however early it went wrong: the proxy's, where one
    stands in front that gives it one."""
    if "request_id" not in g:
        g.request_id = _of_proxy() or secrets.token_hex(8)
    return str(g.request_id)


def _of_proxy() -> str:
    """What `X-Request-Id` says, from a proxy that is trusted or on this machine: a stranger's would be a line of
    theirs in our log."""
    given = request.headers.get("X-Request-Id", "")
    trusted = current_app.extensions["bidflux_settings"].trusted_proxies or request.remote_addr in LOOPBACK
    return given if trusted and REQUEST_ID.fullmatch(given) else ""


def current_request_id() -> str | None:
    """The number of the request that is served, or nothing where none is."""
    return request_id() if has_request_context() else None


def configure_logs(app: Flask, *, level: int = logging.INFO) -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _redact_values,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    for library in (
        "pyhanko",
        "pyhanko_certvalidator",
    ):  # they quote what strangers' files hold; we say what came of it
        logging.getLogger(library).setLevel(logging.CRITICAL)
    log = structlog.get_logger("bidflux.request")

    @app.after_request
    def line(response: Response) -> Response:
        if response.status_code >= 400 or request.method != "GET":
            log.info(
                "request",
                method=request.method,
                path=redact(request.path),
                status=response.status_code,
                ms=round((time.perf_counter() - g.get("began", time.perf_counter())) * 1000),
                request_id=request_id(),
            )
        return response
