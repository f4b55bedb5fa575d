"""Shows errors: a plain page in the reader's language, or RFC 9457 for the API."""

from __future__ import annotations

from typing import Any

import structlog
from flask import Flask, Response, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_login import current_user
from flask_wtf.csrf import CSRFError
from markupsafe import escape
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from app.core.errors import DomainError, QuotaOfDay, QuotaReached, TooMany
from app.core.faults import report
from app.core.logs import request_id
from app.web.errors.problems import problem
from app.web.form_tokens import is_of_other_agency
from app.web.guards import to_sign_in
from app.web.held_forms import refill, typed

log = structlog.get_logger(__name__)

PAGES: dict[int, tuple[Any, Any]] = {
    400: (
        lazy_gettext("This request could not be read"),
        lazy_gettext("Go back, check what was typed and send it again."),
    ),
    403: (lazy_gettext("Not allowed"), lazy_gettext("You may not do this.")),
    404: (lazy_gettext("Nothing here"), lazy_gettext("The page does not exist, or it is not yours to see.")),
    405: (lazy_gettext("This cannot be done here"), lazy_gettext("Go back and use the button on the page.")),
    409: (
        lazy_gettext("It has changed in the meantime"),
        lazy_gettext("Someone else changed this just before you. Reload the page and look again."),
    ),
    413: (
        lazy_gettext("This is too large"),
        lazy_gettext("What was sent is larger than we take. Make the picture or the text smaller."),
    ),
    422: (lazy_gettext("Something is missing or wrong"), lazy_gettext("Go back and check the form.")),
    429: (
        lazy_gettext("Too many tries"),
        lazy_gettext("Please wait a little and try again. What you typed is still in the form: go back to it."),
    ),
    500: (
        lazy_gettext("Something went wrong on our side"),
        lazy_gettext("It has been noted. Nothing half done was saved; please try again."),
    ),
}


QUOTA: dict[bool, tuple[Any, Any]] = {
    False: (
        lazy_gettext("The agency has reached a limit"),
        lazy_gettext("It holds as much of this as it may. Remove what is no longer needed, or ask whoever runs it."),
    ),
    True: (
        lazy_gettext("The agency has reached its limit for today"),
        lazy_gettext("Tomorrow this works again. Offers through links still come in."),
    ),
}


def register_errors(app: Flask) -> None:
    app.register_error_handler(DomainError, _domain)
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unexpected)


def _domain(error: DomainError) -> Response:
    if _by_api():
        return problem(error)
    if isinstance(error, QuotaReached):
        response = answer(error.status, *QUOTA[isinstance(error, QuotaOfDay)])
    else:
        response = answer(error.status)
    if isinstance(error, TooMany | QuotaOfDay):
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _csrf(_error: CSRFError) -> AnyResponse:
    """A session that has ended takes the form's token with it: sign in, and come back."""
    if request.path.startswith("/app/") and not current_user.is_authenticated:
        return to_sign_in()
    if is_of_other_agency():
        words = _(
            "You have gone on in another agency since. Nothing was saved: go back to the one before, then send it."
        )
        return answer(400, _("This page is of another agency"), words)
    if typed() and (
        shown := refill(request.path, _("The page was open for too long: check it and send it once more."))
    ):
        return shown
    return answer(400, _("The page was open for too long"), _("Go back, reload the page and send it again."))


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response  # type: ignore[return-value]  # whoever gave it made it with Flask
    if _by_api():
        return problem(error)
    response = answer(error.code or 500)
    if error.code == 405 and (allowed := error.get_headers()):
        response.headers.extend([pair for pair in allowed if pair[0] == "Allow"])
    return response


def _unexpected(error: Exception) -> Response:
    log.error("unexpected", error=type(error).__name__, request_id=request_id(), exc_info=_trace(error))
    report(error)
    return problem(error) if _by_api() else answer(500)


def _by_api() -> bool:
    return request.path.startswith("/api/crm")


def _trace(error: Exception) -> str:
    """Where it happened, without the values: messages may hold what a person typed."""
    frames, trace = [], error.__traceback__
    while trace:
        frames.append(f"{trace.tb_frame.f_code.co_filename.rpartition('/app/')[2]}:{trace.tb_lineno}")
        trace = trace.tb_next
    return " > ".join(frames[-8:])


def answer(status: int, title: Any = None, detail: Any = None) -> Response:
    """An error as the caller reads it."""
    known_title, known_detail = PAGES.get(status, PAGES[500 if status >= 500 else 400])
    title, detail = str(title or known_title), str(detail or known_detail)
    return Response(_page(status, title, detail, request_id()), status)


def _page(status: int, title: str, detail: str, number: str) -> str:
    """The error page; when even that fails, its words alone. Flask would otherwise log what a person typed."""
    try:
        inside = status < 500 and request.path.startswith("/app") and current_user.is_authenticated
        return render_template(
            "errors/error.html", code=status, title=title, detail=detail, request_id=number, inside=inside
        )
    except Exception as error:
        log.error("error_page", error=type(error).__name__, trace=_trace(error), request_id=number)
        words = f"<title>{escape(title)}</title><h1>{escape(title)}</h1><p>{escape(detail)}</p>"
        return f"<!doctype html><html lang=ro><meta charset=utf-8>{words}<p>{number}</p></html>"
