"""The log of webhook calls: what was owed to an endpoint, each try, and what was said."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, or_, select

from app.core.clock import from_rfc3339, rfc3339
from app.core.errors import NotFound
from app.core.keys import agency_key, unwrap_offer_key
from app.core.vault import Place, unseal
from app.extensions import db
from app.models import Attempt, Delivery, Event, OfferKey, WebhookEndpoint


@dataclass(frozen=True, slots=True)
class CallLine:
    """One call of the log. `seq` is its event's number, 0 for a test."""

    id: uuid.UUID
    endpoint_id: uuid.UUID
    offer_id: uuid.UUID | None
    type: str
    seq: int
    state: str
    attempts: int
    due_at: datetime
    created_at: datetime
    ended_at: datetime | None

    @property
    def place(self) -> str:
        """Where it stands in the log, to go on from there."""
        return f"{rfc3339(self.created_at)}/{self.id}"


@dataclass(frozen=True, slots=True)
class Try:
    """One attempt: `code` is the status of the answer, 0 without one, and `fault` then says why.

    `headers` and `body` are the answer's, the body cut at 4 KB where `whole` is False; all empty once forgotten.
    """

    n: int
    at: datetime
    code: int
    fault: str
    milliseconds: int | None
    sent: dict[str, str]
    headers: dict[str, str]
    body: str
    whole: bool


_LINE = select(
    Delivery.id, Delivery.endpoint_id, Delivery.offer_id, Delivery.template.label("type"),
    func.coalesce(Delivery.event_seq, 0).label("seq"), Delivery.state, Delivery.attempts, Delivery.due_at,
    Delivery.created_at, Delivery.ended_at,
).where(Delivery.kind == "webhook")  # fmt: skip


def opened_url(endpoint: Any) -> str:
    """The address of an endpoint, or of a row with its `id`, `agency_id` and `url_ct`."""
    place = Place(endpoint.agency_id, "webhook_endpoint", "url", endpoint.id)
    return unseal(agency_key(endpoint.agency_id, "secret"), place, endpoint.url_ct).decode()


def listens(agency_id: uuid.UUID, event: str) -> bool:
    """Whether some endpoint is called for events of this type."""
    query = select(WebhookEndpoint.events).where(
        WebhookEndpoint.agency_id == agency_id, WebhookEndpoint.off_at.is_(None)
    )
    return any(not wanted or event in wanted.split() for wanted in db.session.scalars(query))


def calls_of(
    endpoint: WebhookEndpoint, *, state: str | None = None, after: str | None = None, limit: int = 50
) -> tuple[list[CallLine], str | None]:
    """The newest first, going on after a place; and the place to go on from, if there are more."""
    query = _LINE.where(Delivery.agency_id == endpoint.agency_id, Delivery.endpoint_id == endpoint.id)
    if state:
        query = query.where(Delivery.state == state)
    if after:
        moment, _, ident = after.partition("/")
        at = from_rfc3339(moment)
        same = and_(Delivery.created_at == at, Delivery.id < uuid.UUID(ident))
        query = query.where(or_(Delivery.created_at < at, same))
    rows = db.session.execute(query.order_by(Delivery.created_at.desc(), Delivery.id.desc()).limit(limit + 1)).all()
    lines = [CallLine(**row._mapping) for row in rows[:limit]]
    return lines, lines[-1].place if len(rows) > limit else None


def oldest_calls(endpoint: WebhookEndpoint, *, state: str | None, limit: int) -> list[CallLine]:
    """The end of the log, the newest of it first."""
    query = _LINE.where(Delivery.agency_id == endpoint.agency_id, Delivery.endpoint_id == endpoint.id)
    query = query.where(Delivery.state == state) if state else query
    rows = db.session.execute(query.order_by(Delivery.created_at, Delivery.id).limit(limit)).all()
    return [CallLine(**row._mapping) for row in reversed(rows)]


def counts_of(endpoint: WebhookEndpoint) -> dict[str, int]:
    """How many calls of the log are in each state; "" is all of them."""
    query = select(Delivery.state, func.count()).where(Delivery.endpoint_id == endpoint.id).group_by(Delivery.state)
    found = {state: count for state, count in db.session.execute(query)}
    return {"": sum(found.values()), **found}


def get_call(agency_id: uuid.UUID, delivery_id: uuid.UUID) -> CallLine:
    """One call of the agency; raises `NotFound`."""
    query = _LINE.where(Delivery.agency_id == agency_id, Delivery.id == delivery_id)
    found = db.session.execute(query).one_or_none()
    if found is None:
        raise NotFound
    return CallLine(**found._mapping)


def tries_of(agency_id: uuid.UUID, ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[Try]]:
    """The attempts of some calls, oldest first."""
    query = (
        select(
            Attempt.delivery_id, Attempt.n, Attempt.at, Attempt.code, Attempt.answer_ct,
            Delivery.offer_id, OfferKey.kek_id, OfferKey.wrapped,
        )
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .outerjoin(OfferKey, OfferKey.offer_id == Delivery.offer_id)
        .where(Attempt.agency_id == agency_id, Attempt.delivery_id.in_(list(ids)))
        .order_by(Attempt.delivery_id, Attempt.n)
    )  # fmt: skip
    found: dict[uuid.UUID, list[Try]] = {}
    for row in db.session.execute(query):
        found.setdefault(row.delivery_id, []).append(_opened(agency_id, row))
    return found


def _opened(agency_id: uuid.UUID, row: Any) -> Try:
    key, answer = _key(agency_id, row), {}
    if key and row.answer_ct:
        place = Place(agency_id, "attempt", "answer", f"{row.delivery_id}/{row.n}")
        answer = json.loads(unseal(key, place, row.answer_ct))
    return Try(
        row.n,
        row.at,
        row.code,
        answer.get("fault", ""),
        answer.get("ms"),
        answer.get("sent", {}),
        answer.get("headers", {}),
        answer.get("body", ""),
        answer.get("whole", True),
    )


def body_of(agency_id: uuid.UUID, delivery_id: uuid.UUID) -> str | None:
    """What a call carries, the same each time; None once its person has been forgotten."""
    query = (
        select(
            Delivery.body_ct, Delivery.event_seq, Event.offer_id, Event.body_ct.label("event_ct"),
            OfferKey.kek_id, OfferKey.wrapped,
        )
        .outerjoin(Event, and_(Event.agency_id == Delivery.agency_id, Event.seq == Delivery.event_seq))
        .outerjoin(OfferKey, OfferKey.offer_id == Event.offer_id)
        .where(Delivery.agency_id == agency_id, Delivery.id == delivery_id)
    )  # fmt: skip
    row = db.session.execute(query).one()
    if row.body_ct:
        place = Place(agency_id, "delivery", "body", delivery_id)
        return unseal(agency_key(agency_id, "secret"), place, row.body_ct).decode()
    key = _key(agency_id, row)
    if key is None or row.event_ct is None:
        return None
    return unseal(key, Place(agency_id, "event", "body", str(row.event_seq)), row.event_ct).decode()


def _key(agency_id: uuid.UUID, row: Any) -> bytes | None:
    """What is about an offer is sealed under its key, which may have been destroyed; all else under the agency's."""
    if row.offer_id is None:
        return agency_key(agency_id, "secret")
    return unwrap_offer_key(agency_id, row.offer_id, row.kek_id, row.wrapped) if row.wrapped else None


@dataclass(frozen=True, slots=True)
class OfferCall:
    """One call about an offer: to which host, or "" for an endpoint that was removed since."""

    id: uuid.UUID
    host: str
    type: str
    state: str
    attempts: int
    due_at: datetime
    ended_at: datetime | None
    last_code: int | None
