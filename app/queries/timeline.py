"""What happened to an offer or a property and who did it, as the ledger has it; and what is owed because of it."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from app import keys
from app.clock import now
from app.extensions import db
from app.models import ApiKey, Attempt, Decision, Delivery, LedgerEntry, Note, Offer, OfferRequest, OfferState, User
from app.vault import Place, unseal

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


@dataclass(frozen=True, slots=True)
class ChainLink:
    """One offer of a chain of replacements."""

    id: uuid.UUID
    reference: str
    amount_minor: int
    currency: str
    status: str
    latest: bool
    submitted_at: datetime


def offer_steps(offer: Offer) -> list[Step]:
    """Newest first, with the reasons opened."""
    return _steps(offer.agency_id, offer.id, _reasons(offer))


def property_steps(agency_id: uuid.UUID, property_id: uuid.UUID) -> list[Step]:
    """Newest first."""
    return _steps(agency_id, property_id, {})


def _steps(agency_id: uuid.UUID, object_id: uuid.UUID, reasons: dict[str, str]) -> list[Step]:
    query = select(LedgerEntry.seq, LedgerEntry.at, LedgerEntry.kind, LedgerEntry.actor_type, LedgerEntry.actor_id)
    rows = db.session.execute(
        query.add_columns(LedgerEntry.body)
        .where(LedgerEntry.agency_id == agency_id, LedgerEntry.object_id == object_id)
        .order_by(LedgerEntry.seq.desc())
        .limit(LIMIT)
    ).all()
    names = _names(agency_id, rows)
    steps = []
    for row in rows:
        data = json.loads(row.body)["data"]
        who = names.get(row.actor_id, "") if row.actor_id else ""
        steps.append(
            Step(row.seq, row.at, row.kind, row.actor_type, who, data, reasons.get(data.get("decision") or ""))
        )
    return steps


def _names(agency_id: uuid.UUID, rows: Iterable[Any]) -> dict[uuid.UUID, str]:
    """Names of the people and keys among the actors."""
    actors: dict[str, set[uuid.UUID]] = {"user": set(), "api_key": set()}
    for row in rows:
        if row.actor_id and row.actor_type in actors:
            actors[row.actor_type].add(row.actor_id)
    found: dict[uuid.UUID, str] = {}
    if actors["user"]:
        people = select(User.id, User.full_name).where(User.agency_id == agency_id, User.id.in_(actors["user"]))
        found |= {row[0]: row[1] for row in db.session.execute(people)}
    if actors["api_key"]:
        held = select(ApiKey.id, ApiKey.name).where(ApiKey.agency_id == agency_id, ApiKey.id.in_(actors["api_key"]))
        found |= {row[0]: row[1] for row in db.session.execute(held)}
    return found


def _reasons(offer: Offer) -> dict[str, str]:
    """The reasons given with decisions, by the decision's id."""
    key = keys.offer_key(offer.agency_id, offer.id)
    if key is None:
        return {}
    query = select(Decision.id, Decision.reason_ct).where(
        Decision.agency_id == offer.agency_id, Decision.offer_id == offer.id, Decision.reason_ct.is_not(None)
    )
    return {
        str(row[0]): unseal(key, Place(offer.agency_id, "decision", "reason", row[0]), row[1]).decode()
        for row in db.session.execute(query)
        if row[1]
    }


@dataclass(frozen=True, slots=True)
class NoteLine:
    """A colleague's note, opened."""

    id: uuid.UUID
    user_id: uuid.UUID
    who: str
    at: datetime
    text: str


def notes_of(offer: Offer) -> list[NoteLine]:
    """Oldest first; none once the person has been forgotten."""
    key = keys.offer_key(offer.agency_id, offer.id)
    query = (
        select(Note.id, Note.user_id, User.full_name, Note.at, Note.body_ct)
        .join(User, User.id == Note.user_id)
        .where(Note.agency_id == offer.agency_id, Note.offer_id == offer.id)
        .order_by(Note.at, Note.id)
    )
    if key is None:
        return []
    return [
        NoteLine(*row[:4], unseal(key, Place(offer.agency_id, "note", "body", row.id), row.body_ct).decode())
        for row in db.session.execute(query)
    ]


def mails_owed(offer: Offer) -> list[MailState]:
    """Every mail of an offer, oldest first, with the tries so far and the last answer's code."""
    last = (
        select(Attempt.delivery_id, func.max(Attempt.n).label("n"))
        .where(Attempt.agency_id == offer.agency_id)
        .group_by(Attempt.delivery_id)
        .subquery()
    )
    query = (
        select(Delivery.template, User.full_name, Delivery.state, Delivery.attempts, Delivery.due_at)
        .add_columns(Delivery.ended_at, Attempt.code)
        .join(User, User.id == Delivery.user_id, isouter=True)
        .join(last, last.c.delivery_id == Delivery.id, isouter=True)
        .join(Attempt, (Attempt.delivery_id == Delivery.id) & (Attempt.n == last.c.n), isouter=True)
        .where(Delivery.agency_id == offer.agency_id, Delivery.offer_id == offer.id, Delivery.kind == "mail")
        .order_by(Delivery.created_at, Delivery.id)
    )
    return [MailState(row[0], row[1] or "", *row[2:]) for row in db.session.execute(query)]


def open_request(offer: Offer) -> OfferRequest | None:
    """The better offer that its bidder is asked for at this moment."""
    return db.session.scalar(
        select(OfferRequest).where(
            OfferRequest.agency_id == offer.agency_id,
            OfferRequest.offer_id == offer.id,
            OfferRequest.answer_id.is_(None),
            OfferRequest.cancelled_at.is_(None),
            OfferRequest.deadline > now(),
        )
    )


def chain_of(offer: Offer) -> list[ChainLink]:
    """The offers that this one replaced and that replaced it, oldest first; empty when it stands alone."""
    chain = (
        select(Offer.id, Offer.previous_id)
        .where(Offer.agency_id == offer.agency_id, Offer.id == offer.id)
        .cte("chain", recursive=True)
    )
    beside = (Offer.id == chain.c.previous_id) | (Offer.previous_id == chain.c.id)
    chain = chain.union(select(Offer.id, Offer.previous_id).join(chain, (Offer.agency_id == offer.agency_id) & beside))
    columns = (Offer.id, Offer.reference, Offer.amount_minor, Offer.currency, OfferState.status, OfferState.latest)
    query = (
        select(*columns, Offer.submitted_at)
        .join(OfferState, OfferState.offer_id == Offer.id)
        .where(Offer.agency_id == offer.agency_id, Offer.id.in_(select(chain.c.id)))
        .order_by(Offer.submitted_at)
    )
    found = [ChainLink(*row) for row in db.session.execute(query)]
    return found if len(found) > 1 else []
