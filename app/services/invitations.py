"""Links by which colleagues choose a password: when they are invited, and when they have forgotten theirs."""

from __future__ import annotations

import uuid
from datetime import timedelta

from sqlalchemy import select

from app.clock import now
from app.errors import NotFound
from app.extensions import db
from app.ledger import SYSTEM, Actor
from app.links import BadToken, account_token, is_marked, read_account
from app.models import User
from app.representations import base_url
from app.services import accounts
from app.services.letters import NoLongerOwed, Owed
from app.writing import UnitOfWork, writing

LIVES = {"account_invited": timedelta(days=7), "account_reset": timedelta(hours=2)}


def invite(tx: UnitOfWork, user_id: uuid.UUID, *, by: Actor) -> None:
    """Within another step: a link by mail, good for a week."""
    tx.owe_mail("account_invited", -tx.record("user.invited", user_id, by), offer_id=None, user_id=user_id)


def invite_again(user: User, *, by: Actor) -> str:
    """A fresh link, by mail; returns the address it goes to. Raises `NotFound` for someone who has left."""
    if not user.active:
        raise NotFound
    user_id, email = user.id, user.email
    with writing(user.agency_id) as tx:
        invite(tx, user_id, by=by)
    return email


def ask_reset(email: str) -> None:
    """A link by mail, good for two hours, to whoever signs in with this address; nothing is said of whether anybody
    does. Throttle before calling."""
    user = db.session.scalar(select(User).where(User.email == email.strip().lower(), User.active))
    if user is None:
        return
    user_id, agency_id = user.id, user.agency_id
    with writing(agency_id) as tx:
        seq = tx.record("user.reset_asked", user_id, SYSTEM)
        tx.owe_mail("account_reset", -seq, offer_id=None, user_id=user_id)


def link_for(owed: Owed) -> str:
    """The address in the mail. Raises `NoLongerOwed` once its time is over."""
    until = owed.created_at + LIVES[owed.template]
    user = db.session.scalar(select(User).where(User.agency_id == owed.agency_id, User.id == owed.user_id))
    if user is None or until < now():
        raise NoLongerOwed("lapsed")
    return f"{base_url()}/account/{account_token(user.id, user.password_hash, until.timestamp())}"


def user_of(token: str) -> User | None:
    """Whose password a link lets choose; None once it was used, is too old, or the person has left."""
    try:
        user_id, until, mark = read_account(token)
    except BadToken:
        return None
    user = db.session.scalar(select(User).where(User.id == user_id, User.active))
    return user if user and until > now().timestamp() and is_marked(mark, user.password_hash) else None


def choose(user: User, password: str) -> None:
    """Set the password that the holder of a link chose; every session of theirs ends. Raises `Invalid` if unfit,
    `Stale` when the link was used in the meantime."""
    accounts.set_password(user, password, by=Actor("user", user.id), only_once=True)
