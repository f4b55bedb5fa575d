"""One webhook call: how it is signed and made, what became of it, and when it is tried again."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import structlog

from app.core.clock import now
from app.core.numbers import whole
from app.core.vault import Place, seal
from app.delivery.webhook_queue import Call, Outcome
from app.outbound.http_client import HttpAnswer, HttpClient, Refused, Unreachable

# Seconds from each failure to the next try, then no more; each is spread by a fifth.
STEPS = (5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
LONGEST = timedelta(hours=24)
SPREAD = 0.2
GONE = 410
SHOWN_HEADERS = ("content-type", "content-length", "retry-after", "location", "server", "date")

log = structlog.get_logger(__name__)


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


def next_try(at: datetime, attempts: int, retry_after: str | None = None) -> datetime | None:
    """When a call that failed for the `attempts`-th time is made again: never sooner than the receiver asked for."""
    if attempts > len(STEPS):
        return None
    wait = timedelta(seconds=STEPS[attempts - 1] * random.uniform(1 - SPREAD, 1 + SPREAD))  # noqa: S311  # nosec B311
    return at + min(max(wait, _asked(retry_after, at)), max(wait, LONGEST))


def _asked(text: str | None, at: datetime) -> timedelta:
    """`Retry-After` (RFC 9110, section 10.2.3), at most a day; nothing for what cannot be read."""
    if not text:
        return timedelta(0)
    try:
        if (digits := text.strip()).isdecimal():
            return min(timedelta(seconds=whole(digits[:9])), LONGEST)
        moment = parsedate_to_datetime(text[:100])
    except (TypeError, ValueError, LookupError, OverflowError):
        return timedelta(0)
    return min(max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - at, timedelta(0)), LONGEST)


def make(http: HttpClient, call: Call) -> Outcome:
    """One call. Whatever happens, it ends in an outcome: a fault of ours is a failed try."""
    at = now()
    try:
        return _made(http, call, at)
    except Exception as fault:
        log.error("hook_fault", delivery=str(call.id), fault=type(fault).__name__)
        due = next_try(at, call.tries)
        return Outcome(call, at, "pending" if due else "dead", due, fault="fault")


def _made(http: HttpClient, call: Call, at: datetime) -> Outcome:
    headers = signed(str(call.id), int(at.timestamp()), call.body, call.secrets)
    began = time.monotonic()
    try:
        answer = http.call("POST", call.url, headers=headers, body=call.body, part_will_do=True)
    except Refused as why:
        return _outcome(call, at, headers, fault=f"refused: {why}", elapsed=time.monotonic() - began)
    except Unreachable as why:
        return _outcome(call, at, headers, fault=why.code, elapsed=time.monotonic() - began)
    except Exception as why:
        log.error("hook_fault", delivery=str(call.id), fault=type(why).__name__)
        return _outcome(call, at, headers, fault="fault", elapsed=time.monotonic() - began)
    return _outcome(call, at, headers, answer=answer, elapsed=answer.elapsed)


def _outcome(
    call: Call,
    at: datetime,
    sent: dict[str, str],
    *,
    answer: HttpAnswer | None = None,
    fault: str = "",
    elapsed: float = 0.0,
) -> Outcome:
    """Only 2xx is success, whatever becomes of the body behind it. What was said is kept, sealed as the call's person
    is."""
    code = answer.status if answer else 0
    state, due = "delivered", None
    if not 200 <= code < 300:
        asked = answer.headers.get("retry-after") if answer else None
        due = None if code == GONE else next_try(at, call.tries, asked)
        state = "pending" if due else "dead"
    said: dict[str, Any] = {"ms": round(elapsed * 1000), "fault": fault, "sent": sent}
    if answer:
        said["headers"] = {name: answer.headers[name][:500] for name in SHOWN_HEADERS if name in answer.headers}
        said["body"] = answer.body.decode("utf-8", "replace")
        said["whole"] = answer.whole
    place = Place(call.agency_id, "attempt", "answer", f"{call.id}/{call.attempts}")
    sealed = seal(call.key, place, json.dumps(said, ensure_ascii=False).encode())
    return Outcome(call, at, state, due, code, sealed, fault)
