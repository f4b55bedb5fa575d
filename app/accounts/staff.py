"""What an owner does about colleagues and API keys."""

from __future__ import annotations

import uuid
from typing import Any

from flask_babel import lazy_gettext
from sqlalchemy import ColumnElement, delete, exists, func, select, update

from app.accounts import editing as accounts
from app.core.collation import alphabetically
from app.core.errors import Invalid, NotFound
from app.core.ledger import Actor
from app.core.subjects import about
from app.core.unit_of_work import writing
from app.extensions import db
from app.models import Account, Agency, ApiKey, Property, User, UserSession
from app.models.agency import ASSISTANT, OWNER
from app.properties import editing as properties

LAST_OWNER = lazy_gettext("An agency needs at least one administrator")
ACTIVE = lazy_gettext("This person can sign in already")
LEFT = lazy_gettext("This person cannot sign in any more")
RESPONSIBLE = lazy_gettext("This person is responsible for properties: make somebody else responsible for them first")
NO_HEIR = lazy_gettext("Choose an agent or administrator who takes over the properties")
ONESELF = lazy_gettext("You cannot deactivate yourself")


def users_of(agency_id: uuid.UUID) -> list[User]:
    """Everybody who signs in, or once did: the active first, by name."""
    query = (
        select(User).where(User.agency_id == agency_id).order_by(User.active.desc(), *alphabetically(User.full_name))
    )
    return list(db.session.scalars(query))


def get_user(agency_id: uuid.UUID, user_id: uuid.UUID) -> User:
    """One colleague; raises `NotFound`."""
    found = db.session.scalar(select(User).where(User.agency_id == agency_id, User.id == user_id))
    if found is None:
        raise NotFound
    return found


def set_role(user: User, role: str, *, by: Actor) -> None:
    """Make someone an owner, an agent or an assistant; raises `Invalid` when no owner would be left, or when an
    assistant would be responsible for properties."""
    user_id, agency_id = user.id, user.agency_id
    with writing(agency_id) as tx:
        if role != OWNER:
            _keep_an_owner(agency_id, user_id)
        held = select(Property.id).where(*_answers_for(agency_id, user_id)).limit(1)
        if role == ASSISTANT and db.session.scalar(held):
            raise Invalid({"role": [RESPONSIBLE]})
        tx.connection.execute(update(User).where(User.id == user_id).values(role=role))
        tx.record("user.role_changed", user_id, by, {"role": role})


def deactivate(user: User, *, heir: uuid.UUID, by: Actor) -> None:
    """End all sessions here and refuse further ones; raises `Invalid` for the last owner, oneself, or who is
    deactivated already. Where the person is in no other agency, their account is gone. Their properties pass to `heir`
    afterwards, one at a time: mail about offers goes to whoever is responsible."""
    user_id, agency_id = user.id, user.agency_id
    if by.id == user_id:
        raise Invalid({"user": [ONESELF]})
    with writing(agency_id) as tx:
        others = select(User.id).where(User.agency_id == agency_id, User.id != user_id, User.active)
        if not tx.connection.scalar(others.where(User.id == heir, User.role != ASSISTANT)):
            raise Invalid({"heir": [NO_HEIR]})
        _keep_an_owner(agency_id, user_id)
        # The account is locked: of two agencies that let the person go at once, the second sees what the first did.
        held = select(Account.id, Account.language).join(User, User.account_id == Account.id).where(User.id == user_id)
        account = tx.connection.execute(held.with_for_update(of=Account)).one_or_none()
        if account is None:
            raise Invalid({"user": [LEFT]})
        account_id, gone = account.id, {"active": False, "account_id": None, "read_in": account.language}
        tx.connection.execute(update(User).where(User.id == user_id).values(**gone))
        tx.connection.execute(delete(UserSession).where(UserSession.user_id == user_id))
        elsewhere = exists().where(User.account_id == account_id)
        tx.connection.execute(delete(Account).where(Account.id == account_id, ~elsewhere))
        tx.record("user.deactivated", user_id, by)
    for prop in db.session.scalars(select(Property).where(*_answers_for(agency_id, user_id))).all():
        properties.change(prop, {"agent_id": heir}, by=by)


def reactivate(user: User, *, by: Actor) -> None:
    """Let somebody who was deactivated sign in again, in their former role. Raises `Invalid` for who is active. Their
    former password stays void, and a link to choose a new one goes out by mail; whoever signs in elsewhere by now goes
    on with what they have, which is told to nobody but their mailbox."""
    user_id, email, language, unknown = user.id, user.email, user.language, accounts.no_password()
    with writing(user.agency_id) as tx:
        if tx.connection.scalar(select(User.active).where(User.id == user_id)):
            raise Invalid({"user": [ACTIVE]})
        known = select(Account.id).where(Account.email == email).with_for_update()
        account_id = tx.connection.scalar(known) or accounts.open_account(tx, email, unknown, language)
        tx.connection.execute(
            update(User).where(User.id == user_id).values(active=True, account_id=account_id, read_in=None)
        )
        seq = tx.record("user.reactivated", user_id, by)
        tx.owe_mail("account_invited", about("entry", seq), user_id=user_id)


def count_of(user: User) -> int:
    """How many properties somebody is responsible for."""
    held = select(func.count()).select_from(Property).where(*_answers_for(user.agency_id, user.id))
    return db.session.scalar(held) or 0


def first_owner(agency_id: uuid.UUID, but: uuid.UUID) -> User | None:
    """The administrator who has been there longest, another than this person."""
    owners = select(User).where(User.agency_id == agency_id, User.role == OWNER, User.active, User.id != but)
    return db.session.scalar(owners.order_by(User.created_at, User.id).limit(1))


def _answers_for(agency_id: uuid.UUID, user_id: uuid.UUID) -> tuple[ColumnElement[bool], ...]:
    """The properties that somebody is responsible for."""
    return Property.agency_id == agency_id, Property.agent_id == user_id


def _keep_an_owner(agency_id: uuid.UUID, leaving: uuid.UUID) -> None:
    others = select(func.count()).select_from(User)
    others = others.where(User.agency_id == agency_id, User.role == OWNER, User.active, User.id != leaving)
    if not db.session.scalar(others):
        raise Invalid({"role": [LAST_OWNER]})


def api_keys_of(agency_id: uuid.UUID) -> list[ApiKey]:
    """Newest first, the revoked among them, those of the test agency too."""
    query = select(ApiKey).where(ApiKey.agency_id.in_(_with_test(agency_id))).order_by(ApiKey.created_at.desc())
    return list(db.session.scalars(query))


def revoke_api_key(agency_id: uuid.UUID, key_id: uuid.UUID, *, by: Actor) -> None:
    """Revoke a key; raises `NotFound`, and does nothing for one already revoked."""
    mine = ApiKey.agency_id.in_(_with_test(agency_id)) & (ApiKey.id == key_id)
    held_by = db.session.scalar(select(ApiKey.agency_id).where(mine))
    if held_by is None:
        raise NotFound
    with writing(held_by) as tx:
        row = tx.connection.execute(select(ApiKey.revoked_at).where(mine)).one()
        if row.revoked_at is None:
            tx.connection.execute(update(ApiKey).where(mine).values(revoked_at=tx.at))
            tx.record("api_key.revoked", key_id, by)


def _with_test(agency_id: uuid.UUID) -> Any:
    """The agency, and its test agency."""
    return select(Agency.id).where((Agency.id == agency_id) | (Agency.test_of_id == agency_id))
