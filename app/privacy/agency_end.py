"""The end of an agency, after its export: what it held is deleted, and the ledger and its checkpoints stay.

Offers are forgotten as every offer is, then everything that may be deleted is, and the agency's keys with it: what the
database never deletes (documents, events) can be read by nobody any more. A run that was killed is run again.
"""

from __future__ import annotations

import uuid
from typing import Any

from flask import current_app
from sqlalchemy import delete, exists, select, update

from app.core.clock import now
from app.core.database import scrub
from app.core.errors import Conflict
from app.core.language import msgid
from app.core.ledger import SYSTEM
from app.core.unit_of_work import UnitOfWork, writing
from app.extensions import db
from app.models import (
    Account,
    Agency,
    ApiKey,
    Base,
    Delivery,
    Invitation,
    Kept,
    LedgerEntry,
    OfferState,
    Property,
    PropertyFeed,
    User,
    UserSession,
    WebhookEndpoint,
)
from app.privacy import erasure
from app.proof import checkpoints
from app.properties import editing as properties

NOT_EXPORTED = msgid("Export the agency first, and delete it before anything else happens in it")
UNDER_WAY = msgid("Something is being delivered at this moment: try again in a minute")
NOTHING = "–"
# Rows that others which never go point at, or that the ledger is held against; what they say of people is emptied.
STAY = {"agency", "user", "property", "offer_state", "offer_request", "seller_link"}
OF_PROPERTY = {"archived_at", "told_at", "slowed_at", "offers_open_at", "offers_close_at"}  # moments


def end(agency_id: uuid.UUID) -> int:
    """Delete an agency, and its test agency; returns how many offers were forgotten. Raises `Conflict` where the last
    thing that happened is not its export."""
    _close(agency_id, exported=True)
    tests = list(db.session.scalars(select(Agency.id).where(Agency.test_of_id == agency_id, Agency.ended_at.is_(None))))
    for test_id in tests:
        _close(test_id, exported=False)
        _forget(test_id)
    return _forget(agency_id)


def _close(agency_id: uuid.UUID, *, exported: bool) -> None:
    """Nobody signs in, calls or sends any more."""
    with writing(agency_id) as tx:
        last = select(LedgerEntry.kind).where(LedgerEntry.agency_id == agency_id).order_by(LedgerEntry.seq.desc())
        begun = select(LedgerEntry.seq).where(LedgerEntry.agency_id == agency_id, LedgerEntry.kind == "agency.ending")
        if tx.connection.scalar(begun.limit(1)) is not None:
            return
        if exported and tx.connection.scalar(last.limit(1)) != "agency.exported":
            raise Conflict(NOT_EXPORTED)
        tx.record("agency.ending", agency_id, SYSTEM)
        people = select(User.account_id).where(User.agency_id == agency_id, User.account_id.is_not(None))
        accounts = list(tx.connection.scalars(select(Account.id).where(Account.id.in_(people)).with_for_update()))
        for table in (UserSession, Invitation, PropertyFeed):
            _delete(tx, table)
        _set(tx, User, active=False, account_id=None)
        elsewhere = exists().where(User.account_id == Account.id)
        tx.connection.execute(delete(Account).where(Account.id.in_(accounts), ~elsewhere))
        _set(tx, ApiKey, revoked_at=tx.at)
        _set(tx, WebhookEndpoint, off_at=tx.at, off_reason="owner")
        for prop in db.session.scalars(select(Property).where(Property.agency_id == agency_id)).all():
            properties.archive(prop, by=SYSTEM)
        tx.flush()
        waiting = (Delivery.agency_id == agency_id, Delivery.state == "pending")
        tx.connection.execute(update(Delivery).where(*waiting).values(state="cancelled", ended_at=tx.at))
        tx.connection.execute(update(Agency).where(Agency.id == agency_id).values(has_webhooks=False))


def _forget(agency_id: uuid.UUID) -> int:
    known = select(OfferState.offer_id).where(OfferState.agency_id == agency_id, OfferState.erased_at.is_(None))
    forgotten = erasure.erase_all(agency_id, db.session.scalars(known).all(), "agency")
    with writing(agency_id) as tx:
        sending = (Delivery.agency_id == agency_id, Delivery.state == "leased", Delivery.lease_until > now())
        if tx.connection.scalar(select(Delivery.id).where(*sending).limit(1)):
            raise Conflict(UNDER_WAY)
        tx.record("agency.ended", agency_id, SYSTEM)
        models = {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}
        for table in reversed(Base.metadata.sorted_tables):
            deletable = models[table.name].__kept__.kept is not Kept.APPEND
            if deletable and "agency_id" in table.columns and table.name not in STAY:
                _delete(tx, models[table.name])
        _empty(tx)
    held: dict[tuple[uuid.UUID, str], bytes] = current_app.extensions["bidflux_agency_keys"]
    for known_as in [name for name in held if name[0] == agency_id]:
        held.pop(known_as, None)
    scrub(db.engine)
    checkpoints.take(agency_id)
    return forgotten


def _empty(tx: UnitOfWork) -> None:
    """What stays of people, properties and the agency itself tells nothing."""
    for user_id in tx.connection.scalars(select(User.id).where(User.agency_id == tx.agency_id)).all():
        blank = {"email": _nowhere(user_id), "full_name": NOTHING, "phone": None, "read_in": None}
        tx.connection.execute(update(User).where(User.id == user_id).values(**blank))
    columns = [column for column in Property.__table__.columns if column.nullable and column.name not in OF_PROPERTY]
    _set(tx, Property, title=NOTHING, field_rules={}, **dict.fromkeys(column.name for column in columns))
    nobody: dict[str, Any] = dict.fromkeys(("phone", "company", "privacy_contact"))
    nobody |= {"name": NOTHING, "email": _nowhere(tx.agency_id), "ended_at": tx.at}
    tx.connection.execute(update(Agency).where(Agency.id == tx.agency_id).values(**nobody))


def _nowhere(row_id: uuid.UUID) -> str:
    return f"{row_id.hex}@deleted.invalid"


def _set(tx: UnitOfWork, table: Any, **values: Any) -> None:
    tx.connection.execute(update(table).where(table.agency_id == tx.agency_id).values(**values))


def _delete(tx: UnitOfWork, table: Any) -> None:
    tx.connection.execute(delete(table).where(table.agency_id == tx.agency_id))
