"""`openapi.json`, a page to try it, and the pages that explain each error."""

from __future__ import annotations

import json

from flask import Blueprint, Response, current_app, render_template
from markupsafe import Markup, escape

from app.access import Cache, Guard, policy
from app.blueprints.api.blueprint import api
from app.blueprints.api.openapi import describe
from app.errors import NotFound
from app.problems import KINDS

api_docs = Blueprint("api_docs", __name__)


@api.get("/openapi.json")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.SHORT)
def openapi() -> Response:
    """The description, for anyone: it holds nothing of any agency."""
    text = current_app.extensions.get("bidflux_openapi")
    if text is None:
        text = json.dumps(describe(current_app), ensure_ascii=False)
        current_app.extensions["bidflux_openapi"] = text
    return Response(text, content_type="application/json")


@api_docs.get("/api/docs")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.PRIVATE)
def try_it() -> str:
    """The vendored viewer over `openapi.json`."""
    return render_template("api/docs.html")


@api_docs.get("/docs/errors")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.PRIVATE)
def errors() -> str:
    """Every kind of problem that the API answers with."""
    return render_template("api/errors.html", kinds=KINDS.values())


@api_docs.get("/docs/errors/<slug>")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.PRIVATE)
def error(slug: str) -> str:
    """What one kind means, and what to do about it: where a problem's `type` leads."""
    if slug not in KINDS:
        raise NotFound
    return render_template("api/error.html", kind=KINDS[slug], coded=_coded)


def _coded(text: object) -> Markup:
    """Text with what stands between backticks as code."""
    parts = str(text).split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )
