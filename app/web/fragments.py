"""Renders pages of the dashboard: whole, or one named block of the same template for htmx.

`Vary: HX-Request` is set for every page in `app/web/headers.py`.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

from flask import Response, flash, g, redirect, render_template
from jinja2_fragments.flask import render_block
from werkzeug.wrappers import Response as AnyResponse

from app.web.htmx import wants_block


def page(template: str, block: str = "", status: int = 200, *, toast: str = "", **context: Any) -> Response:
    """The page, or its `block` when htmx asks for that, with `toast` as a passing message."""
    if block and wants_block():
        response = Response(render_block(template, block, **context), status)
        if toast:
            # A dict, escaped to ASCII: a header with ș in it drops the connection.
            response.headers["HX-Trigger"] = json.dumps({"toast": {"text": toast, "tone": "good"}})
        return response
    g.answer = status
    return Response(render_template(template, **context), status)


def done(where: str, message: str = "") -> AnyResponse:
    """After a form that was right: on to `where`, which says `message`."""
    if message:
        flash(message, "good")
    return redirect(where, 303)


def local_path(text: str | None) -> str | None:
    """A path of this very site, or None: nobody is ever sent elsewhere."""
    text = text or ""
    if not text.startswith("/") or text.startswith("//") or "\\" in text or any(ord(c) < 33 for c in text):
        return None
    parts = urlsplit(text)
    return text if not parts.scheme and not parts.netloc else None
