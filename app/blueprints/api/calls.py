"""One call of the API: let in, read and checked by its models, counted, perhaps answered from a kept answer.

`@operation(...)` stands under the route decorator in place of `@policy(...)`: it declares guard, scope, limits and
models at once, and the same declaration is what `openapi.json` is assembled from.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from urllib.parse import unquote_to_bytes

import msgspec
from flask import Response, request
from pydantic import BaseModel, ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from app.blueprints.api.idempotency import KeptAnswer, RepeatableCall, answered_once
from app.blueprints.api.preconditions import check_readable, conditional
from app.blueprints.api.schemas.common import Query
from app.core.errors import Invalid, Unreadable, WrongMedia
from app.core.strict_json import NotJson, read_json
from app.web.api_keys import key_holder, spent_now
from app.web.errors.validation import faults
from app.web.guards import Cache, Guard, Policy, rates

READS, WRITES = "1200/minute", "600/minute"
JSON = "application/json"
BYTES = "application/octet-stream"  # a file is given as this too, for whom its own kind says nothing


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """What a call gives: JSON, status, headers. `offer_id` names the offer that it shows, if it shows one."""

    body: Any
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    offer_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Operation:
    """What a call takes and gives, as its route declares it."""

    summary: str
    tag: str
    scope: str
    answers: dict[int, type[BaseModel] | None]
    query: type[Query] | None
    body: type[BaseModel] | None
    body_needed: bool
    if_match: bool
    etag: bool
    refusals: tuple[int, ...]
    media: str


def operation(
    summary: str,
    *,
    tag: str,
    scope: str,
    answers: dict[int, type[BaseModel] | None],
    query: type[Query] | None = None,
    body: type[BaseModel] | None = None,
    body_needed: bool = True,
    documented: type[BaseModel] | None = None,
    if_match: bool = False,
    etag: bool = False,
    refusals: tuple[int, ...] = (),
    media: str = JSON,
    limit: str = READS,
    writes: str = WRITES,
) -> Callable[[Callable[..., Any]], Callable[..., Response]]:
    """Declare a call. `scope` is `read` or `write`; `answers` maps status to model, None for no JSON.

    The view is given the path's parameters, and, where they are declared, `query` and `body` as models. It returns an
    `ApiAnswer`, or a `Response` of its own.
    An action whose body is not `body_needed` is taken without one as with `{}`.
    `documented` describes a body whose items are checked one by one. `refusals` are statuses beyond those that every
    call may answer.
    """
    declared = Operation(
        summary, tag, scope, answers, query, documented or body, body_needed, if_match, etag, refusals, media
    )

    def declare(view: Callable[..., Any]) -> Callable[..., Response]:
        @wraps(view)
        def call(**values: Any) -> Response:
            _path_is_text()
            check_readable()
            if query:
                values["query"] = read_query(query)
            if body:
                values["body"] = read_body(body, needed=body_needed)
            answer = view(**values) if scope == "read" else _once(lambda: view(**values))
            response = answer if isinstance(answer, Response) else respond(answer)
            return conditional(response) if request.method == "GET" else response

        call.__dict__["policy"] = Policy(Guard.API_KEY, Cache.NONE, rates(limit), rates(writes), scope)
        call.__dict__["operation"] = declared
        return call

    return declare


def respond(answer: ApiAnswer) -> Response:
    """An answer as it travels."""
    if answer.body is None:
        return Response(status=answer.status, headers=answer.headers)
    return Response(msgspec.json.encode(answer.body), answer.status, answer.headers, content_type=JSON)


def file_answer(body: bytes, media: str) -> Response:
    """A file as what it is, or, where that is preferred, as bytes."""
    chosen = request.accept_mimetypes.best_match((media, BYTES), media)
    return Response(body, mimetype=chosen, headers={"Vary": "Accept"})


# --- reading ----------------------------------------------------------------------------------------------------


def _path_is_text() -> None:
    """What is no UTF-8 in the path would arrive as replacement characters."""
    try:
        request.environ["PATH_INFO"].encode("latin-1").decode()
    except UnicodeDecodeError:
        raise Unreadable("The path must be percent-encoded UTF-8.") from None


def read_query(model: type[Query]) -> Any:
    """The parameters, or `Invalid`."""
    try:
        unquote_to_bytes(request.query_string).decode()
    except UnicodeDecodeError:
        raise Unreadable("The query string must be percent-encoded UTF-8.") from None
    given = request.args.to_dict(flat=False)
    twice = {name for name, texts in given.items() if len(texts) > 1} - model.repeated
    if twice:
        raise Invalid({f"?{name}": ["Named more than once"] for name in twice})
    values = {name: texts if name in model.repeated else texts[0] for name, texts in given.items()}
    return checked(model, values, "?")


def read_body(model: type[BaseModel], *, needed: bool = True) -> Any:
    """The body, or `WrongMedia`, `Unreadable`, `Invalid`."""
    if not needed and not request.get_data(cache=True).strip():
        return checked(model, {})
    return checked(model, _json(untold=not needed))


def checked(model: type[BaseModel], value: Any, mark: str = "/") -> Any:
    """A value as its model; `Invalid` names every fault."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise Invalid(faults(error, model, mark)) from None


def _json(*, untold: bool = False) -> Any:
    if not (untold and not request.mimetype) and request.mimetype not in {JSON, "application/merge-patch+json"}:
        raise WrongMedia
    if request.mimetype_params.get("charset", "utf-8").lower() not in {"utf-8", "utf8"}:
        raise WrongMedia("The body must be in UTF-8.")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise WrongMedia("The body must not be compressed.")
    body = request.get_data(cache=True)
    if request.content_length is None and len(body) >= (request.max_content_length or len(body) + 1):
        raise RequestEntityTooLarge  # in chunks: Werkzeug stops reading at the limit and says nothing
    try:
        return read_json(body)
    except NotJson as error:
        raise Unreadable(str(error)) from None


# --- writing once -----------------------------------------------------------------------------------------------


def _once(run: Callable[[], Any]) -> Any:
    """Run a write; with an `Idempotency-Key`, only the first time that it comes."""
    name = request.headers.get("Idempotency-Key")
    if name is None:
        return run()
    if not 1 <= len(name) <= 255 or not name.isascii() or not name.isprintable():
        raise Invalid({":Idempotency-Key": ["Use 1 to 255 printable ASCII characters"]})
    what = b"\0".join((request.method.encode(), request.full_path.encode(), request.get_data(cache=True)))
    by = key_holder()

    def first() -> KeptAnswer:
        answer = run()
        response = respond(answer)
        headers = {**answer.headers, "Content-Type": response.content_type or JSON}
        return KeptAnswer(answer.status, headers, response.get_data(as_text=True), answer.offer_id)

    kept, again = answered_once(RepeatableCall(by.agency_id, by.key_id, name, what), first)
    response = Response(kept.body, kept.status, kept.headers)
    if again:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def count_headers(response: Response) -> Response:
    """`RateLimit` and `RateLimit-Policy` on every answer to a key (draft-ietf-httpapi-ratelimit-headers-10)."""
    spent = spent_now()
    if spent:
        response.headers["RateLimit-Policy"] = f'"default";q={spent.rate.amount};w={spent.rate.get_expiry()}'
        response.headers["RateLimit"] = f'"default";r={spent.remaining};t={spent.reset}'
    return response
