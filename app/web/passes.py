"""Private links: opening one shows a button; its press exchanges the token for a cookie of that one page.

A mail scanner that follows links gets as far as the button, and the page itself has an address without a
token, which can stand in a history or on a shared screen. The cookie goes to that page's path only, never to scripts,
never along with a request from another site, and ends after a day; the link in the mail works again and again.
"""

from __future__ import annotations

import time
import uuid

from flask import current_app, request
from werkzeug.wrappers import Response

from app.core.language import LANGUAGES
from app.core.signed_links import BadToken, Purpose, TimedId, read, sign

SECONDS = 24 * 3600


def grant(response: Response, purpose: Purpose[TimedId], object_id: uuid.UUID, path: str) -> Response:
    """Let this browser in at `path`, in either language, until tomorrow."""
    token = sign(purpose, TimedId(object_id, time.time() + SECONDS))
    cookie, secure = _cookie(purpose), current_app.extensions["bidflux_settings"].secure
    for prefix in ("", *(f"/{code}" for code in LANGUAGES)):
        where = f"{prefix}{path}"
        response.set_cookie(cookie, token, SECONDS, path=where, secure=secure, httponly=True, samesite="Strict")
    return response


def holds(purpose: Purpose[TimedId], object_id: uuid.UUID) -> bool:
    """Has this browser been let in?"""
    try:
        return read(purpose, request.cookies.get(_cookie(purpose), ""), object_id).moment > time.time()
    except BadToken:
        return False


def _cookie(purpose: Purpose[TimedId]) -> str:
    """Over TLS only. It stays with one page's path, which `__Host-` would not let it."""
    kind = purpose.name.removesuffix("-pass")
    return f"__Secure-{kind}" if current_app.extensions["bidflux_settings"].secure else kind
