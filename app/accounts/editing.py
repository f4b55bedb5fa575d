"""Agencies, the people in them, and their sessions."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from flask import g
from flask_babel import lazy_gettext
from sqlalchemy import Connection, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.accounts import facts as account_facts
from app.accounts.api_keys import SHOWN, key_hash, new_key
from app.accounts.passwords import MAX_PASSWORD, check_password
from app.core import keys
from app.core.access import SCOPES, Person
from app.core.clock import now
from app.core.errors import Invalid, StaleVersion
from app.core.ids import new_id
from app.core.language import DEFAULT
from app.core.ledger import SYSTEM, Actor
from app.core.quotas import hold_rows
from app.core.unit_of_work import UnitOfWork, housekeeping, writing
from app.extensions import db
from app.models import Agency, ApiKey, StaffAddress, User, UserSession
from app.models.agency import AGENT

SESSION_LIFE = timedelta(days=14)
SEEN_EVERY = timedelta(minutes=5)
IN_NOTICE = ("name", "email", "phone", "company", "privacy_contact")  # what the privacy notice says of an agency
EMAIL_TAKEN = lazy_gettext("Someone already signs in with this address")
UNCHANGED = lazy_gettext("This is the password that you have: choose another")
NOT_PRESENT = lazy_gettext("This is not your present password")

hasher = PasswordHasher()


@cache
def _nobody() -> str:
    """A hash that no password fits: an unknown address must take as long as a wrong password."""
    return hasher.hash(secrets.token_hex(16))


def create_agency(
    name: str,
    email: str,
    *,
    zone: str = "Europe/Bucharest",
    language: str = DEFAULT,
    currency: str = "EUR",
    test_of: uuid.UUID | None = None,
    then: Callable[[UnitOfWork], None] | None = None,
) -> uuid.UUID:
    """Make a tenant with its keys; `create_user` adds people. `test_of` is the agency whose test agency this is, and
    `then` writes what belongs to the same transaction. Raises `Invalid` for values that the pages refuse."""
    facts: dict[str, Any] = {"name": name, "email": email, "zone": zone, "language": language, "currency": currency}
    facts = facts if test_of else account_facts.of_agency(facts)  # an older rule may have let its agency's pass
    agency_id = new_id()

    def founded(connection: Connection) -> None:
        db.session.add(
            Agency(
                id=agency_id,
                **facts,
                created_at=now(),
                head_seq=0,
                head_hash=bytes(32),
                event_seq=0,
                colleagues_read=False,
                test_of_id=test_of,
            )
        )
        db.session.flush()
        _note_address(connection, agency_id, facts["email"], now())
        keys.create_agency_keys(connection, agency_id)

    with writing(agency_id, founded=founded) as tx:
        tx.record("agency.created", agency_id, SYSTEM)
        if then:
            then(tx)
    return agency_id


@dataclass(frozen=True, slots=True)
class NewUser:
    email: str
    full_name: str
    role: str = AGENT
    phone: str | None = None
    language: str = DEFAULT


def create_user(
    agency_id: uuid.UUID,
    new: NewUser,
    password: str,
    *,
    by: Actor = SYSTEM,
    hashed: str | None = None,
    then: Callable[[UnitOfWork, uuid.UUID], None] | None = None,
) -> uuid.UUID:
    """`then` writes what belongs to the same transaction; `hashed` is the password, where it had to be hashed before.
    Raises `Invalid` for a taken address, an unfit password, or values that the pages refuse."""
    facts = account_facts.of_user(asdict(new))
    check_password(password, _known_of(agency_id, new.email, new.full_name, new.phone))
    hashed, user_id = hashed or hasher.hash(password), new_id()
    try:
        with writing(agency_id) as tx:
            hold_rows(tx, "users", select(User.id).where(User.agency_id == agency_id))
            db.session.add(
                User(
                    id=user_id,
                    agency_id=agency_id,
                    **facts,
                    password_hash=hashed,
                    active=True,
                    created_at=tx.at,
                )
            )
            db.session.flush()
            _note_address(tx.connection, agency_id, facts["email"], tx.at)
            tx.record("user.created", user_id, by, {"role": facts["role"]})
            if then:
                then(tx, user_id)
    except IntegrityError:
        raise Invalid({"email": [EMAIL_TAKEN]}) from None
    return user_id


def set_password(
    user: User, password: str, *, by: Actor, keep_session: uuid.UUID | None = None, only_once: bool = False
) -> None:
    """Change a password and end the person's other sessions. Raises `Invalid` for an unfit password or the present one;
    with `only_once` also `StaleVersion`, when it has changed since the caller read it or the person has left."""
    check_password(password, _known_of(user.agency_id, user.email, user.full_name, user.phone))
    if _fits(user.password_hash, password):
        raise Invalid({"password": [UNCHANGED]})
    hashed, user_id, seen = hasher.hash(password), user.id, user.password_hash
    mine = update(User).where(User.id == user_id)
    if only_once:
        mine = mine.where(User.password_hash == seen, User.active)
    with writing(user.agency_id) as tx:
        if not tx.connection.execute(mine.values(password_hash=hashed)).rowcount:
            raise StaleVersion
        others = delete(UserSession).where(UserSession.user_id == user_id)
        tx.connection.execute(others if keep_session is None else others.where(UserSession.id != keep_session))
        tx.record("user.password_changed", user_id, by)


def no_password() -> str:
    """A hash that no password fits, for who has to choose one first."""
    return hasher.hash(secrets.token_hex(32))


def authenticate(email: str, password: str) -> User | None:
    """The user, or None. Hashes for an unknown address as for a wrong password. Throttle before calling."""
    user = db.session.scalar(select(User).where(User.email == email.strip().lower(), User.active))
    return user if _fits(user.password_hash if user else _nobody(), password) else None


def _fits(hashed: str, password: str) -> bool:
    """What nobody can have chosen is not hashed."""
    if len(password) > MAX_PASSWORD:
        return False
    try:
        return hasher.verify(hashed, password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False


def _known_of(agency_id: uuid.UUID, *person: str | None) -> list[str]:
    """What everybody knows of a person: an agency's name and address among it."""
    agency = db.session.execute(select(Agency.name, Agency.email).where(Agency.id == agency_id)).one()
    return [text for text in (*agency, *person) if text]


def password_mark(email: str) -> str:
    """Changes whenever the password does; the same for every unknown address."""
    found = db.session.scalar(select(User.password_hash).where(User.email == email.strip().lower(), User.active))
    return _hash(found or "").hex()


def start_session(user: User, browser: str) -> str:
    """A new session; returns the random token for the cookie, of which only the hash is kept."""
    token, at = secrets.token_urlsafe(32), now()
    with housekeeping() as connection:
        connection.execute(delete(UserSession).where(UserSession.expires_at < at))
        db.session.add(
            UserSession(
                token_hash=_hash(token),
                id=new_id(),
                agency_id=user.agency_id,
                user_id=user.id,
                browser=browser[:60],
                created_at=at,
                seen_at=at,
                expires_at=at + SESSION_LIFE,
            )
        )
    return token


def find_session(token: str) -> Person | None:
    """Whoever the cookie's token names, while the session lives."""
    at = now()
    row = db.session.execute(_BY_TOKEN, {"token": _hash(token), "at": at}).one_or_none()
    if row is None:
        return None
    user, agency, session_id, seen_at = row
    if at - seen_at > SEEN_EVERY:
        g.unseen = session_id
    return Person(user, agency, session_id, token)


# Asked at every page: building it would take longer than running it.
_BY_TOKEN = (
    select(User, Agency, UserSession.id, UserSession.seen_at)
    .join(UserSession, UserSession.user_id == User.id)
    .join(Agency, Agency.id == User.agency_id)
    .where(UserSession.token_hash == bindparam("token"), UserSession.expires_at > bindparam("at"), User.active)
)


def note_seen(session_id: uuid.UUID) -> None:
    """Note when a session was last used, every few minutes at most: a page is not worth a write."""
    at = now()
    mine = (UserSession.id == session_id, UserSession.seen_at < at - SEEN_EVERY)
    with housekeeping() as connection:
        connection.execute(update(UserSession).where(*mine).values(seen_at=at))


def end_session(session_id: uuid.UUID, user_id: uuid.UUID) -> None:
    """Sign one browser out; a session that is not the user's is left alone."""
    with housekeeping() as connection:
        connection.execute(delete(UserSession).where(UserSession.id == session_id, UserSession.user_id == user_id))


def sessions_of(user_id: uuid.UUID) -> list[UserSession]:
    """The browsers in which a person is signed in, newest first."""
    query = select(UserSession).where(UserSession.user_id == user_id, UserSession.expires_at > now())
    return list(db.session.scalars(query.order_by(UserSession.created_at.desc())))


def check_present_password(user: User, password: str) -> None:
    """Raise `Invalid` unless this is the person's password. Throttle before calling."""
    if not _fits(user.password_hash, password):
        raise Invalid({"present": [NOT_PRESENT]})


def change_user(user: User, values: Mapping[str, Any], *, by: Actor) -> None:
    """Set `full_name`, `phone`, `language` or `shortcuts`; raises `Invalid`."""
    user_id, values = user.id, account_facts.of_user(values)
    with writing(user.agency_id) as tx:
        tx.connection.execute(update(User).where(User.id == user_id).values(**values))
        tx.record("user.changed", user_id, by, {"fields": sorted(values)})


def change_agency(agency: Agency, values: Mapping[str, Any], *, by: Actor) -> None:
    """Set any of `name`, `email`, `phone`, `company`, `privacy_contact`, `zone`, `language`, `currency`,
    `colleagues_read`, `bidders_see_status`; raises `Invalid`."""
    agency_id, values = agency.id, account_facts.of_agency(values)
    told = any(name in values and values[name] != getattr(agency, name) for name in IN_NOTICE)
    with writing(agency_id) as tx:
        moment = {"facts_at": tx.at} if told else {}
        tx.connection.execute(update(Agency).where(Agency.id == agency_id).values(**values, **moment))
        for name in ("email", "privacy_contact"):
            if values.get(name):
                _note_address(tx.connection, agency_id, values[name], tx.at)
        tx.record("agency.changed", agency_id, by, {"fields": sorted(values)})


def _note_address(connection: Connection, agency_id: uuid.UUID, email: str, at: datetime) -> None:
    """That it is one of ours is remembered: see `app.offers.mailboxes`."""
    row = {"agency_id": agency_id, "email": email.lower()}
    if connection.scalar(select(StaffAddress.since).filter_by(**row)) is None:
        connection.execute(insert(StaffAddress), {**row, "since": at})


def create_api_key(
    agency_id: uuid.UUID,
    name: str,
    *,
    by: Actor,
    scopes: Sequence[str] = SCOPES,
    expires_at: datetime | None = None,
    test: bool = False,
) -> str:
    """A new key for the CRM; shown this once, kept only as its SHA-256. A test key belongs to a test agency.

    Raises `Invalid` for a name that is empty or too long.
    """
    name = account_facts.of_key({"name": name})["name"]
    key, key_id = new_key(test=test), new_id()
    with writing(agency_id) as tx:
        standing = select(ApiKey.id).where(ApiKey.agency_id == agency_id, ApiKey.revoked_at.is_(None))
        hold_rows(tx, "api_keys", standing)
        db.session.add(
            ApiKey(
                id=key_id,
                agency_id=agency_id,
                name=name,
                prefix=key[:SHOWN],
                key_hash=key_hash(key),
                scopes=" ".join(scopes),
                created_at=tx.at,
                expires_at=expires_at,
            )
        )
        tx.record("api_key.created", key_id, by, {"scopes": list(scopes)})
    return key


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
