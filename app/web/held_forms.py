"""Held forms: what was typed stays when its page is shown anew in another language, or after signing in again.

Nothing is stored. The form is sent once more with `refill` in it; that changes nothing, it is answered with the page
as a GET shows it, and with what was typed in its form.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from urllib.parse import quote, unquote, unquote_to_bytes, urlsplit

from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response as AnyResponse

from app.core.language import LANGUAGES
from app.core.language import other_language_url as this_page_in
from app.core.logs import request_id
from app.web.form_filling import fill
from app.web.fragments import local_path

REFILL, PAGE = "refill", "held_page"
SAID, HELD = "bidflux.said", "bidflux.held"  # in the environment of the request that makes the page
# What a form says by itself; where there is nothing else in it, nobody has typed anything.
BY_ITSELF = frozenset(
    {REFILL, PAGE, "csrf_token", "next", "version", "status", "on", "offer", "seen", "other", "times_in", "stamp"}
    | {"shown", "step", "notify_bidder", "others", "role"}
)
LIMITED = frozenset({"site.verify_file"})  # a form that is read before the route's own limit would have none
NOT_PASSED_ON = ("werkzeug.", "flask.", "HTTP_HX_")
MOST = 400  # fields


def typed() -> list[tuple[str, str]]:
    """The fields that this request's form brought, to be kept; none where a person typed none of them."""
    pairs = [(name, value) for name, value in request.form.items(multi=True) if "password" not in name]
    some = any(value.strip() for name, value in pairs if name not in BY_ITSELF)
    if not some or not _from_here():
        return []
    which = [] if REFILL in request.form else [(REFILL, request.path)]
    return [*which, *((name, value) for name, value in pairs if name != "csrf_token")][:MOST]


def _from_here() -> bool:
    """Whether the form came from this site; another site's is not kept."""
    origin = request.headers.get("Origin") or request.referrer
    return not origin or origin == "null" or f"{origin}/".startswith(request.host_url)


def page_of_form() -> str | None:
    """Where a GET shows the form that was sent: as it says itself, at its own address, or where it came from."""
    came = request.referrer or ""
    before = came.removeprefix(request.host_url.rstrip("/")) if came.startswith(request.host_url) else ""
    query = request.query_string.decode("utf-8", "replace")
    here = quote(request.path) + (f"?{query}" if query else "")
    same = before if unquote(_path(before)) == request.path else here
    for path in (request.form.get(PAGE), same, before):
        if (local := local_path(path)) and is_shown(local):
            return without_language(local)
    return None


def is_shown(path: str) -> bool:
    """Whether a GET shows something there."""
    adapter = current_app.url_map.bind("")
    try:
        adapter.match(unquote(_path(path)), method="GET")
    except HTTPException:
        return False
    return True


def without_language(path: str) -> str:
    return path[3:] or "/" if path[1:3] in LANGUAGES and path[3:4] in {"", "/", "?"} else path


def refilled() -> AnyResponse | None:
    """Before every request: answers a form that only asks for its own page again."""
    if request.method != "POST" or request.path.startswith("/api/") or request.endpoint in LIMITED:
        return None
    if REFILL not in request.form:
        return None
    return refill(request.form[REFILL])


def refill(form: str, message: str = "") -> AnyResponse | None:
    """The page of the form that was sent, with what was typed in it, and `message` on top; nothing is done.

    `form` is its id, or the path that it is sent to. None where no page is known to show it.
    """
    page = page_of_form()
    if page is None:
        return None
    shown = _get(page, form, message)
    if shown.status_code == 303 and urlsplit(shown.location or "").path.endswith("/login") and (kept := typed()):
        sign_in: AnyResponse = current_app.extensions["bidflux_sign_in"](page, kept)
        return sign_in
    if shown.mimetype == "text/html":
        shown.set_data(fill(shown.get_data(as_text=True), is_form(form), request.form))
        if message:
            shown.status_code = 400
    return shown


def is_form(named: str) -> Callable[[dict[str, str | None]], bool]:
    """By its id, or by the path that it is sent to."""

    def wanted(attributes: dict[str, str | None]) -> bool:
        if named.startswith("/"):
            return _path(attributes.get("action") or "") == _path(named)
        return attributes.get("id") == named

    return wanted


def _path(url: str) -> str:
    return urlsplit(without_language(urlsplit(url)._replace(scheme="", netloc="").geturl())).path


def other_language_url(code: str) -> str:
    """This page in another language; after a form was sent, the page that shows the form."""
    page = page_of_form() if request.method == "POST" else None
    return in_language(page, code) if page else this_page_in(code)


def in_language(url: str, code: str) -> str:
    return f"/{code}{without_language(url)}"


def answered_form() -> tuple[str, str] | None:
    """Where a GET shows the form that this page answers, when something in it is wrong, and the form by its id or path.
    The page's place in the tab's history becomes that one's (came_back.js): Back would ask whether to send it again."""
    answer: tuple[str, str] | None = request.environ.get(HELD)
    if answer is None and request.method == "POST" and g.get("answer") in {409, 422} and (page := page_of_form()):
        answer = (page, request.path)
    return (f"{request.script_root}{answer[0]}", answer[1]) if answer else None


def register_held_forms(app: Flask) -> None:
    app.before_request(refilled)
    app.jinja_env.globals.update(lang_url=other_language_url, in_language=in_language, answered_form=answered_form)


def _get(page: str, form: str, message: str = "") -> Response:
    """The page as this very caller would get it."""
    path, _mark, query = page.partition("?")
    environ = {
        **{key: value for key, value in request.environ.items() if not key.startswith(NOT_PASSED_ON)},
        "REQUEST_METHOD": "GET", "PATH_INFO": unquote_to_bytes(path).decode("latin-1"), "QUERY_STRING": query,
        "CONTENT_LENGTH": "0", "CONTENT_TYPE": "", "wsgi.input": io.BytesIO(),
        SAID: (message, request_id()) if message else None, HELD: (page, form),
    }  # fmt: skip
    body, status, headers = run_wsgi_app(current_app.wsgi_app, environ, buffered=True)
    g.answered_within = True  # its session is the newer one
    return Response(b"".join(body), status, headers)
