"""Compares the status of offers with the rows that it follows from, and those with the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import aliased

from app.extensions import db
from app.models import (
    Base,
    Confirmation,
    ConfirmationBody,
    Decision,
    LedgerEntry,
    Offer,
    OfferFile,
    OfferKey,
    OfferState,
    Property,
    Supersession,
    Tombstone,
    Withdrawal,
)
from app.models.followup import HELD_LINK
from app.models.offer import COPIED
from app.offers.chain import replaced_by
from app.offers.entry import differs
from app.offers.signed import counts_as_signed

BATCH = 2_000
DECIDED = ("offer.viewed", "offer.decided")
# Rows that are appended with an entry in the same moment, and the kinds of that entry.
APPENDED: dict[type[Any], tuple[str, ...]] = {
    Withdrawal: ("offer.withdrawn",),
    Confirmation: ("offer.confirmed", "offer.code_confirmed", "offer.answered"),
    Tombstone: ("offer.erased",),
}


# Whose rows can be read as another agency's, once their own column says so.
OF_OFFERS: tuple[Any, ...] = tuple(
    one.class_
    for one in sorted(Base.registry.mappers, key=lambda one: one.class_.__name__)
    if {"agency_id", "offer_id"} <= set(one.columns.keys())
)


class _Data(msgspec.Struct):
    """What entries about an offer say beside their columns; the names of the rest are in the entry's body."""

    commitment: str | None = None
    decision: str | None = None
    undoes: str | None = None
    proof: str | None = None
    previous: str | None = None
    sha256: str | None = None
    reason: str | None = None
    message: str | None = None
    before: str | None = msgspec.field(default=None, name="from")
    to: str | None = None


class _Body(msgspec.Struct):
    data: _Data


_read = msgspec.json.Decoder(_Body).decode


def standing_faults(agency_id: uuid.UUID) -> Iterator[str]:
    """What does not hold, a line each."""
    claims = _claims()
    offers = select(Offer.reference).join(OfferState, OfferState.offer_id == Offer.id, isouter=True)
    offers = offers.where(Offer.agency_id == agency_id)
    if db.session.scalar(offers.where(or_(*claims.values())).limit(1)):  # all at once: most registers hold
        for words, claim in claims.items():
            for reference in db.session.scalars(offers.where(claim).order_by(Offer.submitted_at)):
                yield f"offer {reference}: {words}"
    for table, kinds in APPENDED.items():
        yield from readable(table.__tablename__, _appended(agency_id, table, kinds))
    yield from readable("confirmation", _proofs(agency_id))
    yield from readable("tombstone", _reasons(agency_id))
    yield from readable("supersession", _replacements(agency_id))
    yield from readable("decision", _decisions(agency_id))
    yield from readable("receipt or confirmation", _pinned(agency_id))
    yield from _strays(agency_id)


def readable(what: str, found: Iterator[str]) -> Iterator[str]:
    """What was found; where a row cannot even be read, that, and all else goes on."""
    try:
        yield from found
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as fault:
        yield f"a {what} holds what it never can ({type(fault).__name__})"


def _strays(agency_id: uuid.UUID) -> Iterator[str]:
    """What belongs to an offer and stands under another agency, where that one's people would see it; and offers whose
    property is not this agency's."""
    its = (Property.id == Offer.property_id, Property.agency_id == Offer.agency_id)
    lost = select(Offer.reference).where(Offer.agency_id == agency_id, ~exists().where(*its))
    for reference in db.session.scalars(lost):
        yield f"offer {reference}: its property is not there, or another agency's"
    for table in OF_OFFERS:
        moved = select(Offer.reference).join(table, and_(table.offer_id == Offer.id, table.agency_id != agency_id))
        for reference in db.session.scalars(moved.where(Offer.agency_id == agency_id).distinct()):
            yield f"offer {reference}: its {table.__tablename__} is another agency's"


def _claims() -> dict[str, ColumnElement[bool]]:
    """What is said of an offer of which the condition is true."""
    listed = OfferState.offer_id.is_not(None)
    copies = [getattr(Offer, name) != getattr(OfferState, name) for name in COPIED]
    copies.append(and_(OfferState.erased_at.is_(None), OfferState.signed != counts_as_signed()))
    later = aliased(Offer)
    followed = exists().where(later.agency_id == Offer.agency_id, later.previous_id == Offer.id)
    replaced = or_(followed, exists().where(Supersession.previous_id == Offer.id))
    withdrawn = exists().where(Withdrawal.offer_id == Offer.id)
    erased, keyed = exists().where(Tombstone.offer_id == Offer.id), exists().where(OfferKey.offer_id == Offer.id)
    return {
        "the list does not have it": ~listed,
        "the list's copy of a column differs": and_(listed, or_(*copies)),
        "it counts as replaced, and nothing replaces it": and_(listed, ~OfferState.latest, ~replaced),
        "it was replaced, and counts as the latest": and_(listed, OfferState.latest, replaced),
        "withdrawn and its list do not agree": and_(listed, OfferState.withdrawn_at.is_not(None) != withdrawn),
        "forgotten and its list do not agree": and_(listed, OfferState.erased_at.is_not(None) != erased),
        "its key is gone, and nobody was forgotten": and_(~keyed, ~erased),
        "it was erased and its key is still there": and_(keyed, erased),
        "when it was withdrawn, forgotten, opened or decided is not when that was done": and_(listed, or_(*_moments())),
        "its status is not what was decided last": and_(listed, _undecided()),
    }


def _moments() -> Iterator[ColumnElement[bool]]:
    """A fault for a moment in the list at which nothing of the kind was done."""
    at = OfferState
    for held, done in (
        (at.withdrawn_at, exists().where(Withdrawal.offer_id == Offer.id, Withdrawal.at == at.withdrawn_at)),
        (at.erased_at, exists().where(Tombstone.offer_id == Offer.id, Tombstone.at == at.erased_at)),
    ):
        yield and_(held.is_not(None), ~done)
    yield at.viewed_at.is_distinct_from(_first_seen())
    answered = case((at.status.in_(("accepted", "rejected")), _last_moved()))
    yield at.decided_at.is_distinct_from(answered)


def _first_seen() -> Any:
    """When an offer was first opened or answered; what was taken back was not."""
    undoing = aliased(Decision)
    undone = exists().where(undoing.agency_id == Decision.agency_id, undoing.undoes_id == Decision.id)
    its = (Decision.agency_id == Offer.agency_id, Decision.offer_id == Offer.id)
    seen = (Decision.to_status != "new", Decision.undoes_id.is_(None), ~undone)
    return select(func.min(Decision.at)).where(*its, *seen).scalar_subquery()


def _last_moved() -> Any:
    """When an offer came to the status that it has."""
    its = (Decision.agency_id == Offer.agency_id, Decision.offer_id == Offer.id)
    return select(func.max(Decision.at)).where(*its, Decision.from_status != Decision.to_status).scalar_subquery()


def _undecided() -> ColumnElement[bool]:
    last = (
        select(Decision.to_status)
        .where(Decision.agency_id == Offer.agency_id, Decision.offer_id == Offer.id)
        .order_by(Decision.at.desc(), Decision.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    return OfferState.status != func.coalesce(last, "new")


def _appended(agency_id: uuid.UUID, table: Any, kinds: tuple[str, ...]) -> Iterator[str]:
    """Rows without their entry, and entries without their row."""
    entry = (LedgerEntry.agency_id == agency_id, LedgerEntry.kind.in_(kinds))
    same = and_(LedgerEntry.object_id == table.offer_id, LedgerEntry.at == table.at)
    rows = select(table.offer_id).where(table.agency_id == agency_id, ~exists().where(*entry, same))
    for offer_id in db.session.scalars(rows):
        yield f"offer {offer_id}: its {table.__tablename__} is not in the ledger"
    entries = select(LedgerEntry.seq, LedgerEntry.object_id).where(
        *entry, ~exists().where(table.agency_id == agency_id, same)
    )
    for row in db.session.execute(entries.order_by(LedgerEntry.seq)):
        yield f"offer {row.object_id}: entry {row.seq} has no {table.__tablename__}"


def _proofs(agency_id: uuid.UUID) -> Iterator[str]:
    """What shows that a bidder confirmed, as its entry says; an entry that says nothing of it shows nothing."""
    same = and_(LedgerEntry.object_id == Confirmation.offer_id, LedgerEntry.at == Confirmation.at)
    query = (
        select(Confirmation.offer_id, Confirmation.proof, LedgerEntry.kind, LedgerEntry.body)
        .join(LedgerEntry, and_(LedgerEntry.agency_id == agency_id, same))
        .where(Confirmation.agency_id == agency_id, LedgerEntry.kind.in_(APPENDED[Confirmation]))
    )
    for row in db.session.execute(query, execution_options={"yield_per": BATCH}):
        said = _data(row.body).proof or (HELD_LINK if row.kind == "offer.confirmed" else row.proof)
        if said != row.proof:
            yield f"offer {row.offer_id}: what proves its confirmation is not what the ledger says"


def _reasons(agency_id: uuid.UUID) -> Iterator[str]:
    """Why somebody was forgotten, as its entry says."""
    same = and_(LedgerEntry.object_id == Tombstone.offer_id, LedgerEntry.at == Tombstone.at)
    query = (
        select(Tombstone.offer_id, Tombstone.reason, LedgerEntry.body)
        .join(LedgerEntry, and_(LedgerEntry.agency_id == agency_id, LedgerEntry.kind == "offer.erased", same))
        .where(Tombstone.agency_id == agency_id)
    )
    for row in db.session.execute(query, execution_options={"yield_per": BATCH}):
        if _data(row.body).reason != row.reason:
            yield f"offer {row.offer_id}: why it was forgotten is not what the ledger says"


def _replacements(agency_id: uuid.UUID) -> Iterator[str]:
    """What took another's place as its entry says; and no recorded offer took one without an entry."""
    entry = (LedgerEntry.agency_id == agency_id, LedgerEntry.kind == "offer.replaced")
    query = (
        select(LedgerEntry.seq, LedgerEntry.object_id, LedgerEntry.body, replaced_by().label("previous"))
        .join(Offer, Offer.id == LedgerEntry.object_id, isouter=True)
        .where(*entry)
        .order_by(LedgerEntry.seq)
    )
    for row in db.session.execute(query, execution_options={"yield_per": BATCH}):
        if row.previous is None or _data(row.body).previous != str(row.previous):
            yield f"offer {row.object_id}: what it replaced is not what the ledger says (entry {row.seq})"
    same = and_(LedgerEntry.object_id == Supersession.offer_id, LedgerEntry.at == Supersession.at)
    alone = select(Supersession.offer_id).where(Supersession.agency_id == agency_id, ~exists().where(*entry, same))
    for offer_id in db.session.scalars(alone):
        yield f"offer {offer_id}: that it replaced another is not in the ledger"


def _decisions(agency_id: uuid.UUID) -> Iterator[str]:
    """Each step of status against its entry, and the other way round."""
    same = and_(
        Decision.agency_id == LedgerEntry.agency_id,
        Decision.offer_id == LedgerEntry.object_id,
        Decision.at == LedgerEntry.at,
    )
    mine = (LedgerEntry.agency_id == agency_id, LedgerEntry.kind.in_(DECIDED))
    step = (Decision.id, Decision.from_status, Decision.to_status, Decision.actor_type, Decision.actor_id)
    query = (
        select(LedgerEntry.seq, LedgerEntry.object_id, LedgerEntry.body, LedgerEntry.actor_type.label("by"))
        .add_columns(LedgerEntry.actor_id.label("by_id"), *step, Decision.undoes_id)
        .add_columns(Decision.reason_ct, Decision.message_ct)
        .join(Decision, same, isouter=True)
        .where(*mine)
        .order_by(LedgerEntry.seq)
    )
    for row in db.session.execute(query, execution_options={"yield_per": BATCH}):
        if row.id is None:
            yield f"offer {row.object_id}: entry {row.seq} has no decision"
            continue
        said, undoes = _data(row.body), str(row.undoes_id) if row.undoes_id else None
        held = (str(row.id), row.from_status, row.to_status, row.actor_type, row.actor_id, undoes)
        if held != (said.decision, said.before, said.to, row.by, row.by_id, said.undoes):
            yield f"offer {row.object_id}: its decision is not the one in the ledger (entry {row.seq})"
        for name, sealed in (("reason", row.reason_ct), ("message", row.message_ct)):
            if differs(getattr(said, name), sealed):
                yield f"offer {row.object_id}: the {name} of its decision is not what the ledger names"
    alone = select(Decision.offer_id).where(Decision.agency_id == agency_id, ~exists().where(*mine, same))
    for offer_id in db.session.scalars(alone):
        yield f"offer {offer_id}: its decision is not in the ledger"


def _pinned(agency_id: uuid.UUID) -> Iterator[str]:
    """What entries name by a hash: what was said in a confirmation, and the latest receipt."""
    for table, kind, name, words in (
        (ConfirmationBody, "offer.confirmed", "commitment", "what its confirmation says"),
        (OfferFile, "receipt.sealed", "sha256", "its receipt"),
    ):
        held = getattr(table, name)
        said = aliased(LedgerEntry)
        last = (
            select(func.max(said.seq))
            .where(said.agency_id == agency_id, said.object_id == table.offer_id, said.kind == kind)
            .correlate(table)
            .scalar_subquery()
        )
        query = (
            select(table.offer_id, held, LedgerEntry.body)
            .join(
                LedgerEntry,
                and_(LedgerEntry.agency_id == agency_id, LedgerEntry.seq == last),
                isouter=True,
            )
            .where(table.agency_id == agency_id)
        )
        if table is OfferFile:
            query = query.where(OfferFile.kind == "receipt")
        for offer_id, digest, body in db.session.execute(query, execution_options={"yield_per": BATCH}):
            if body is None or getattr(_data(body), name) != digest.hex():
                yield f"offer {offer_id}: {words} is not what the ledger names"


def _data(body: object) -> _Data:
    """What an entry says; nothing where somebody put something else in its place."""
    try:
        return _read(body).data  # type: ignore[arg-type]  # SQLite holds what it was given
    except (ValueError, TypeError):
        return _Data()
