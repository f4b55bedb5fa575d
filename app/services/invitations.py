"""Links by which colleagues choose a password: when they are invited, and when they have forgotten theirs."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from datetime import timedelta

from flask import current_app
from sqlalchemy import delete, insert, select

from app.clock import now
from app.errors import NotFound
from app.extensions import db
from app.ids import new_id
from app.ledger import SYSTEM, Actor
from app.links import BadToken, account_token, is_marked, read_account
from app.models import ResetRequest, User
from app.representations import base_url
from app.services import accounts
from app.services.letters import NoLongerOwed, Owed
from app.wake import wake
from app.writing import UnitOfWork, housekeeping, writing

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
    """A link by mail, good for two hours, to whoever signs in with this address. Whether anybody does is not looked up
    here: the same is written for every address. Throttle before calling."""
    with housekeeping() as connection:
        connection.execute(insert(ResetRequest), {"id": new_id(), "mark": _mark(email), "created_at": now()})
    wake()


def answer_resets() -> None:
    """Owe the link to each who asked and signs in; whoever does not is forgotten. Any process may, at any time."""
    asked = db.session.execute(select(ResetRequest.id, ResetRequest.mark).order_by(ResetRequest.created_at)).all()
    if not asked:
        return
    people = db.session.execute(select(User.id, User.agency_id, User.email).where(User.active)).all()
    known = {_mark(one.email): one for one in people}
    for request_id, mark in asked:
        mine, found = delete(ResetRequest).where(ResetRequest.id == request_id), known.get(mark)
        if found is None:
            with housekeeping() as connection:
                connection.execute(mine)
            continue
        with writing(found.agency_id) as tx:
            if tx.connection.execute(mine).rowcount:  # else another process was faster
                seq = tx.record("user.reset_asked", found.id, SYSTEM)
                tx.owe_mail("account_reset", -seq, offer_id=None, user_id=found.id)


def _mark(email: str) -> bytes:
    secret = current_app.config["SECRET_KEY"].encode()
    return hmac.digest(secret, b"reset\0" + email.strip().lower().encode("utf-8", "replace"), hashlib.sha256)


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
