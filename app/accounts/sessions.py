"""What a person does about their sessions: sees them, ends them, shows again who they are."""

from __future__ import annotations

import ipaddress
import uuid
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, select, update

from app.core.access import Person
from app.core.clock import now
from app.core.ledger import Actor
from app.core.unit_of_work import housekeeping, writing
from app.extensions import db
from app.models import User, UserSession

PROVEN_FOR = timedelta(minutes=5)
PREFIXES = {4: 24, 6: 48}


def place_of(address: str) -> str:
    """The network of an address: whose it is may be guessed, where it is must not."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return str(ipaddress.ip_network(f"{found}/{PREFIXES[found.version]}", strict=False))


def sessions_of(user: User) -> list[UserSession]:
    """The browsers in which a person is signed in, in whichever of their agencies, newest first."""
    query = select(UserSession).join(User, User.id == UserSession.user_id)
    query = query.where(User.account_id == user.account_id, UserSession.expires_at > now())
    return list(db.session.scalars(query.order_by(UserSession.created_at.desc())))


def sign_out(person: Person) -> None:
    """End this browser's session."""
    with housekeeping() as connection:
        connection.execute(delete(UserSession).where(UserSession.id == person.session_id))


def end_session(session_id: uuid.UUID, user: User, *, by: Actor) -> None:
    """Sign one browser out; a session that is not the person's is left alone."""
    _end(user, by, UserSession.id == session_id)


def end_others(person: Person) -> None:
    """Sign the person out everywhere but here."""
    _end(person.user, person.actor, UserSession.id != person.session_id)


def _end(user: User, by: Actor, which: ColumnElement[bool]) -> None:
    user_id, mine = user.id, UserSession.user_id.in_(select(User.id).where(User.account_id == user.account_id))
    with writing(user.agency_id) as tx:
        ended = tx.connection.execute(delete(UserSession).where(mine, which)).rowcount
        if ended:
            tx.record("user.sessions_ended", user_id, by, {"sessions": ended})


def prove(session_id: uuid.UUID) -> None:
    """Note that the person has just shown again who they are."""
    with housekeeping() as connection:
        connection.execute(update(UserSession).where(UserSession.id == session_id).values(proven_at=now()))


def is_proven(session_id: uuid.UUID) -> bool:
    """Whether they did within the last five minutes."""
    at = db.session.scalar(select(UserSession.proven_at).where(UserSession.id == session_id))
    return at is not None and now() - at < PROVEN_FOR
