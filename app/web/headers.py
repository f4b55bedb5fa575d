"""Headers of every answer, errors and API included."""

from __future__ import annotations

from typing import Any

from flask import Flask, Request, Response, current_app, g, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from itsdangerous import URLSafeTimedSerializer

from app.core.logs import request_id
from app.core.signed_links import SIGNED_PATHS
from app.web.guards import PEOPLE, Cache, current_policy

CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
)
ANSWERS = frozenset({200, 409, 410, 422, 429})
VARIES = ("HX-Request", "Accept-Language")
HSTS = "max-age=31536000; includeSubDomains"


def register_headers(app: Flask) -> None:
    app.after_request(_headers)
    app.session_interface = NoCookieForBuyers()


class NoCookieForBuyers(SecureCookieSessionInterface):
    """Behind a signed link nobody is signed in and nothing is remembered: no cookie is read, none is set."""

    def __init__(self) -> None:
        self._signing: tuple[Any, URLSafeTimedSerializer | None] = None, None

    def get_signing_serializer(self, app: Flask) -> URLSafeTimedSerializer | None:
        """The same while the keys are."""
        keys = app.secret_key, *app.config["SECRET_KEY_FALLBACKS"]
        if self._signing[0] != keys:
            self._signing = keys, super().get_signing_serializer(app)
        return self._signing[1]

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return SecureCookieSession() if _without_cookie(request.path) else super().open_session(app, request)

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not _without_cookie(request.path) and not g.get("answered_within"):
            super().save_session(app, session, response)


def _headers(response: Response) -> Response:
    declared = current_policy()
    headers = response.headers
    headers["Content-Security-Policy"] = CSP
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "no-referrer" if _signed_path() else "same-origin"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=()"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["X-Request-Id"] = request_id()
    named_by_content = request.endpoint == "static" and "v" in request.args  # of which Flask itself says "no-cache"
    if named_by_content or declared is None or response.status_code >= 400 or "Cache-Control" not in headers:
        headers["Cache-Control"] = declared.cache.value if declared and response.status_code < 400 else "no-store"
    if declared and declared.keeps_answers and request.method == "POST" and response.status_code in ANSWERS:
        headers["Cache-Control"] = Cache.PRIVATE.value
    if _signed_path() or (declared and declared.guard in PEOPLE):
        headers["X-Robots-Tag"] = "noindex, nofollow, noarchive"
    if response.mimetype == "text/html":
        if "Vary" in headers:
            response.vary.update(VARIES)
        else:
            headers["Vary"] = ", ".join(VARIES)
    if current_app.extensions["bidflux_settings"].secure:
        headers["Strict-Transport-Security"] = HSTS
    return response


def _signed_path() -> bool:
    return _signed(request.path)


def _signed(path: str) -> bool:
    return path.startswith(SIGNED_PATHS)


def _without_cookie(path: str) -> bool:
    """Behind a signed link nobody is signed in; a CRM brings its key with every call; a static file is everyone's."""
    return _signed(path) or path.startswith(("/api/crm", "/static/"))
