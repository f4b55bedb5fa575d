"""Properties: read, created and changed over the API."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import g

from app.blueprints.api.blueprint import api
from app.blueprints.api.calls import ApiAnswer, checked, operation
from app.blueprints.api.paging import link_next, next_cursor, page_body, place_of
from app.blueprints.api.preconditions import etag, expected_version, only_new
from app.blueprints.api.schemas.properties import (
    PropertyBulk,
    PropertyBulkLoose,
    PropertyBulkOut,
    PropertyNew,
    PropertyOut,
    PropertyPage,
    PropertyPatch,
    PropertyPut,
    PropertyQuery,
)
from app.core.access import get_property
from app.core.errors import Conflict, DomainError, Invalid, StaleVersion
from app.properties import editing as service
from app.properties import syncing as sync
from app.properties.api_pages import ApiPropertyFilter, list_properties, shown
from app.properties.fields import PropertyBulkItem, sent_property
from app.properties.listing import property_by_external_id, version_of
from app.properties.syncing import SentProperty, Synced
from app.web.api_keys import key_holder
from app.web.errors.problems import problem_body

TAG = "Properties"


@api.get("/properties")
@operation("List properties", tag=TAG, scope="read", query=PropertyQuery, answers={200: PropertyPage}, refusals=(409,))
def properties_list(query: PropertyQuery) -> ApiAnswer:
    """Present ones, newest first. With `updated_since`: in order of change, archived ones among them."""
    chosen = query.model_dump(include=set(PropertyQuery.spoken), exclude_none=True)
    data, more = list_properties(
        key_holder(), ApiPropertyFilter(**chosen), after=place_of(query.cursor, chosen), limit=query.limit
    )
    cursor = next_cursor(more, chosen) if more else None
    return ApiAnswer(page_body(data, cursor), headers=link_next("cursor", cursor))


@api.post("/properties")
@operation(
    "Create a property",
    tag=TAG,
    scope="write",
    body=PropertyNew,
    answers={201: PropertyOut},
    refusals=(409,),
    etag=True,
)
def properties_create(body: PropertyNew) -> ApiAnswer:
    """A property that the CRM may not know by an id of its own. With one, `PUT` by external id is safer to repeat."""
    by = key_holder()
    done = sync.create(by.agency_id, sent_property(body), by=by.actor)
    return _written(done, {"Location": f"/api/crm/properties/{done.property_id}"})


@api.get("/properties/<uuid:property_id>")
@operation("Read a property", tag=TAG, scope="read", answers={200: PropertyOut}, refusals=(404,), etag=True)
def properties_read(property_id: uuid.UUID) -> ApiAnswer:
    """One property, archived or not."""
    return _read(property_id)


@api.patch("/properties/<uuid:property_id>")
@operation(
    "Change a property",
    tag=TAG,
    scope="write",
    body=PropertyPatch,
    answers={200: PropertyOut},
    refusals=(404, 409),
    if_match=True,
    etag=True,
)
def properties_change(property_id: uuid.UUID, body: PropertyPatch) -> ApiAnswer:
    """Only the fields that are sent."""
    by = key_holder()
    prop = get_property(by, property_id, write=True)
    version = expected_version(prop.version) or None
    sent = sent_property(body)
    given = {_COLUMN.get(name, name) for name in body.model_fields_set}
    sent = replace(sent, columns={k: v for k, v in sent.columns.items() if k in given})
    try:
        done = sync.change(prop.id, by.agency_id, sent, by=by.actor, version=version)
    except Conflict as error:
        raise error if version is None or error.args else StaleVersion from None
    return _written(done)


@api.get("/properties/external/<path:external_id>")
@operation("Read by the CRM's id", tag=TAG, scope="read", answers={200: PropertyOut}, refusals=(404,), etag=True)
def properties_find(external_id: str) -> ApiAnswer:
    """One property, archived or not."""
    return _read(property_by_external_id(key_holder(), external_id))


@api.put("/properties/external/<path:external_id>")
@operation(
    "Create or replace by the CRM's id",
    tag=TAG,
    scope="write",
    body=PropertyPut,
    answers={200: PropertyOut, 201: PropertyOut},
    if_match=True,
    etag=True,
)
def properties_put(external_id: str, body: PropertyPut) -> ApiAnswer:
    """201 when it is new. Offering fields, photo and agent that are left out keep their values."""
    by = key_holder()
    if body.external_id not in {None, external_id}:
        raise Invalid({"external_id": ["Not the id in the path"]})
    item = checked(PropertyBulkItem, {**body.model_dump(exclude_unset=True), "external_id": external_id})
    version = expected_version(version_of(by, external_id))
    (done,) = sync.upsert(by.agency_id, [sent_property(item)], by=by.actor, version=version, only_new=only_new())
    if done.error:
        raise done.error
    return _written(done)


@api.post("/properties/bulk")
@operation(
    "Create or replace up to a hundred",
    tag=TAG,
    scope="write",
    body=PropertyBulkLoose,
    documented=PropertyBulk,
    answers={200: PropertyBulkOut},
)
def properties_bulk(body: PropertyBulkLoose) -> ApiAnswer:
    """Each as by `PUT`, in one commit. One result per item in order; one bad item spoils no other."""
    by, results, good = key_holder(), list[dict[str, Any]](), list[tuple[int, SentProperty]]()
    for number, item in enumerate(body.data):
        external_id = item.get("external_id") if isinstance(item, dict) else None
        results.append({"external_id": external_id if isinstance(external_id, str) else None})
        try:
            good.append((number, sent_property(checked(PropertyBulkItem, item))))
        except Invalid as error:
            results[number] |= _refused(error)
    for (number, _sent), done in zip(good, sync.upsert(by.agency_id, [s for _, s in good], by=by.actor), strict=True):
        results[number] |= _refused(done.error) if done.error else {"status": done.status, "property": _shown(done)}
    return ApiAnswer({"data": results})


@api.post("/properties/<uuid:property_id>/link")
@operation("A new link", tag=TAG, scope="write", answers={200: PropertyOut}, refusals=(404,), if_match=True, etag=True)
def properties_link(property_id: uuid.UUID) -> ApiAnswer:
    """The old link stops at once. `offer_url` is the new one, while the property accepts offers."""
    by = key_holder()
    prop = get_property(by, property_id, write=True)
    service.rotate_link(prop, by=by.actor, version=expected_version(prop.version) or None)
    return _read(property_id)


@api.post("/properties/<uuid:property_id>/archive")
@operation(
    "Archive a property", tag=TAG, scope="write", answers={200: PropertyOut}, refusals=(404,), if_match=True, etag=True
)
def properties_archive(property_id: uuid.UUID) -> ApiAnswer:
    """It takes no more offers and leaves the list; its data and offers stay. Archived already, it stays as it is."""
    return _put_away(property_id, service.archive)


@api.post("/properties/<uuid:property_id>/unarchive")
@operation(
    "Take a property out of the archive",
    tag=TAG,
    scope="write",
    answers={200: PropertyOut},
    refusals=(404,),
    if_match=True,
    etag=True,
)
def properties_unarchive(property_id: uuid.UUID) -> ApiAnswer:
    """Back in the list, with its link off until `accepts_offers` is set. One that is not archived stays as it is."""
    return _put_away(property_id, service.restore)


def _put_away(property_id: uuid.UUID, step: Callable[..., None]) -> ApiAnswer:
    by = key_holder()
    prop = get_property(by, property_id, write=True)
    step(prop, by=by.actor, version=expected_version(prop.version) or None)
    return _read(property_id)


def _read(property_id: uuid.UUID) -> ApiAnswer:
    prop = get_property(key_holder(), property_id)
    return ApiAnswer(shown(key_holder(), [prop])[0], headers=etag(prop.version))


_COLUMN = {"asking_price": "asking_minor"}


def _written(done: Synced, headers: dict[str, str] | None = None) -> ApiAnswer:
    status = 201 if done.status == "created" else 200
    return ApiAnswer(_shown(done), status, {**etag(done.version), **(headers or {})})


def _shown(done: Synced) -> dict[str, Any]:
    return {**done.shown, "warnings": [{"pointer": pointer, "detail": text} for pointer, text in done.warnings]}


def _refused(error: DomainError) -> dict[str, Any]:
    return {"status": "error", "error": {**problem_body(error), "request_id": g.request_id}}
