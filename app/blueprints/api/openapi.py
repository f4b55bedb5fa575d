"""`openapi.json`, assembled from the very declarations and models by which calls are let in and checked."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from flask import Flask
from flask_babel import force_locale
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from werkzeug.routing import Rule

from app.blueprints.api import examples
from app.blueprints.api.calls import BYTES, JSON, Operation
from app.blueprints.api.preconditions import TAGS as TAG_LIST
from app.blueprints.api.schemas.common import Problem
from app.blueprints.api.schemas.events import CARRIED, carrier
from app.core.language import SOURCE
from app.core.urls import base_url
from app.core.values import NAMED
from app.core.version import VERSION
from app.models.webhook import EVENTS, TEST
from app.web.errors.problems import KINDS, MIMETYPE

REF = "#/components/schemas/{model}"
ALWAYS = (400, 401, 403, 422, 429)
WITH_BODY = (413, 415)
TAGS = {
    "Properties": "What offers are made for. Push with `PUT` by your own id, or `bulk`.",
    "Offers": "What buyers sent, and where the agency stands with each. An offer never changes; a better one is new.",
    "Events": "Every change, in order, without a gap.",
    "Statistics": "Totals over the offers, per currency, never mixed.",
    "Webhooks": "The same events, called to you as they happen (Standard Webhooks 1.0).",
    "About": "This description.",
}
ABOUT = """\
Offers for real estate, collected by signed links. Lists are paged by cursor, errors are RFC 9457 problems whose `type`
opens a page that explains them, money is a decimal string, time is RFC 3339 in UTC.

Send `Authorization: Bearer bfx_live_…`. Keys are made in Settings, API; `bfx_test_…` keys reach a test agency.
"""

LICENSE = {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"}


def describe(app: Flask) -> dict[str, Any]:
    """The whole document, OpenAPI 3.1, in English."""
    with force_locale(SOURCE):
        return _document(app)


def _document(app: Flask) -> dict[str, Any]:
    found = sorted(_operations(app), key=lambda pair: (str(pair[0]), pair[1].summary))
    models: set[type[BaseModel]] = {Problem, *CARRIED}
    models |= {m for _, o in found for m in (*o.answers.values(), o.body) if m}
    named, schemas = _schemas(models)
    paths: dict[str, dict[str, Any]] = {}
    for rule, declared in found:
        entry = paths.setdefault(_path(rule), {})
        view = app.view_functions[rule.endpoint]
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            name = rule.endpoint.partition(".")[2]
            if method == "PUT" and "PATCH" in (rule.methods or ()):
                name += "_by_put"  # an id names one operation
            entry[method.lower()] = _operation(rule, declared, name, view.__doc__ or "", named)
    used = {declared.tag for _, declared in found}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "BidFlux",
            "version": VERSION,
            "description": ABOUT,
            "license": LICENSE,
            "contact": _contact(),
        },
        "servers": [{"url": base_url()}],
        "security": [{"key": []}],
        "tags": [{"name": name, "description": text} for name, text in TAGS.items() if name in used],
        "paths": paths,
        "webhooks": {kind: {"post": _call(kind, named)} for kind in (*EVENTS, TEST)},
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "bfx_live_…"}},
        },
    }


def _contact() -> dict[str, str]:
    return {"name": "Who runs this BidFlux", "url": base_url()}


def _operations(app: Flask) -> Iterator[tuple[Rule, Operation]]:
    for rule in app.url_map.iter_rules():
        declared = getattr(app.view_functions[rule.endpoint], "operation", None)
        if declared:
            yield rule, declared


def _path(rule: Rule) -> str:
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule.rule)


def _schemas(models: Iterable[type[BaseModel]]) -> tuple[dict[type[BaseModel], str], dict[str, Any]]:
    """The name of each model, and every schema by name."""
    ordered = sorted(models, key=lambda model: model.__name__)
    keyed, definitions = models_json_schema([(model, "validation") for model in ordered], ref_template=REF)
    names = {model: keyed[model, "validation"]["$ref"].rpartition("/")[2] for model in ordered}
    return names, {name: _tidy(schema) for name, schema in definitions["$defs"].items()}


def _tidy(schema: Any) -> Any:
    """Without the titles that pydantic makes of names, and without null as a default, which says nothing: a program
    made of the description would send it."""
    if isinstance(schema, list):
        return [_tidy(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        k: _tidy(v)
        for k, v in schema.items()
        if not (k == "title" and isinstance(v, str)) and not (k == "default" and v is None)
    }


def _operation(
    rule: Rule, declared: Operation, name: str, doc: str, named: dict[type[BaseModel], str]
) -> dict[str, Any]:
    written = declared.scope == "write"
    entry: dict[str, Any] = {
        "operationId": name,
        "tags": [declared.tag],
        "summary": declared.summary,
        "description": f"{_plain(doc)}\n\nScope: `{declared.scope}`.",
        "parameters": [*_in_path(rule), *_in_query(declared), *_in_headers(declared, written)],
        "responses": {str(status): _answer(model, declared, named) for status, model in declared.answers.items()},
    }
    if declared.body:
        content = {"schema": _ref(named[declared.body]), "example": examples.BODIES[declared.body]}
        entry["requestBody"] = {"required": declared.body_needed, "content": {JSON: content}}
    refusals = {*ALWAYS, *declared.refusals}
    refusals |= set(WITH_BODY) if declared.body else set()
    refusals |= {412} if declared.if_match or not written else set()
    refusals |= {409} if written else set()
    if not written:
        entry["responses"]["304"] = {"description": "It is what `If-None-Match` names."}
    entry["responses"] |= {str(status): _refusal(status, name, written) for status in sorted(refusals)}
    return entry


def _plain(doc: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in doc.split("\n\n"))


def _ref(name: str) -> dict[str, str]:
    return {"$ref": REF.format(model=name)}


def _in_path(rule: Rule) -> Iterator[dict[str, Any]]:
    for name in sorted(rule.arguments):
        is_id = type(rule._converters[name]).__name__ == "UUIDConverter"
        kind: dict[str, Any] = {"type": "string", "format": "uuid"} if is_id else {"type": "string", "minLength": 1}
        if name == "external_id":
            kind |= {"maxLength": 100, "pattern": NAMED}
        shown = {} if is_id else {"example": examples.EXTERNAL_ID}
        yield {"name": name, "in": "path", "required": True, "schema": kind, **shown}


def _in_query(declared: Operation) -> Iterator[dict[str, Any]]:
    if declared.query is None:
        return
    schema = declared.query.model_json_schema(ref_template=REF)
    for name, given in schema["properties"].items():
        kind = {k: v for k, v in _tidy(given).items() if k != "description"}
        if "anyOf" in kind:  # a parameter is absent, never null
            some = [part for part in kind.pop("anyOf") if part != {"type": "null"}]
            kind |= some[0] if len(some) == 1 else {"anyOf": some}
            kind.pop("default", None)
        text = {"description": given["description"]} if "description" in given else {}
        yield {"name": name, "in": "query", "schema": kind, **text}


def _in_headers(declared: Operation, written: bool) -> Iterator[dict[str, Any]]:
    tags = {"type": "string", "pattern": TAG_LIST}
    if declared.if_match:
        text = "The `ETag` that was read, or several, or `*`: 412 when it has changed since."
        yield {"name": "If-Match", "in": "header", "schema": tags, "description": text}
    if not written:
        text = "The `ETag` that you have, or several, or `*`: 304 without a body when it is still that."
        yield {"name": "If-None-Match", "in": "header", "schema": tags, "description": text}
    elif declared.if_match:
        text = "`*`: 412 when there is one already. With tags: 412 when it is one of these."
        yield {"name": "If-None-Match", "in": "header", "schema": tags, "description": text}
    if written:
        text = "A random key: the same request sent again within seven days is given the same answer."
        kind = {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[ -~]+$"}
        yield {"name": "Idempotency-Key", "in": "header", "schema": kind, "description": text}


def _answer(model: type[BaseModel] | None, declared: Operation, named: dict[type[BaseModel], str]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": (model.__doc__ or "").strip() if model else "Done."}
    if model:
        answer["content"] = {declared.media: {"schema": _ref(named[model]), "example": examples.ANSWERS[model]}}
    elif declared.media != JSON:
        answer["description"] = "The file."
        answer["content"] = {
            media: {"schema": {"type": "string", "format": "binary"}} for media in (declared.media, BYTES)
        }
    headers = dict.fromkeys(("RateLimit", "RateLimit-Policy"), "Calls left, and the limit.")
    if declared.etag:
        headers["ETag"] = "The version, for `If-Match`."
    elif declared.scope == "read":
        headers["ETag"] = "Names what was answered, for `If-None-Match`."
    answer["headers"] = {name: {"schema": {"type": "string"}, "description": text} for name, text in headers.items()}
    return answer


def _refusal(status: int, name: str, written: bool) -> dict[str, Any]:
    kinds = [kind for kind in KINDS.values() if kind.status == status and _possible(kind.slug, name, written)]
    text = "; ".join(f"[{kind.slug}]({kind.uri})" for kind in kinds)
    shown = {kind.slug: {"value": examples.refusal(kind)} for kind in kinds}
    return {"description": text, "content": {MIMETYPE: {"schema": _ref("Problem"), "examples": shown}}}


def _possible(slug: str, name: str, written: bool) -> bool:
    receipt = name == "offers_receipt"
    only = {
        "conflict": written,
        "other-epoch": not written and not receipt,
        "idempotency-key-reused": written,
        "illegal-transition": name.startswith("offers_status"),
        "not-explicit": name.startswith("offers_status"),
        "not-ready": receipt,
    }
    return only.get(slug, True)


def _call(kind: str, named: dict[type[BaseModel], str]) -> dict[str, Any]:
    """What we send, and what we wait for."""
    model = carrier(kind)
    content = {"schema": _ref(named[model]), "example": examples.event(kind)}
    headers = {
        "webhook-id": "The same for every try of one call: remember it, and forget what comes twice.",
        "webhook-timestamp": "Of this try, in seconds since 1970.",
        "webhook-signature": "`v1,…` over id, timestamp and body; several, by spaces apart, while the secret changes.",
    }
    return {
        "operationId": kind.replace(".", "_"),
        "tags": ["Webhooks"],
        "summary": kind,
        "description": _plain(model.__doc__ or ""),
        "parameters": [
            {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": text}
            for name, text in headers.items()
        ],
        "requestBody": {"required": True, "content": {JSON: content}},
        "responses": {"2XX": {"description": "Stored. Anything else is tried again."}},
    }
