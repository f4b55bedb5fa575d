"""Answers to offers. Every step is recorded with who, when and why; repeating one changes nothing.

An answer of the present status that says more (another reason, another word to the bidder) is a step too.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, select, true, update
from sqlalchemy.orm import aliased

from app.core import keys
from app.core.access import Person
from app.core.errors import Conflict, IllegalTransition, UnnamedConcern
from app.core.ids import new_id
from app.core.ledger import Actor
from app.core.quotas import hold_bytes
from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork, writing
from app.core.vault import Place, seal, unseal
from app.extensions import db
from app.models import Decision, Delivery, LedgerEntry, Offer, OfferState
from app.models.offer import STATUSES
from app.offers.concerns import come_up_since, concerns_of
from app.offers.entry import witness
from app.offers.events import announce
from app.offers.recipient_limits import write_to_bidder
from app.properties.editing import switch_link

UNDO = timedelta(seconds=10)
DECIDED = ("accepted", "rejected")


@dataclass(frozen=True, slots=True)
class Chosen:
    """An offer, at the version that the decider saw; None takes it as it is. `despite` are the kinds of concerns
    (`app.offers.concerns.KINDS`) in spite of which it is accepted."""

    offer_id: uuid.UUID
    version: int | None = None
    despite: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AgencyAnswer:
    """What is decided. `reason` stays in the agency; `message` is for the bidder, if `notify_bidder`."""

    status: str
    reason: str | None = None
    message: str | None = None
    notify_bidder: bool = False


@dataclass(frozen=True, slots=True)
class Consequences:
    """What accepting an offer means for its property: others told no, or kept in reserve; the link closed, or not."""

    property_id: uuid.UUID
    reject: tuple[Chosen, ...] = ()
    message: str | None = None
    close_link: bool = False


def view(offer: Offer, *, by: Person) -> None:
    """A person opens an offer that is new: it becomes viewed, and the first time is kept."""
    offer_id, actor = offer.id, by.actor
    with writing(offer.agency_id) as tx:
        state = _lock(tx, offer_id)
        if state.status == "new" and not state.erased_at:
            _step(tx, offer_id, state, AgencyAnswer("viewed"), actor)
            announce(tx, offer_id, "offer.viewed", actor)


def decide(
    offer_id: uuid.UUID,
    agency_id: uuid.UUID,
    status: str,
    *,
    by: Actor,
    reason: str | None = None,
    version: int | None = None,
    notify_bidder: bool = False,
    despite: Collection[str] = (),
) -> bool:
    """Set the status of one offer; return False when that adds nothing. Raises as `decide_all`."""
    answer = AgencyAnswer(status, reason, notify_bidder=notify_bidder)
    return decide_all(agency_id, [Chosen(offer_id, version, frozenset(despite))], answer, by=by) is not None


def decide_all(
    agency_id: uuid.UUID,
    chosen: Sequence[Chosen],
    answer: AgencyAnswer,
    *,
    by: Actor,
    outcome: Consequences | None = None,
) -> uuid.UUID | None:
    """Give one answer to some offers, all or none; return a decision by which it can be undone, or None.

    None means that all were so already, and all of it was said. `Conflict` when one has moved on since it was seen,
    unless what moved it was this very answer, sent before. `IllegalTransition` for an offer withdrawn or erased, and
    for anyone but a person marking an offer new. `UnnamedConcern` where something speaks against accepting an offer and
    `despite` does not name it; the ledger keeps what was accepted in spite of. Bidders are told after ten seconds.
    """
    with writing(agency_id) as tx:
        if by.type == "api_key":  # a script may go on for days; a person's answer is never refused
            hold_bytes(tx)
        made = [_decide(tx, offer, answer, by) for offer in chosen]
        if outcome:
            no = AgencyAnswer("rejected", message=outcome.message, notify_bidder=True)
            made += [_decide(tx, offer, no, by) for offer in outcome.reject]
            closed = outcome.close_link and switch_link(tx, outcome.property_id, on=False, by=by)
            data = {"accepted": [str(offer.offer_id) for offer in chosen], "rejected": len(outcome.reject)}
            tx.record("property.outcome", outcome.property_id, by, {**data, "link_closed": bool(closed)})
    return next((decision for decision in made if decision), None)


def _decide(tx: UnitOfWork, chosen: Chosen, answer: AgencyAnswer, by: Actor) -> uuid.UUID | None:
    state = _lock(tx, chosen.offer_id)
    standing = _standing(tx, chosen.offer_id, state) if state.status == answer.status else None
    if chosen.version not in {None, state.version} and not _repeats(tx, chosen, state, answer, standing, by):
        raise Conflict
    if standing and not standing.lacks(answer):
        return None
    if state.withdrawn_at or state.erased_at or (answer.status == "new" and not _unread(state, by)):
        raise IllegalTransition(_legal(state, by))
    despite = _despite(tx, chosen) if answer.status == "accepted" else []
    if standing:
        answer = replace(
            answer, reason=answer.reason or standing.reason, message=answer.message or standing.untold_message
        )
    decision = _step(tx, chosen.offer_id, state, answer, by, despite=despite)
    kind, subject = "offer.status_changed", about("decision", decision)
    announce(tx, chosen.offer_id, kind, by, after=UNDO, subject=subject, previous_status=state.status)
    if answer.notify_bidder and answer.status in DECIDED:
        write_to_bidder(tx, "decision_bidder", subject, offer_id=chosen.offer_id, after=UNDO)
    return decision


@dataclass(frozen=True, slots=True)
class _Standing:
    """What was said since the offer has its present status: the reason, the message, and whether the bidder was
    told."""

    reason: str | None
    messages: tuple[str, ...]  # newest first
    told: bool

    @property
    def untold_message(self) -> str | None:
        return self.messages[0] if self.messages and not self.told else None

    def lacks(self, answer: AgencyAnswer) -> bool:
        """Whether an answer of the same status says more than that."""
        if answer.reason and answer.reason != self.reason:
            return True
        if answer.message and answer.message not in self.messages:
            return True
        return answer.notify_bidder and answer.status in DECIDED and not self.told


def that_stand(connection: Connection, agency_id: uuid.UUID, offer_id: uuid.UUID, status: str) -> list[Any]:
    """The latest decisions on an offer, newest first, as far back as they gave it this `status`; undone ones do not
    count."""
    undoing = aliased(Decision)
    undone = exists().where(undoing.agency_id == agency_id, undoing.undoes_id == Decision.id)
    mine = (Decision.agency_id == agency_id, Decision.offer_id == offer_id, Decision.undoes_id.is_(None), ~undone)
    columns = select(Decision.id, Decision.to_status, Decision.at, Decision.reason_ct, Decision.message_ct)
    made = connection.execute(columns.where(*mine).order_by(Decision.at.desc(), Decision.id.desc())).all()
    return list(takewhile(lambda step: step.to_status == status, made))


def open_until(connection: Connection, agency_id: uuid.UUID, offer_id: uuid.UUID) -> datetime:
    """Until when what was last decided on an offer may still be taken back, by whoever is about to as well."""
    of_offer = (Decision.agency_id == agency_id, Decision.offer_id == offer_id, Decision.undoes_id.is_(None))
    last: datetime = connection.execute(select(func.max(Decision.at)).where(*of_offer)).scalar_one()
    return last + 2 * UNDO


def _standing(tx: UnitOfWork, offer_id: uuid.UUID, state: Any) -> _Standing:
    steps = that_stand(tx.connection, tx.agency_id, offer_id, state.status)
    key = keys.offer_key(tx.agency_id, offer_id)

    def opened(column: str, step: Any, sealed: bytes | None) -> str | None:
        return (
            unseal(key, Place(tx.agency_id, "decision", column, step.id), sealed).decode() if sealed and key else None
        )

    reason = opened("reason", steps[0], steps[0].reason_ct) if steps else None
    messages = [text for step in steps if (text := opened("message", step, step.message_ct))]
    told = (
        Delivery.kind == "mail",
        *_about(tx, [offer_id], [step.id for step in steps]),
        Delivery.state != "cancelled",
    )
    return _Standing(reason, tuple(messages), tx.connection.scalar(select(exists().where(*told))) or False)


def _despite(tx: UnitOfWork, chosen: Chosen) -> list[str]:
    """The concerns in spite of which the offer is accepted; raises `UnnamedConcern` for one that was not named."""
    found = sorted({concern.kind for concern in concerns_of(tx.connection, [chosen.offer_id], tx.at)})
    if not chosen.despite.issuperset(found):
        raise UnnamedConcern(found)
    return found


def _repeats(
    tx: UnitOfWork, chosen: Chosen, state: Any, answer: AgencyAnswer, standing: _Standing | None, by: Actor
) -> bool:
    """Whether the one step since that version was this very answer by the same decider: it was sent twice. All keys of
    an agency are one decider, since a call may be repeated with a new key."""
    if standing is None or standing.lacks(answer):
        return False
    last = (Decision.agency_id == tx.agency_id, Decision.offer_id == chosen.offer_id, Decision.at == state.updated_at)
    same = (Decision.to_status == answer.status, Decision.actor_type == by.type)
    mine = true() if by.type == "api_key" else Decision.actor_id == by.id
    return (
        chosen.version == state.version - 1 and tx.connection.scalar(select(exists().where(*last, *same, mine))) is True
    )


def undo(decision_id: uuid.UUID, agency_id: uuid.UUID, *, by: Actor) -> list[uuid.UUID]:
    """Take back everything that was decided in the same moment, within ten seconds; return the offers it was about.

    What was owed because of it is cancelled. `Conflict` when it is too late, something has left the house, an offer
    has moved on since, or the decision was somebody else's. `UnnamedConcern` when an offer would be accepted again and
    something has come up against it meanwhile.
    """
    with writing(agency_id) as tx:
        made = _made_with(tx, decision_id)
        if not made or (made[0].actor_type, made[0].actor_id) != (by.type, by.id) or tx.at - made[0].at > UNDO:
            raise Conflict
        offers = [decision.offer_id for decision in made]
        _cancel(tx, offers, [decision.id for decision in made])
        for decision in made:
            state = _lock(tx, decision.offer_id)
            if state.status != decision.to_status or state.updated_at != decision.at:
                raise Conflict
            if decision.from_status == "accepted" != decision.to_status and come_up_since(
                tx.connection, decision.offer_id, decision.at, tx.at, but=offers
            ):
                raise UnnamedConcern([])  # taking it back would accept it in spite of what nobody was asked about
            _step(tx, decision.offer_id, state, AgencyAnswer(decision.from_status), by, undoes=decision)
            kind = "offer.status_changed"
            announce(tx, decision.offer_id, kind, by, after=None, previous_status=decision.to_status)
        for property_id in _closed_with(tx, offers, made[0].at):
            switch_link(tx, property_id, on=True, by=by)
    return offers


def _made_with(tx: UnitOfWork, decision_id: uuid.UUID) -> list[Decision]:
    """The decisions of the moment in which this one was made, unless they undo others."""
    of = select(Decision).where(Decision.agency_id == tx.agency_id)
    decision = db.session.scalar(of.where(Decision.id == decision_id))
    if decision is None:
        return []
    return list(db.session.scalars(of.where(Decision.at == decision.at, Decision.undoes_id.is_(None))))


def _closed_with(tx: UnitOfWork, offers: list[uuid.UUID], at: datetime) -> list[uuid.UUID]:
    """The properties of these offers whose links were turned off in that moment and not changed since."""
    properties = select(Offer.property_id).where(Offer.agency_id == tx.agency_id, Offer.id.in_(offers))
    switched = aliased(LedgerEntry)
    since = exists().where(
        switched.agency_id == LedgerEntry.agency_id,
        switched.object_id == LedgerEntry.object_id,
        switched.kind.in_(("link.on", "link.off")),
        switched.seq > LedgerEntry.seq,
    )
    off = (LedgerEntry.kind == "link.off", LedgerEntry.at == at, LedgerEntry.object_id.in_(properties), ~since)
    closed = db.session.scalars(select(LedgerEntry.object_id).where(LedgerEntry.agency_id == tx.agency_id, *off))
    return [property_id for property_id in closed if property_id]


def _about(tx: UnitOfWork, offers: list[uuid.UUID], decisions: list[uuid.UUID]) -> tuple[ColumnElement[bool], ...]:
    """The mails and calls about these decisions on these offers."""
    ids = [about("decision", decision).id for decision in decisions]
    of = (Delivery.agency_id == tx.agency_id, Delivery.offer_id.in_(offers))
    return (*of, Delivery.subject_type == "decision", Delivery.subject_id.in_(ids))


def _cancel(tx: UnitOfWork, offers: list[uuid.UUID], decisions: list[uuid.UUID]) -> None:
    """Cancel what is owed because of them; `Conflict` when some of it is being sent."""
    owed = _about(tx, offers, decisions)
    tx.connection.execute(
        update(Delivery).where(*owed, Delivery.state == "pending").values(state="cancelled", ended_at=tx.at)
    )
    if tx.connection.scalar(select(func.count()).where(*owed, Delivery.state != "cancelled")):
        raise Conflict


def _unread(state: Any, by: Actor) -> bool:
    return by.type == "user" and state.status == "viewed"


def _legal(state: Any, by: Actor) -> list[str]:
    """The statuses that the offer may be set to from where it stands."""
    if state.withdrawn_at or state.erased_at:
        return []
    return [s for s in STATUSES if s != state.status and (s != "new" or _unread(state, by))]


def _lock(tx: UnitOfWork, offer_id: uuid.UUID) -> Any:
    columns = (
        OfferState.status,
        OfferState.version,
        OfferState.viewed_at,
        OfferState.decided_at,
        OfferState.withdrawn_at,
        OfferState.erased_at,
        OfferState.updated_at,
    )
    return tx.connection.execute(
        select(*columns).where(OfferState.agency_id == tx.agency_id, OfferState.offer_id == offer_id)
    ).one()


def _step(
    tx: UnitOfWork,
    offer_id: uuid.UUID,
    state: Any,
    answer: AgencyAnswer,
    by: Actor,
    *,
    undoes: Decision | None = None,
    despite: Sequence[str] = (),
) -> uuid.UUID:
    decision_id, to = new_id(), answer.status
    key = keys.offer_key(tx.agency_id, offer_id) if answer.reason or answer.message else None
    viewed: datetime | None = state.viewed_at or (tx.at if to != "new" else None)
    if undoes and viewed == undoes.at:
        viewed = None  # it was never opened, only answered

    def sealed(column: str, text: str | None) -> bytes | None:
        return seal(key, Place(tx.agency_id, "decision", column, decision_id), text.encode()) if text and key else None

    reason, message = sealed("reason", answer.reason), sealed("message", answer.message)
    tx.add(
        Decision,
        id=decision_id,
        offer_id=offer_id,
        from_status=state.status,
        to_status=to,
        actor_type=by.type,
        actor_id=by.id,
        at=tx.at,
        reason_ct=reason,
        message_ct=message,
        undoes_id=undoes.id if undoes else None,
    )
    tx.connection.execute(
        update(OfferState)
        .where(OfferState.offer_id == offer_id, OfferState.version == state.version)
        .values(
            status=to,
            version=state.version + 1,
            viewed_at=viewed,
            decided_at=(state.decided_at if to == state.status else tx.at) if to in DECIDED else None,
            updated_at=tx.at,
        )
    )
    kind = "offer.viewed" if state.status == "new" and to == "viewed" else "offer.decided"
    data: dict[str, Any] = {"from": state.status, "to": to, "decision": str(decision_id)}
    data |= {"reason": witness(reason), "message": witness(message)}
    data |= {"undoes": str(undoes.id)} if undoes else {}
    tx.record(kind, offer_id, by, data | ({"despite": list(despite)} if despite else {}))
    return decision_id
