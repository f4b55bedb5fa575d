"""Links by which colleagues choose a password: when they are invited, and when they have forgotten theirs."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from flask import current_app
from flask_babel import lazy_gettext
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.accounts import editing as accounts
from app.accounts import facts as account_facts
from app.accounts.editing import NewUser
from app.core.clock import now
from app.core.errors import Invalid, NotFound, StaleVersion
from app.core.ids import new_id
from app.core.ledger import SYSTEM, Actor
from app.core.quotas import hold_rows
from app.core.signed_links import ACCOUNT, INVITATION, AccountLink, TimedId, sign
from app.core.subjects import about
from app.core.unit_of_work import UnitOfWork, housekeeping, writing
from app.core.urls import base_url
from app.core.wake import wake
from app.delivery.composing import DeliveryRow, NoLongerOwed
from app.extensions import db
from app.models import Account, Invitation, LedgerEntry, ResetRequest, User

INVITED = timedelta(days=7)
OWN = lazy_gettext("This person is among yours already")
LEFT = lazy_gettext("This person was among yours and cannot sign in: let them sign in again, in the list below")
LIVES = {"account_invited": INVITED, "account_reset": timedelta(hours=2)}


def invite(agency_id: uuid.UUID, new: NewUser, *, by: Actor) -> None:
    """Invite somebody by mail; the link is good for a week. All addresses outside this agency are treated alike, so
    that it learns nothing of others; who signs in elsewhere is told so by mail. Raises `Invalid` for its own people."""
    facts = account_facts.of_user(asdict(new))
    mine = (Invitation.agency_id == agency_id, Invitation.email == facts["email"])
    with writing(agency_id) as tx:
        own = select(User.id).where(User.agency_id == agency_id)
        known = tx.connection.execute(own.add_columns(User.active).where(User.email == facts["email"])).one_or_none()
        if known:
            raise Invalid({"email": [OWN if known.active else LEFT]})
        tx.connection.execute(delete(Invitation).where(*mine))  # asked in again, perhaps under another name
        waiting = select(Invitation.id).where(Invitation.agency_id == agency_id)
        hold_rows(tx, "users", own.union_all(waiting).subquery().select())
        invitation_id = new_id()
        row = {"id": invitation_id, "agency_id": agency_id, **facts, "invited_at": tx.at}
        tx.connection.execute(insert(Invitation), row)
        _owe(tx, invitation_id, by)


def ask_again(agency_id: uuid.UUID, invitation_id: uuid.UUID, *, by: Actor) -> str:
    """A fresh link; returns the address that it goes to. Raises `NotFound`."""
    with writing(agency_id) as tx:
        mine = (Invitation.agency_id == agency_id, Invitation.id == invitation_id)
        email: str | None = tx.connection.scalar(select(Invitation.email).where(*mine))
        if email is None:
            raise NotFound
        tx.connection.execute(update(Invitation).where(*mine).values(invited_at=tx.at))
        _owe(tx, invitation_id, by)
    return email


def withdraw(agency_id: uuid.UUID, invitation_id: uuid.UUID, *, by: Actor) -> None:
    """Withdraw an invitation; the link in the mail stops. Raises `NotFound`."""
    with writing(agency_id) as tx:
        mine = delete(Invitation).where(Invitation.agency_id == agency_id, Invitation.id == invitation_id)
        if not tx.connection.execute(mine).rowcount:
            raise NotFound
        tx.record("user.uninvited", invitation_id, by)


def waiting_in(agency_id: uuid.UUID) -> list[Invitation]:
    """Who was asked in and has not come, by name."""
    query = select(Invitation).where(Invitation.agency_id == agency_id).order_by(Invitation.full_name)
    return list(db.session.scalars(query))


def of_mail(delivery: DeliveryRow) -> tuple[Invitation, str, datetime]:
    """The invitation that a mail is about, its link, and until when that is good. Raises `NoLongerOwed`."""
    entry = (LedgerEntry.agency_id == delivery.agency_id, LedgerEntry.seq == delivery.entry)
    found = db.session.scalar(
        select(Invitation).join(LedgerEntry, LedgerEntry.object_id == Invitation.id).where(*entry)
    )
    if found is None or _lapsed(found) or _asked_last(found) != delivery.entry:
        raise NoLongerOwed("lapsed")
    token = sign(INVITATION, TimedId(found.id, found.invited_at.timestamp()))
    return found, f"{base_url()}/account/{token}", found.invited_at + INVITED


def of_link(link: TimedId) -> Invitation | None:
    """The person a link invites; None once it was used, renewed or withdrawn, or has expired."""
    found = db.session.get(Invitation, link.id)
    return found if found and found.invited_at.timestamp() == link.moment and not _lapsed(found) else None


def is_known(invitation: Invitation) -> bool:
    """Whether the address signs in already: known to whoever holds the link, and to nobody else."""
    return accounts.account_of(invitation.email) is not None


def accept(invitation: Invitation, password: str, *, full_name: str = "", language: str = "") -> None:
    """Become a user, with this password, under the name and in the language that the person says, else as whoever
    invited them wrote. Raises `Invalid` for an unfit one, `StaleVersion` when the link was used meanwhile or the
    address signs in elsewhere by now."""
    new = _new_user(invitation)
    new = replace(new, full_name=full_name or new.full_name, language=language or new.language)
    try:
        accounts.create_user(invitation.agency_id, new, password, then=_uses_up(invitation))
    except Invalid as invalid:
        if "email" in invalid.errors:
            raise StaleVersion from None
        raise


def join(invitation: Invitation) -> None:
    """Become a user of one more agency, with what the person signs in with already. Raises `StaleVersion` when the link
    was used meanwhile or nobody signs in with the address any more."""
    known, once = select(Account.id).where(Account.email == invitation.email), _uses_up(invitation)
    facts = account_facts.of_user(asdict(_new_user(invitation)))
    try:
        with writing(invitation.agency_id) as tx:
            account_id = tx.connection.scalar(known.with_for_update())
            if account_id is None:
                raise StaleVersion
            accounts.add_user(tx, account_id, facts, by=SYSTEM, then=once)
    except IntegrityError:
        raise StaleVersion from None


def latest_to(email: str) -> Invitation | None:
    """The newest invitation of an address that is good, of whichever agency."""
    found = select(Invitation).where(Invitation.email == email, Invitation.invited_at > now() - INVITED)
    return db.session.scalar(found.order_by(Invitation.invited_at.desc()).limit(1))


def come_in(invitation: Invitation) -> uuid.UUID:
    """Become a user without a password, vouched for by somebody whom the operator trusts; the new account. Raises
    `StaleVersion` when the invitation was used meanwhile."""
    facts, unknown = account_facts.of_user(asdict(_new_user(invitation))), accounts.no_password()
    once = _uses_up(invitation)
    try:
        with writing(invitation.agency_id) as tx:
            account_id = accounts.open_account(tx, facts["email"], unknown, facts["language"])
            accounts.add_user(tx, account_id, facts, by=SYSTEM, then=once)
    except IntegrityError:
        raise StaleVersion from None
    return account_id


def _new_user(invitation: Invitation) -> NewUser:
    return NewUser(
        invitation.email,
        invitation.full_name,
        role=invitation.role,
        phone=invitation.phone,
        language=invitation.language,
    )


def _uses_up(invitation: Invitation) -> Callable[[UnitOfWork, uuid.UUID], None]:
    mine = (Invitation.id == invitation.id, Invitation.invited_at == invitation.invited_at)

    def once(tx: UnitOfWork, _user_id: uuid.UUID) -> None:
        if not tx.connection.execute(delete(Invitation).where(*mine)).rowcount:
            raise StaleVersion

    return once


def _asked_last(invitation: Invitation) -> int | None:
    """The ledger's number of when they were last asked in."""
    asked = (LedgerEntry.object_id == invitation.id, LedgerEntry.kind == "user.invited")
    return db.session.scalar(
        select(func.max(LedgerEntry.seq)).where(LedgerEntry.agency_id == invitation.agency_id, *asked)
    )


def _lapsed(invitation: Invitation) -> bool:
    return invitation.invited_at + INVITED < now()


def _owe(tx: UnitOfWork, invitation_id: uuid.UUID, by: Actor) -> None:
    tx.owe_mail("invitation", about("entry", tx.record("user.invited", invitation_id, by)))


def invite_again(user: User, *, by: Actor) -> str:
    """A fresh link, by mail; returns the address it goes to. Raises `NotFound` for someone who has left."""
    if not user.active:
        raise NotFound
    user_id, email = user.id, user.email
    with writing(user.agency_id) as tx:
        seq = tx.record("user.invited", user_id, by)
        tx.owe_mail("account_invited", about("entry", seq), user_id=user_id)
    return email


def ask_reset(email: str) -> None:
    """Have whoever signs in with this address sent a link, good for two hours. Every address is written down alike, and
    looked up only later. Throttle before calling."""
    with housekeeping() as connection:
        connection.execute(insert(ResetRequest), {"id": new_id(), "mark": _mark(email), "created_at": now()})
    wake()


def answer_resets() -> None:
    """Owe a link to each who asked and signs in, and forget the others. Any process may call it, at any time."""
    asked = db.session.execute(select(ResetRequest.id, ResetRequest.mark).order_by(ResetRequest.created_at)).all()
    if not asked:
        return
    people = select(User.id, User.agency_id, User.email).where(User.active).order_by(User.created_at.desc())
    known = {_mark(user.email): user for user in db.session.execute(people)}
    for request_id, mark in asked:
        mine, found = delete(ResetRequest).where(ResetRequest.id == request_id), known.get(mark)
        if found is None:
            with housekeeping() as connection:
                connection.execute(mine)
            continue
        with writing(found.agency_id) as tx:
            if tx.connection.execute(mine).rowcount:  # else another process was faster
                seq = tx.record("user.reset_asked", found.id, SYSTEM)
                tx.owe_mail("account_reset", about("entry", seq), user_id=found.id)


def _mark(email: str) -> bytes:
    secret = current_app.config["SECRET_KEY"].encode()
    return hmac.digest(secret, b"reset\0" + email.strip().lower().encode("utf-8", "replace"), hashlib.sha256)


def link_for(delivery: DeliveryRow) -> str:
    """The address in the mail. Raises `NoLongerOwed` once its time is over."""
    until = delivery.created_at + LIVES[delivery.template]
    mine = (User.agency_id == delivery.agency_id, User.id == delivery.user_id, User.active)
    user = db.session.scalar(select(User).where(*mine))
    if user is None or until < now():
        raise NoLongerOwed("lapsed")
    return f"{base_url()}/account/{account_token(user, until.timestamp())}"


def account_token(user: User, until: float) -> str:
    """The token by which somebody chooses a password: good until a Unix time, or until the password changes."""
    return sign(ACCOUNT, AccountLink(user.id, until, _password_mark(user)))


def _password_mark(user: User) -> bytes:
    return hashlib.sha256(user.account.password_hash.encode() if user.account else b"").digest()[:8]


def user_of(link: AccountLink) -> User | None:
    """The user whose password a link lets choose; None once it was used, is too old, or the user has left."""
    user = db.session.scalar(select(User).where(User.id == link.user_id, User.active))
    if user is None or link.until <= now().timestamp():
        return None
    return user if hmac.compare_digest(link.mark, _password_mark(user)) else None


def choose(user: User, password: str) -> None:
    """Set the password that the holder of a link chose, and end their sessions. Raises `Invalid` if unfit,
    `StaleVersion` when the link was used meanwhile."""
    accounts.set_password(user, password, by=Actor("user", user.id), only_once=True)
