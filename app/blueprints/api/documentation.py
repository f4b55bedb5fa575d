"""`openapi.json`, a page to try it, the guides, and the pages that explain each error."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from flask import Blueprint, Response, current_app, render_template
from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from app.blueprints.api.blueprint import api
from app.blueprints.api.openapi import describe
from app.blueprints.api.preconditions import conditional
from app.core.errors import NotFound
from app.core.urls import base_url
from app.web.errors.problems import KINDS
from app.web.guards import Cache, Guard, policy

api_docs = Blueprint("api_docs", __name__)


@api.get("/openapi.json")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.SHORT)
def openapi() -> Response:
    """The description, for anyone: it holds nothing of any agency."""
    text = current_app.extensions.get("bidflux_openapi")
    if text is None:
        text = json.dumps(describe(current_app), ensure_ascii=False)
        current_app.extensions["bidflux_openapi"] = text
    return conditional(Response(text, content_type="application/json"))


@api_docs.get("/api/docs")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.PRIVATE)
def try_it() -> str:
    """The vendored viewer over `openapi.json`."""
    return render_template("api/docs.html")


@api_docs.get("/docs/<any(api, webhooks):name>")
@policy(Guard.PUBLIC, limit="120/minute", cache=Cache.PRIVATE)
def guide(name: str) -> str:
    """`docs/api.md` and `docs/webhooks.md`, with the address of this very server in their examples."""
    body = _rendered(name).replace("http://127.0.0.1:8000", base_url())
    return render_template("api/guide.html", name=name, body=Markup(body))  # noqa: S704  # nosec B704  our own file


@cache
def _rendered(name: str) -> str:
    text = (Path(current_app.root_path).parent / "docs" / f"{name}.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\((\w+)\.md\)", r"](/docs/\1)", text)
    html: str = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    for wide in ("pre", "table"):  # scrolled on a phone, by the keyboard too
        html = html.replace(f"<{wide}>", f'<{wide} tabindex="0">')
    return html


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
