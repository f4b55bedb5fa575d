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
from flask import current_app
from flask_babel import lazy_gettext
from sqlalchemy import Connection, Select, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import joinedload

from app.accounts import facts as account_facts
from app.accounts.api_keys import SHOWN, key_hash, new_key
from app.accounts.passwords import MAX_PASSWORD, check_password
from app.core import keys
from app.core.access import SCOPES, Person
from app.core.clock import now
from app.core.errors import Invalid, NotFound, StaleVersion
from app.core.ids import new_id
from app.core.language import DEFAULT
from app.core.ledger import SYSTEM, Actor
from app.core.quotas import hold_rows
from app.core.unit_of_work import UnitOfWork, housekeeping, writing
from app.extensions import db
from app.models import Account, Agency, ApiKey, StaffAddress, User, UserSession
from app.models.agency import AGENT, OWNER

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
    """A person who signs in nowhere yet, in their first agency. `then` writes what belongs to the same transaction;
    `hashed` is the password, where it had to be hashed before. Raises `Invalid` for a taken address, an unfit password,
    or values that the pages refuse."""
    facts = account_facts.of_user(asdict(new))
    check_password(password, _known_of(agency_id, new.email, new.full_name, new.phone))
    hashed = hashed or hasher.hash(password)
    try:
        with writing(agency_id) as tx:
            account_id = open_account(tx, facts["email"], hashed, facts["language"])
            return add_user(tx, account_id, facts, by=by, then=then)
    except IntegrityError:
        raise Invalid({"email": [EMAIL_TAKEN]}) from None


def open_account(tx: UnitOfWork, email: str, password_hash: str, language: str) -> uuid.UUID:
    """What a person signs in with from now on; raises `IntegrityError` where the address signs in already."""
    row = {"id": new_id(), "email": email, "password_hash": password_hash, "language": language, "created_at": tx.at}
    tx.connection.execute(insert(Account), row)
    return row["id"]  # type: ignore[return-value]  # as it was put there


def add_user(
    tx: UnitOfWork,
    account_id: uuid.UUID,
    facts: Mapping[str, Any],
    *,
    by: Actor,
    then: Callable[[UnitOfWork, uuid.UUID], None] | None = None,
) -> uuid.UUID:
    """Put the person of an account into the agency; raises `IntegrityError` where they are, or once were."""
    user_id, own = new_id(), {name: value for name, value in facts.items() if name != "language"}
    hold_rows(tx, "users", select(User.id).where(User.agency_id == tx.agency_id))
    row = {"id": user_id, "agency_id": tx.agency_id, "account_id": account_id, **own, "created_at": tx.at}
    tx.connection.execute(insert(User), row)
    _note_address(tx.connection, tx.agency_id, facts["email"], tx.at)
    tx.record("user.created", user_id, by, {"role": facts["role"]})
    if then:
        then(tx, user_id)
    return user_id


def is_owner_somewhere(user: User) -> bool:
    """Whether the person is an owner of any of their agencies."""
    mine = select(User.id).where(User.account_id == user.account_id, User.role == OWNER)
    return db.session.scalar(mine.limit(1)) is not None


def account_of(email: str) -> Account | None:
    """Whoever signs in with an address."""
    return db.session.scalar(select(Account).where(Account.email == email.strip().lower()))


def member_of(account_id: uuid.UUID) -> User:
    """A person in the agency in which they were last."""
    mine = select(User).where(User.account_id == account_id).options(joinedload(User.account))
    return db.session.scalars(mine.order_by(*_LAST_CHOSEN).limit(1)).one()


_LAST_CHOSEN = (func.coalesce(User.chosen_at, User.created_at).desc(), User.id)


def switch(person: Person, user_id: uuid.UUID) -> None:
    """Go on in another of one's agencies, in this browser. Raises `NotFound` where the person is none of its people."""
    here = select(User.agency_id).where(User.id == user_id, User.account_id == person.user.account_id)
    session_id = person.session_id
    with housekeeping() as connection:
        agency_id = connection.scalar(here)
        if agency_id is None:
            raise NotFound
        connection.execute(update(User).where(User.id == user_id).values(chosen_at=now()))
        mine = update(UserSession).where(UserSession.id == session_id)
        connection.execute(mine.values(user_id=user_id, agency_id=agency_id))


def set_password(
    user: User, password: str, *, by: Actor, keep_session: uuid.UUID | None = None, only_once: bool = False
) -> None:
    """Change a password and end the person's other sessions, in all their agencies. Raises `Invalid` for an unfit
    password or the present one; with `only_once` also `StaleVersion`, when it has changed since the caller read it.
    `StaleVersion` too for who has left."""
    check_password(password, _known_of(user.agency_id, user.email, user.full_name, user.phone))
    account = user.account
    if account is None:
        raise StaleVersion
    if _fits(account.password_hash, password):
        raise Invalid({"password": [UNCHANGED]})
    hashed, user_id, account_id = hasher.hash(password), user.id, account.id
    mine = update(Account).where(Account.id == account_id)
    if only_once:
        mine = mine.where(Account.password_hash == account.password_hash)
    with writing(user.agency_id) as tx:
        if not tx.connection.execute(mine.values(password_hash=hashed)).rowcount:
            raise StaleVersion
        others = delete(UserSession).where(UserSession.user_id.in_(users_of_account(account_id)))
        tx.connection.execute(others if keep_session is None else others.where(UserSession.id != keep_session))
        tx.record("user.password_changed", user_id, by)
    tell_elsewhere(account_id, user_id, "user.password_changed", by)


def users_of_account(account_id: uuid.UUID) -> Select[uuid.UUID]:
    """A person in each of their agencies, by id."""
    return select(User.id).where(User.account_id == account_id)


def tell_elsewhere(
    account_id: uuid.UUID, user_id: uuid.UUID, kind: str, by: Actor, data: dict[str, Any] | None = None
) -> None:
    """Record in the person's other agencies too what was recorded in one: each can follow who signs in there. None of
    them learns of another, as each knows its own user alone."""
    others = select(User.id, User.agency_id).where(User.account_id == account_id, User.id != user_id)
    for other in db.session.execute(others).all():
        with writing(other.agency_id) as tx:
            tx.record(kind, other.id, Actor("user", other.id) if by.id == user_id else by, data)


def no_password() -> str:
    """A hash that no password fits, for who has to choose one first."""
    return hasher.hash(secrets.token_hex(32))


def authenticate(email: str, password: str) -> User | None:
    """The person in the agency where they were last, or None. Hashes for an unknown address as for a wrong password.
    Throttle before calling."""
    account = account_of(email)
    fits = _fits(account.password_hash if account else _nobody(), password)
    return member_of(account.id) if account and fits else None


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
    found = account_of(email)
    return token_hash(found.password_hash if found else "").hex()


def start_session(user: User, browser: str, place: str = "") -> str:
    """A new session; returns the random token for the cookie, of which only the hash is kept."""
    token, at = secrets.token_urlsafe(32), now()
    with housekeeping() as connection:
        connection.execute(delete(UserSession).where(UserSession.expires_at < at))
        db.session.add(
            UserSession(
                token_hash=token_hash(token),
                id=new_id(),
                agency_id=user.agency_id,
                user_id=user.id,
                browser=browser[:60],
                place=place,
                proven_at=at,
                created_at=at,
                seen_at=at,
                expires_at=min(at + _idle(), at + _longest()),
            )
        )
    return token


def _longest() -> timedelta:
    """How long a session lives at most."""
    return timedelta(days=current_app.extensions["bidflux_settings"].session_days)


def _idle() -> timedelta:
    """How long it lives unused."""
    return timedelta(hours=current_app.extensions["bidflux_settings"].session_idle_hours)


def note_seen(session_id: uuid.UUID) -> None:
    """Note when a session was last used, every few minutes at most: a page is not worth a write. It lives
    on from there, no longer than any."""
    at = now()
    mine = (UserSession.id == session_id, UserSession.seen_at < at - SEEN_EVERY)
    with housekeeping() as connection:
        began = connection.scalar(select(UserSession.created_at).where(*mine))
        if began is not None:
            until = min(at + _idle(), began + _longest())
            connection.execute(update(UserSession).where(*mine).values(seen_at=at, expires_at=until))


def check_present_password(user: User, password: str) -> None:
    """Raise `Invalid` unless this is the person's password. Throttle before calling."""
    if user.account is None or not _fits(user.account.password_hash, password):
        raise Invalid({"present": [NOT_PRESENT]})


def change_user(user: User, values: Mapping[str, Any], *, by: Actor) -> None:
    """Set `full_name` and `phone`, which are of the agency, `language` and `shortcuts`, which are the person's own;
    raises `Invalid`."""
    user_id, account_id, values = user.id, user.account_id, account_facts.of_user(values)
    own = {name: values[name] for name in ("language", "shortcuts") if name in values}
    here = {name: value for name, value in values.items() if name not in own}
    with writing(user.agency_id) as tx:
        if here:
            tx.connection.execute(update(User).where(User.id == user_id).values(**here))
        if own:
            tx.connection.execute(update(Account).where(Account.id == account_id).values(**own))
        tx.record("user.changed", user_id, by, {"fields": sorted(values)})


def change_agency(agency: Agency, values: Mapping[str, Any], *, by: Actor) -> None:
    """Set any of `name`, `email`, `phone`, `company`, `privacy_contact`, `zone`, `language`, `currency`,
    `colleagues_read`, `bidders_see_status`, `needs_factor`; raises `Invalid`."""
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


def token_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
