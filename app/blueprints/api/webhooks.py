"""Webhook endpoints, and the log of their calls."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from app.blueprints.api.blueprint import api
from app.blueprints.api.calls import ApiAnswer, operation
from app.blueprints.api.paging import link_next, next_cursor, page_body, place_of
from app.blueprints.api.preconditions import check_content, content_etag
from app.blueprints.api.schemas.webhooks import (
    DeliveryPage,
    DeliveryQuery,
    DeliveryWhole,
    ReplayOut,
    SecretOut,
    WebhookMade,
    WebhookNew,
    WebhookOut,
    WebhookPage,
    WebhookPatch,
    WebhookReplay,
    WebhookTest,
)
from app.core.clock import now, rfc3339
from app.models import WebhookEndpoint
from app.web.api_keys import key_holder
from app.webhooks import editing as service
from app.webhooks import log
from app.webhooks.log import CallLine, Try

TAG = "Webhooks"


@api.get("/webhooks")
@operation("List webhooks", tag=TAG, scope="read", answers={200: WebhookPage})
def webhooks_list() -> ApiAnswer:
    """The addresses at which the agency's CRM is called."""
    return ApiAnswer(page_body([_shown(endpoint) for endpoint in service.endpoints_of(key_holder().agency_id)], None))


@api.post("/webhooks")
@operation("Create a webhook", tag=TAG, scope="write", body=WebhookNew, answers={201: WebhookMade})
def webhooks_create(body: WebhookNew) -> ApiAnswer:
    """Calls begin with the next event. Keep the secret: it is shown this once."""
    by = key_holder()
    endpoint_id, secret = service.create(by.agency_id, body.url, _once(body.events), by=by.actor)
    headers = {"Location": f"/api/crm/webhooks/{endpoint_id}"}
    return ApiAnswer({**_read(endpoint_id), "secret": secret}, 201, headers)


@api.get("/webhooks/<uuid:endpoint_id>")
@operation("Read a webhook", tag=TAG, scope="read", answers={200: WebhookOut}, refusals=(404,))
def webhooks_read(endpoint_id: uuid.UUID) -> ApiAnswer:
    """One address, without its secret."""
    return ApiAnswer(_read(endpoint_id))


@api.patch("/webhooks/<uuid:endpoint_id>")
@operation(
    "Change a webhook",
    tag=TAG,
    scope="write",
    body=WebhookPatch,
    answers={200: WebhookOut},
    refusals=(404,),
    if_match=True,
    etag=True,
)
def webhooks_change(endpoint_id: uuid.UUID, body: WebhookPatch) -> ApiAnswer:
    """Address, events, or whether it is called at all. Enabled again, it begins as if it had never failed."""
    events = None if body.events is None else _once(body.events)
    with _as_meant(endpoint_id) as endpoint:
        service.change(endpoint, url=body.url, events=events, on=body.enabled, by=key_holder().actor)
    shown = _read(endpoint_id)
    return ApiAnswer(shown, headers=content_etag(shown))


@api.delete("/webhooks/<uuid:endpoint_id>")
@operation("Remove a webhook", tag=TAG, scope="write", answers={204: None}, refusals=(404,), if_match=True)
def webhooks_remove(endpoint_id: uuid.UUID) -> ApiAnswer:
    """It is called no more, and what was owed to it is cancelled."""
    with _as_meant(endpoint_id) as endpoint:
        service.remove(endpoint, by=key_holder().actor)
    return ApiAnswer(None, 204)


@api.post("/webhooks/<uuid:endpoint_id>/rotate-secret")
@operation("Rotate the secret", tag=TAG, scope="write", answers={200: SecretOut}, refusals=(404,), if_match=True)
def webhooks_rotate(endpoint_id: uuid.UUID) -> ApiAnswer:
    """A new secret. Each one before it signs too for 24 hours, so that nothing is refused while you change over. 409
    when ten do."""
    with _as_meant(endpoint_id) as endpoint:
        secret = service.rotate(endpoint, by=key_holder().actor)
    return ApiAnswer({"secret": secret, "earlier_secret_until": _read(endpoint_id)["earlier_secret_until"]})


@api.post("/webhooks/<uuid:endpoint_id>/test")
@operation(
    "Send a test",
    tag=TAG,
    scope="write",
    body=WebhookTest,
    body_needed=False,
    answers={202: DeliveryWhole},
    refusals=(404, 409),
)
def webhooks_test(endpoint_id: uuid.UUID, body: WebhookTest) -> ApiAnswer:
    """A whole sample of an event, `webhook.test` where none is named, with `"test": true` and `"seq": 0`, whatever the
    endpoint's filter. 409 while off."""
    delivery_id = service.send_test(_held(endpoint_id), body.type, by=key_holder().actor)
    return ApiAnswer(_whole(delivery_id), 202)


@api.post("/webhooks/<uuid:endpoint_id>/replay")
@operation(
    "Replay what did not arrive",
    tag=TAG,
    scope="write",
    body=WebhookReplay,
    body_needed=False,
    answers={202: ReplayOut},
    refusals=(404, 409),
)
def webhooks_replay(endpoint_id: uuid.UUID, body: WebhookReplay) -> ApiAnswer:
    """Every event since a moment that has not arrived, with the ids and bodies that it always had, at once; at most of
    the last 90 days, all of which are meant without a moment. 409 while off."""
    return ApiAnswer(
        {"calls": service.replay(_held(endpoint_id), body.since or now() - service.LOG_KEPT, by=key_holder().actor)},
        202,
    )


@api.get("/webhooks/<uuid:endpoint_id>/deliveries")
@operation(
    "List deliveries", tag=TAG, scope="read", query=DeliveryQuery, answers={200: DeliveryPage}, refusals=(404, 409)
)
def webhooks_deliveries(endpoint_id: uuid.UUID, query: DeliveryQuery) -> ApiAnswer:
    """The log, newest first: what was owed, each try, and what was answered."""
    endpoint = _held(endpoint_id)
    chosen = query.model_dump(include={"state"}, exclude_none=True)
    lines, more = log.calls_of(endpoint, **chosen, after=place_of(query.cursor, chosen), limit=query.limit)
    tries = log.tries_of(endpoint.agency_id, [line.id for line in lines])
    cursor = next_cursor(more, chosen) if more else None
    data = [_delivery(line, tries.get(line.id, [])) for line in lines]
    return ApiAnswer(page_body(data, cursor), headers=link_next("cursor", cursor))


@api.get("/deliveries/<uuid:delivery_id>")
@operation("Read a delivery", tag=TAG, scope="read", answers={200: DeliveryWhole}, refusals=(404,))
def deliveries_read(delivery_id: uuid.UUID) -> ApiAnswer:
    """One call with the body that it carries."""
    return ApiAnswer(_whole(delivery_id))


@api.post("/deliveries/<uuid:delivery_id>/retry")
@operation("Send a delivery again", tag=TAG, scope="write", answers={202: DeliveryWhole}, refusals=(404, 409))
def deliveries_retry(delivery_id: uuid.UUID) -> ApiAnswer:
    """The same id and body once more, at once, also while it waits for its next try. 409 while it is on its way or not
    tried yet, its webhook is off, or it was cancelled."""
    service.resend(key_holder().agency_id, delivery_id)
    return ApiAnswer(_whole(delivery_id), 202)


def _held(endpoint_id: uuid.UUID) -> WebhookEndpoint:
    return service.get_endpoint(key_holder().agency_id, endpoint_id)


@contextmanager
def _as_meant(endpoint_id: uuid.UUID) -> Iterator[WebhookEndpoint]:
    """To change it: in what state the caller means it is looked at under the lock."""
    with service.standing(key_holder().agency_id, endpoint_id) as endpoint:
        check_content(_shown(endpoint))
        yield endpoint


def _once(events: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(events))


def _read(endpoint_id: uuid.UUID) -> dict[str, Any]:
    return _shown(_held(endpoint_id))


def _shown(endpoint: WebhookEndpoint) -> dict[str, Any]:
    earlier = [rfc3339(secret.until) for secret in service.earlier_secrets([endpoint.id], now()).get(endpoint.id, ())]
    return {
        "id": str(endpoint.id),
        "url": service.url_of(endpoint),
        "events": endpoint.events.split(),
        "enabled": endpoint.off_at is None,
        "disabled_at": _time(endpoint.off_at),
        "disabled_reason": endpoint.off_reason,
        "failing_since": _time(endpoint.failing_since),
        "earlier_secret_until": earlier[0] if earlier else None,
        "earlier_secrets_until": earlier,
        "created_at": rfc3339(endpoint.created_at),
        "updated_at": rfc3339(endpoint.updated_at),
    }


def _whole(delivery_id: uuid.UUID) -> dict[str, Any]:
    agency_id = key_holder().agency_id
    line = log.get_call(agency_id, delivery_id)
    tries = log.tries_of(agency_id, [delivery_id]).get(delivery_id, [])
    return {**_delivery(line, tries), "body": log.body_of(agency_id, delivery_id)}


def _delivery(line: CallLine, tries: Sequence[Try]) -> dict[str, Any]:
    return {
        "id": str(line.id),
        "webhook_id": str(line.endpoint_id),
        "type": line.type,
        "seq": line.seq,
        "state": line.state,
        "due_at": rfc3339(line.due_at),
        "created_at": rfc3339(line.created_at),
        "ended_at": _time(line.ended_at),
        "attempts": [
            {
                "n": tried.n,
                "at": rfc3339(tried.at),
                "status": tried.code or None,
                "error": tried.fault or None,
                "milliseconds": tried.milliseconds,
                "request_headers": tried.sent,
                "answer_headers": tried.headers,
                "answer": tried.body,
            }
            for tried in tries
        ],
    }


def _time(moment: Any) -> str | None:
    return rfc3339(moment) if moment else None
