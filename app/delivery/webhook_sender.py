"""Webhook calls: what each carries and by which key, how it is signed and made, and what became of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Connection, select

from app.core.clock import now
from app.core.faults import report
from app.core.keys import agency_key, unwrap_offer_key
from app.core.vault import Place, seal, unseal
from app.delivery.queue import Claimed, Outcome
from app.delivery.registry import registry
from app.delivery.retry import next_try
from app.models import Event, OfferKey, WebhookEndpoint
from app.outbound.addresses import Refused
from app.outbound.http_client import HttpAnswer, HttpClient, Unreachable

GONE = 410
SHOWN_HEADERS = ("content-type", "content-length", "retry-after", "location", "server", "date")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call(Claimed):
    """What is sent where, and by which key its answer is sealed. `failing` says that calls of the endpoint failed."""

    url: str
    secrets: list[bytes]
    body: bytes
    key: bytes
    failing: bool


class WebhookSender:
    def __init__(self, http: HttpClient) -> None:
        self._http = http

    def send(self, claimed: Call) -> Outcome:
        """One call. Whatever happens, it ends in an outcome: a fault of ours is a failed try."""
        at = now()
        try:
            return self._send(claimed, at)
        except Exception as fault:
            _say_fault(claimed, fault)
            due = next_try("webhook", claimed.created_at, at, claimed.tries)
            return Outcome(claimed, "pending" if due else "dead", at, due, fault="fault")

    def _send(self, call: Call, at: datetime) -> Outcome:
        headers = signed(str(call.id), int(at.timestamp()), call.body, call.secrets)
        began, answer, fault = time.monotonic(), None, ""
        try:
            answer = self._http.call("POST", call.url, headers=headers, body=call.body, part_will_do=True)
        except Refused as why:
            fault = f"refused: {why}"
        except Unreachable as why:
            fault = why.code
        except Exception as why:
            _say_fault(call, why)
            fault = "fault"
        elapsed = answer.elapsed if answer else time.monotonic() - began
        return _outcome(call, at, headers, answer, fault, elapsed)


def _say_fault(call: Call, fault: Exception) -> None:
    log.error("webhook_fault", delivery=str(call.id), request_id=call.request_id, fault=type(fault).__name__)
    report(fault)


def signed(call_id: str, at: int, body: bytes, secrets: list[bytes]) -> dict[str, str]:
    """The headers of Standard Webhooks 1.0: id, time in seconds, and a signature by each secret."""
    text = f"{call_id}.{at}.".encode() + body
    signatures = [base64.b64encode(hmac.digest(secret, text, hashlib.sha256)).decode() for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "BidFlux-Webhooks/1",
        "webhook-id": call_id,
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def _outcome(
    call: Call, at: datetime, sent: dict[str, str], answer: HttpAnswer | None, fault: str, elapsed: float
) -> Outcome:
    """Only 2xx is success, whatever becomes of the body behind it. What was said is kept, sealed as the call's person
    is."""
    code = answer.status if answer else 0
    state, due = "delivered", None
    if not 200 <= code < 300:
        asked = answer.headers.get("retry-after") if answer else None
        due = None if code == GONE else next_try("webhook", call.created_at, at, call.tries, retry_after=asked)
        state = "pending" if due else "dead"
    log_entry: dict[str, Any] = {"ms": round(elapsed * 1000), "fault": fault, "sent": sent}
    if answer:
        log_entry["headers"] = {name: answer.headers[name][:500] for name in SHOWN_HEADERS if name in answer.headers}
        log_entry["body"] = answer.body.decode("utf-8", "replace")
        log_entry["whole"] = answer.whole
    place = Place(call.agency_id, "attempt", "answer", f"{call.id}/{call.attempts}")
    sealed = seal(call.key, place, json.dumps(log_entry, ensure_ascii=False).encode())
    return Outcome(call, state, at, due, code, sealed, fault)


def load(connection: Connection, claimed: Sequence[Claimed]) -> list[Call | Outcome]:
    """The calls with all that they need, each endpoint's in the order of events; or the outcome of those that cannot be
    sent: endpoint off, or person forgotten."""
    of_endpoint: dict[uuid.UUID | None, list[Claimed]] = defaultdict(list)
    numbers: dict[uuid.UUID, set[int]] = defaultdict(set)
    for claim in claimed:
        of_endpoint[claim.endpoint_id].append(claim)
        if claim.event_seq:
            numbers[claim.agency_id].add(claim.event_seq)
    query = select(WebhookEndpoint.__table__).where(WebhookEndpoint.id.in_(of_endpoint))
    endpoints = connection.execute(query).all()
    targets = registry().endpoints.targets(endpoints, now())
    bodies = {agency_id: _bodies(connection, agency_id, wanted) for agency_id, wanted in numbers.items()}
    loaded: list[Call | Outcome] = []
    for endpoint in endpoints:
        failing = endpoint.failing_since is not None or endpoint.warned > 0
        for claim in sorted(of_endpoint[endpoint.id], key=lambda call: call.event_seq or 0):
            found = _test_body(claim) if claim.body_ct else bodies[claim.agency_id].get(claim.event_seq or 0)
            if endpoint.off_at or found is None:
                loaded.append(Outcome.untried(claim, "cancelled"))
            else:
                values: list[Any] = [getattr(claim, name) for name in _HELD]
                values += [*targets[endpoint.id], *found, failing]
                loaded.append(Call(*values))
    return loaded


_HELD = [field.name for field in fields(Claimed)]


def _test_body(claim: Claimed) -> tuple[bytes, bytes]:
    """What a test says, and the key that it is sealed by."""
    key = agency_key(claim.agency_id, "secret")
    return unseal(key, Place(claim.agency_id, "delivery", "body", claim.id), claim.body_ct or b""), key


def _bodies(connection: Connection, agency_id: uuid.UUID, numbers: set[int]) -> dict[int, tuple[bytes, bytes]]:
    """What events say, and the key each is sealed by; nothing for a person who has been forgotten."""
    query = select(Event.seq, Event.offer_id, Event.body_ct, OfferKey.kek_id, OfferKey.wrapped)
    query = query.outerjoin(OfferKey, OfferKey.offer_id == Event.offer_id)
    found: dict[int, tuple[bytes, bytes]] = {}
    for event in connection.execute(query.where(Event.agency_id == agency_id, Event.seq.in_(numbers))):
        if event.offer_id and event.wrapped is None:
            continue
        key = (
            unwrap_offer_key(agency_id, event.offer_id, event.kek_id, event.wrapped)
            if event.offer_id
            else agency_key(agency_id, "secret")
        )
        found[event.seq] = unseal(key, Place(agency_id, "event", "body", str(event.seq)), event.body_ct), key
    return found
