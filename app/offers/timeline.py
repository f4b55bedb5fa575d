"""What happened to an offer or a property and who did it, as the ledger has it; and what is owed because of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Select, and_, or_, select

from app.core.clock import now
from app.extensions import db
from app.models import (
    ApiKey,
    Attempt,
    Decision,
    Delivery,
    LedgerEntry,
    Note,
    Offer,
    OfferRequest,
    OfferState,
    Supersession,
    User,
    WebhookEndpoint,
)  # fmt: skip
from app.offers.details import OpenedOffer
from app.proof.receipt_reading import RECEIPT_KEPT
from app.webhooks.log import OfferCall, opened_url

LIMIT = 100


@dataclass(frozen=True, slots=True)
class Step:
    """One entry. `who` is a name, or "" where `actor` says enough; `data` is the entry's, without personal text."""

    seq: int
    at: datetime
    kind: str
    actor: str
    who: str
    data: dict[str, Any]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class MailState:
    """One mail owed: to a colleague (`to` is a name) or, with `to` empty, to the bidder."""

    template: str
    to: str
    state: str
    attempts: int
    due_at: datetime
    ended_at: datetime | None
    last_code: int | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One offer of a chain of replacements; `request_id` and `asked_until` while a better one is asked for."""

    id: uuid.UUID
    reference: str
    amount_minor: int
    currency: str
    status: str
    latest: bool
    submitted_at: datetime
    request_id: uuid.UUID | None
    asked_until: datetime | None


def offer_steps(opened: OpenedOffer) -> list[Step]:
    """Newest first, with the reasons opened."""
    offer = opened.offer
    steps: list[Step] = []
    # Of two decisions at one and the same moment each entry names its own.
    given = and_(
        Decision.agency_id == LedgerEntry.agency_id,
        Decision.offer_id == LedgerEntry.object_id,
        Decision.at == LedgerEntry.at,
        Decision.reason_ct.is_not(None),
    )
    query = _entries(offer.agency_id, offer.id).add_columns(Decision.id, Decision.reason_ct)
    for row in db.session.execute(query.join(Decision, given, isouter=True)):
        step, decision_id, sealed = _step(row[:7]), row[7], row[8]
        if decision_id and opened.key and step.data.get("decision") == str(decision_id):
            step = replace(step, reason=opened.unseal("decision", "reason", decision_id, sealed).decode())
        if not steps or steps[-1].seq != step.seq:
            steps.append(step)
        elif step.reason:
            steps[-1] = step
    return steps[:LIMIT]


def property_steps(agency_id: uuid.UUID, property_id: uuid.UUID) -> list[Step]:
    """Newest first."""
    return [_step(row) for row in db.session.execute(_entries(agency_id, property_id))]


def _entries(agency_id: uuid.UUID, object_id: uuid.UUID) -> Select[int, datetime, str, str, bytes, str, str]:
    entry = LedgerEntry
    return (
        select(entry.seq, entry.at, entry.kind, entry.actor_type, entry.body, User.full_name, ApiKey.name)
        .join(User, and_(User.id == entry.actor_id, User.agency_id == entry.agency_id), isouter=True)
        .join(ApiKey, and_(ApiKey.id == entry.actor_id, ApiKey.agency_id == entry.agency_id), isouter=True)
        .where(entry.agency_id == agency_id, entry.object_id == object_id)
        .order_by(entry.seq.desc())
        .limit(LIMIT)
    )


def _step(row: Sequence[Any]) -> Step:
    seq, at, kind, actor, body, person, key = row
    return Step(seq, at, kind, actor, person or key or "", json.loads(body)["data"])


@dataclass(frozen=True, slots=True)
class NoteLine:
    """A colleague's note, opened."""

    id: uuid.UUID
    user_id: uuid.UUID
    who: str
    at: datetime
    text: str


def notes_of(opened: OpenedOffer) -> list[NoteLine]:
    """Oldest first; none once the person has been forgotten."""
    if opened.key is None:
        return []
    query = (
        select(Note.id, Note.user_id, User.full_name, Note.at, Note.body_ct)
        .join(User, User.id == Note.user_id)
        .where(Note.agency_id == opened.offer.agency_id, Note.offer_id == opened.offer.id)
        .order_by(Note.at, Note.id)
    )
    return [
        NoteLine(*row[:4], opened.unseal("note", "body", row.id, row.body_ct).decode())
        for row in db.session.execute(query)
    ]


def mails_owed(offer: Offer) -> list[MailState]:
    """Every mail of an offer, oldest first, with the tries so far and the last answer's code."""
    return mails_and_calls(offer)[0]


def mails_and_calls(offer: Offer) -> tuple[list[MailState], list[OfferCall]]:
    """Every mail of an offer, and every call about it that the log still has; both oldest first."""
    last = (
        select(Attempt.code)
        .where(Attempt.delivery_id == Delivery.id)
        .order_by(Attempt.n.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(Delivery.id, Delivery.kind, Delivery.template, Delivery.state, Delivery.attempts, Delivery.due_at)
        .add_columns(Delivery.ended_at, last, User.full_name, WebhookEndpoint.id, WebhookEndpoint.url_ct)
        .add_columns(Delivery.reason)
        .join(User, User.id == Delivery.user_id, isouter=True)
        .join(WebhookEndpoint, WebhookEndpoint.id == Delivery.endpoint_id, isouter=True)
        .where(Delivery.agency_id == offer.agency_id, Delivery.offer_id == offer.id)
        .where(Delivery.template != RECEIPT_KEPT)
        .order_by(Delivery.created_at, Delivery.id)
    )
    mails, calls = [], []
    for row in db.session.execute(query):
        template, state, *tried = row[2:8]
        if row.kind != "webhook":
            attempts, due_at, ended_at, code = tried
            mails.append(MailState(template, row[8] or "", state, attempts, due_at, ended_at, code, row[11]))
            continue
        named = SimpleNamespace(id=row[9], agency_id=offer.agency_id, url_ct=row[10])
        host = urlsplit(opened_url(named)).netloc if named.url_ct else ""
        calls.append(OfferCall(row[0], host, template, state, *tried))
    return mails, calls


def chain_of(offer: Offer) -> list[ChainLink]:
    """This offer with those that it replaced and that replaced it, oldest first."""
    chain = (
        select(Offer.id, Offer.previous_id)
        .where(Offer.agency_id == offer.agency_id, Offer.id == offer.id)
        .cte("chain", recursive=True)
    )
    after = select(Supersession.offer_id).where(Supersession.previous_id == chain.c.id)
    before = select(Supersession.previous_id).where(Supersession.offer_id == chain.c.id)
    beside = or_(
        Offer.id == chain.c.previous_id, Offer.previous_id == chain.c.id, Offer.id.in_(after), Offer.id.in_(before)
    )
    chain = chain.union(select(Offer.id, Offer.previous_id).join(chain, (Offer.agency_id == offer.agency_id) & beside))
    columns = (Offer.id, Offer.reference, Offer.amount_minor, Offer.currency, OfferState.status, OfferState.latest)
    asked = and_(
        OfferRequest.offer_id == Offer.id,
        OfferRequest.answer_id.is_(None),
        OfferRequest.cancelled_at.is_(None),
        OfferRequest.deadline > now(),
    )
    query = (
        select(*columns, Offer.submitted_at, OfferRequest.id, OfferRequest.deadline)
        .join(OfferState, OfferState.offer_id == Offer.id)
        .join(OfferRequest, asked, isouter=True)
        .where(Offer.agency_id == offer.agency_id, Offer.id.in_(select(chain.c.id)))
        .order_by(Offer.submitted_at)
    )
    return [ChainLink(*row) for row in db.session.execute(query)]
