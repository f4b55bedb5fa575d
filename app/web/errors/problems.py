"""Errors of the API as RFC 9457 problems. Each kind has a stable address that opens the page which explains it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response
from flask_babel import lazy_gettext as _l
from werkzeug.exceptions import HTTPException

from app.core.errors import (
    Conflict,
    DomainError,
    IllegalTransition,
    Invalid,
    KeyReused,
    NoKey,
    NoScope,
    NotFound,
    NotReady,
    OtherEpoch,
    QuotaOfDay,
    QuotaReached,
    StaleVersion,
    TooMany,
    UnnamedConcern,
    Unreadable,
    WrongMedia,
)
from app.core.logs import request_id
from app.core.urls import base_url

MIMETYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemKind:
    """One kind of problem: the name in its address, its status, what it means and what to do about it."""

    slug: str
    status: int
    title: Any
    meaning: Any
    remedy: Any

    @property
    def uri(self) -> str:
        return f"{base_url()}/docs/errors/{self.slug}"


KINDS = {
    kind.slug: kind
    for kind in (
        ProblemKind(
            "unreadable", 400, _l("The request could not be read"),
            _l("The body is not JSON in UTF-8, names a key twice, or holds what JSON does not know, such as NaN."),
            _l("Send one JSON document in UTF-8, as your language's JSON library writes it."),
        ),
        ProblemKind(
            "no-key", 401, _l("An API key is needed"),
            _l("The request carries no key, or one that is unknown, expired or revoked."),
            _l("Send `Authorization: Bearer bfx_live_…`. Keys are made in Settings, API."),
        ),
        ProblemKind(
            "no-scope", 403, _l("The key may not do this"),
            _l("The key is good, but was made for less than this call needs."),
            _l("Make a key with the scope that the answer names, and use it for this call."),
        ),
        ProblemKind(
            "not-found", 404, _l("Nothing here"),
            _l("No such path, or no such object in the agency that the key belongs to."),
            _l("Check the address and the id. What belongs to another agency does not exist for this key."),
        ),
        ProblemKind(
            "method-not-allowed", 405, _l("This path does not take this method"),
            _l("The path exists, and does something else."),
            _l("The `Allow` header says which methods it takes."),
        ),
        ProblemKind(
            "conflict", 409, _l("It conflicts with what is there"),
            _l("Something else holds what the request asks for, or it has changed in the meantime."),
            _l("Read the object again, then decide whether to repeat the request."),
        ),
        ProblemKind(
            "illegal-transition", 409, _l("The offer cannot be set to this status"),
            _l("The status cannot follow the present one, or the bidder has withdrawn the offer."),
            _l("`legal` in the answer lists the statuses that it can be set to now."),
        ),
        ProblemKind(
            "not-explicit", 409, _l("It has to be said explicitly"),
            _l("The offer was replaced or is past its validity, its property is gone, or another one is accepted."),
            _l("If it is meant, repeat the request and name in `despite` what the answer lists there."),
        ),
        ProblemKind(
            "not-ready", 409, _l("Not made yet"),
            _l("What is asked for is still being made: a receipt takes a few seconds after its offer came in."),
            _l("Repeat the request after as many seconds as `Retry-After` says."),
        ),
        ProblemKind(
            "other-epoch", 409, _l("This is a place of another history"),
            _l("A backup was restored, and what led to this place is not in it; or the place is none of this agency."),
            _l("Begin again without a cursor, for events with `after=0`, and drop from your copy what does not come."),
        ),
        ProblemKind(
            "stale", 412, _l("It has changed since it was read"),
            _l("`If-Match` names a version that is no longer the present one."),
            _l("Read the object again and repeat the request with its new `ETag`."),
        ),
        ProblemKind(
            "too-large", 413, _l("The body is too large"),
            _l("A request holds at most 2 MB, and a bulk request at most 100 properties."),
            _l("Split it into several requests."),
        ),
        ProblemKind(
            "wrong-media", 415, _l("The body must be JSON"),
            _l("The request has a body whose `Content-Type` is not `application/json`, or it is compressed."),
            _l("Send `Content-Type: application/json`, in UTF-8, without `Content-Encoding`."),
        ),
        ProblemKind(
            "invalid", 422, _l("Something is missing or wrong"),
            _l("The request could be read, but a field is unknown, missing, of the wrong type or not possible."),
            _l("`errors` names every fault: a JSON pointer into the body, or the name of a parameter or header."),
        ),
        ProblemKind(
            "idempotency-key-reused", 422, _l("This Idempotency-Key belongs to another request"),
            _l("The same key was sent within seven days with another method, path or body."),
            _l("Use a new random key for each new request, and the same one only to repeat it."),
        ),
        ProblemKind(
            "too-many", 429, _l("Too many requests"),
            _l("The key has used up its calls for now."),
            _l("Wait as many seconds as `Retry-After` says. `RateLimit` tells on every answer how many are left."),
        ),
        ProblemKind(
            "quota-reached", 409, _l("The agency has reached a quota"),
            _l("The agency holds as many objects of this kind, or as many bytes, as the operator lets it."),
            _l("`quota` names it and `most` says how many. Remove what is no longer needed, or ask the operator."),
        ),
        ProblemKind(
            "quota-of-day", 429, _l("The agency has reached its quota of the day"),
            _l("The agency has written as much today as the operator lets it in a day."),
            _l("Wait as many seconds as `Retry-After` says, or ask the operator. Offers through links still come in."),
        ),
        ProblemKind(
            "internal", 500, _l("Something went wrong on our side"),
            _l("It has been noted. Nothing half done was saved."),
            _l("Try again; if it stays, write to support with the `request_id`."),
        ),
    )
}  # fmt: skip

_BY_ERROR: dict[type[DomainError], str] = {
    Unreadable: "unreadable",
    NoKey: "no-key",
    NoScope: "no-scope",
    NotFound: "not-found",
    IllegalTransition: "illegal-transition",
    UnnamedConcern: "not-explicit",
    NotReady: "not-ready",
    OtherEpoch: "other-epoch",
    StaleVersion: "stale",
    QuotaOfDay: "quota-of-day",
    QuotaReached: "quota-reached",
    Conflict: "conflict",
    WrongMedia: "wrong-media",
    KeyReused: "idempotency-key-reused",
    Invalid: "invalid",
    TooMany: "too-many",
}
_BY_STATUS = {400: "unreadable", 404: "not-found", 405: "method-not-allowed", 413: "too-large", 415: "wrong-media"}


def kind_of(error: Exception) -> ProblemKind:
    if isinstance(error, DomainError):
        return KINDS[next((slug for kind, slug in _BY_ERROR.items() if isinstance(error, kind)), "unreadable")]
    if isinstance(error, HTTPException) and (error.code or 500) < 500:
        return KINDS[_BY_STATUS.get(error.code or 0, "unreadable")]
    return KINDS["internal"]


def problem_body(error: Exception) -> dict[str, Any]:
    """The problem as JSON, without `request_id`: for an answer, or for one item of a bulk answer."""
    kind = kind_of(error)
    body: dict[str, Any] = {
        "type": kind.uri,
        "title": str(kind.title),
        "status": kind.status,
        "detail": _detail(error) or str(kind.meaning),
    }
    if isinstance(error, Invalid):
        body["errors"] = list(_faults(error.errors.items()))
    if isinstance(error, QuotaReached):
        body |= {"quota": error.kind, "most": error.most}
    if isinstance(error, IllegalTransition):
        body["legal"] = list(error.legal)
    if isinstance(error, UnnamedConcern):
        body["despite"] = list(error.despite)
    if isinstance(error, OtherEpoch):
        body |= {"epoch": error.epoch, "shared_until": error.shared}
    return body


def problem(error: Exception) -> Response:
    """The answer to a request that failed."""
    body = {**problem_body(error), "request_id": request_id()}
    response = Response(json.dumps(body, ensure_ascii=False), status=body["status"], content_type=MIMETYPE)
    if isinstance(error, NoKey):
        response.headers["WWW-Authenticate"] = 'Bearer realm="BidFlux"'
    if isinstance(error, NoScope):
        lacks = f'error="insufficient_scope", scope="{error.scope}"'
        response.headers["WWW-Authenticate"] = f'Bearer realm="BidFlux", {lacks}'
    if isinstance(error, NotReady):
        response.headers["Retry-After"] = "5"
    if isinstance(error, TooMany | QuotaOfDay):
        response.headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, HTTPException) and error.code == 405:
        response.headers.extend([pair for pair in error.get_headers() if pair[0] == "Allow"])
    return response


def _detail(error: Exception) -> str:
    if isinstance(error, NoScope):
        return f"This call needs a key with the scope “{error.scope}”."
    if isinstance(error, IllegalTransition):
        return f"Legal from here: {', '.join(error.legal) or 'none; the offer is withdrawn'}."
    if isinstance(error, OtherEpoch):
        return f"{kind_of(error).meaning} {kind_of(error).remedy}"
    if isinstance(error, Invalid):
        return _first_of(list(_faults(error.errors.items())))
    return str(error) if isinstance(error, Conflict | Unreadable | WrongMedia) and error.args else ""


def _first_of(faults: list[dict[str, str]]) -> str:
    """The first fault in one line, and how many others there are."""
    if not faults:
        return ""
    *where, detail = faults[0].values()
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{where[0] or 'The body'}: {detail}{more}"


def _faults(errors: Iterable[tuple[str, Sequence[object]]]) -> Iterable[dict[str, str]]:
    """`/a/0` is a pointer into the body, `?a` a parameter, `:a` a header, and a bare name a field of the body."""
    names = {"?": "parameter", ":": "header"}
    for name, messages in errors:
        pointer = "/" + name.removeprefix("/") if name else ""
        where = {names[name[0]]: name[1:]} if name[:1] in names else {"pointer": pointer}
        for message in messages:
            yield {**where, "detail": str(message)}
