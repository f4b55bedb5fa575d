"""What htmx says about a request: htmx-flask 0.1 reads the headers that htmx 4 kept, the rest is read here."""

from __future__ import annotations

from flask import request
from htmx_flask.requests import HtmxHeaders

NO_VIEW = ("prefetch", "prerender", "preview")


def wants_block() -> bool:
    """Whether htmx asks for a part of the page: not for a whole one, and not for one that Back restores."""
    htmx = HtmxHeaders(request.headers)
    whole = htmx.boosted or htmx.history_restore_request or request.headers.get("HX-Request-Type") == "full"
    return bool(htmx) and not whole


def is_full_view() -> bool:
    """Whether a person looks at the page: no HEAD, no prefetch, no fragment."""
    return is_seen() and "HX-Request" not in request.headers


def is_seen() -> bool:
    """Whether a person looks at the page or a part of it: no HEAD, no prefetch."""
    purpose = " ".join(request.headers.get(name, "") for name in ("Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"))
    reading_ahead = any(word in purpose.lower() for word in NO_VIEW)
    return request.environ["REQUEST_METHOD"] != "HEAD" and not reading_ahead
