"""The second factor: codes of a phone (TOTP, RFC 6238) and ten recovery codes, each good once.

Whoever asks counts tries before calling (`app.blueprints.accounts.throttle`): a code has a million values.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid

import pyotp
from flask_babel import lazy_gettext
from sqlalchemy import Connection, delete, exists, insert, or_, select, update

from app.accounts import editing as accounts
from app.core.clock import now
from app.core.errors import Invalid
from app.core.keys import keyring
from app.core.ledger import SYSTEM, Actor
from app.core.unit_of_work import housekeeping, writing
from app.core.vault import totp_place
from app.extensions import db
from app.models import Account, Passkey, RecoveryCode, Totp, User, UserSession

ISSUER = "BidFlux"
PERIOD, NEAR, FAR = 30, 1, 10  # seconds; periods to each side that are taken, and that are told as a wrong clock
CODES, LETTERS = 10, "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
WRONG = lazy_gettext("This code is wrong, or was used already. Wait for the next one and type that.")
CLOCK = lazy_gettext(
    "The clock of your phone, or ours, is wrong by some minutes: set the time on your phone and try again."
)


def begin_totp(account_id: uuid.UUID) -> str:
    """A fresh secret in Base32, which counts once a code of it was typed; an earlier one that never did is gone."""
    secret = pyotp.random_base32()
    sealed = keyring().wrap(secret.encode(), totp_place(account_id))
    row = {"account_id": account_id, "kek_id": sealed.kek_id, "wrapped": sealed.wrapped, "created_at": now()}
    with housekeeping() as connection:
        connection.execute(delete(Totp).where(Totp.account_id == account_id, Totp.confirmed_at.is_(None)))
        if not connection.scalar(select(exists().where(Totp.account_id == account_id))):
            connection.execute(insert(Totp), {**row, "last_step": 0, "confirmed_at": None})
    return secret


def waiting_secret(account_id: uuid.UUID) -> str | None:
    """The secret that waits for its first code."""
    found = db.session.get(Totp, account_id)
    return _secret(found) if found and found.confirmed_at is None else None


def totp_address(secret: str, email: str) -> str:
    """What the QR code says to the phone."""
    return pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER)


def confirm_totp(user: User, code: str) -> list[str]:
    """From now on signing in takes a code. The first factor brings recovery codes, which are returned this once. Raises
    `Invalid` for a wrong code."""
    account_id, user_id = user.account_id, user.id
    found = db.session.get(Totp, account_id)
    if account_id is None or found is None or found.confirmed_at is not None:
        raise Invalid({"code": [WRONG]})
    step = _step_of(_secret(found), code)
    with writing(user.agency_id) as tx:
        mine = (Totp.account_id == account_id, Totp.confirmed_at.is_(None))
        if not tx.connection.execute(update(Totp).where(*mine).values(confirmed_at=tx.at, last_step=step)).rowcount:
            raise Invalid({"code": [WRONG]})
        codes = factor_added(tx.connection, account_id)
        tx.record("user.factor_added", user_id, Actor("user", user_id), {"kind": "totp"})
    accounts.tell_elsewhere(account_id, user_id, "user.factor_added", Actor("user", user_id), {"kind": "totp"})
    return codes


def factor_added(connection: Connection, account_id: uuid.UUID) -> list[str]:
    """Signing in takes a factor from now on; recovery codes come with the first."""
    connection.execute(update(Account).where(Account.id == account_id).values(has_factor=True))
    held = connection.scalar(select(exists().where(RecoveryCode.account_id == account_id)))
    return [] if held else _make_codes(connection, account_id)


def remove_totp(user: User, *, by: Actor) -> None:
    """The phone's codes count no more."""
    account_id, user_id = user.account_id, user.id
    if account_id is None:
        return
    with writing(user.agency_id) as tx:
        if not tx.connection.execute(delete(Totp).where(Totp.account_id == account_id)).rowcount:
            return
        factor_gone(tx.connection, account_id)
        tx.record("user.factor_removed", user_id, by, {"kind": "totp"})
    accounts.tell_elsewhere(account_id, user_id, "user.factor_removed", by, {"kind": "totp"})


def factor_gone(connection: Connection, account_id: uuid.UUID) -> None:
    """After one was removed: recovery codes go with the last."""
    phone = exists().where(Totp.account_id == account_id, Totp.confirmed_at.is_not(None))
    if not connection.scalar(select(or_(phone, exists().where(Passkey.account_id == account_id)))):
        connection.execute(update(Account).where(Account.id == account_id).values(has_factor=False))
        connection.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))


def reset(user: User) -> None:
    """Remove every factor of somebody who has lost them all, and end their sessions: the operator's, who knows them."""
    account_id, user_id = user.account_id, user.id
    with writing(user.agency_id) as tx:
        tx.connection.execute(delete(Totp).where(Totp.account_id == account_id))
        tx.connection.execute(delete(Passkey).where(Passkey.account_id == account_id))
        tx.connection.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
        tx.connection.execute(update(Account).where(Account.id == account_id).values(has_factor=False))
        if account_id:
            mine = UserSession.user_id.in_(accounts.users_of_account(account_id))
            tx.connection.execute(delete(UserSession).where(mine))
        tx.record("user.factors_reset", user_id, SYSTEM)
    if account_id:
        accounts.tell_elsewhere(account_id, user_id, "user.factors_reset", SYSTEM)


def has_totp(account_id: uuid.UUID | None) -> bool:
    """Whether a phone's codes count."""
    return db.session.scalar(select(Totp.confirmed_at).where(Totp.account_id == account_id)) is not None


def codes_left(account_id: uuid.UUID | None) -> int:
    """How many recovery codes were not used."""
    return len(db.session.scalars(select(RecoveryCode.code_hash).where(RecoveryCode.account_id == account_id)).all())


def new_codes(user: User) -> list[str]:
    """Ten recovery codes in place of the earlier ones; returned this once."""
    account_id, user_id, by = user.account_id, user.id, Actor("user", user.id)
    if account_id is None:
        return []
    with writing(user.agency_id) as tx:
        tx.connection.execute(delete(RecoveryCode).where(RecoveryCode.account_id == account_id))
        codes = _make_codes(tx.connection, account_id)
        tx.record("user.codes_renewed", user_id, by)
    accounts.tell_elsewhere(account_id, user_id, "user.codes_renewed", by)
    return codes


def _make_codes(connection: Connection, account_id: uuid.UUID) -> list[str]:
    codes = ["-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(6)) for _ in range(CODES)]
    connection.execute(insert(RecoveryCode), [{"account_id": account_id, "code_hash": _hashed(one)} for one in codes])
    return codes


def check_code(user: User, typed: str) -> None:
    """Take a phone's code or a recovery code, once. Raises `Invalid`. Throttle before calling."""
    account_id, typed = user.account_id, typed.strip()
    if len(typed.replace(" ", "")) <= 8:
        found = db.session.get(Totp, account_id)
        if found is None or found.confirmed_at is None:
            raise Invalid({"code": [WRONG]})
        step = _step_of(_secret(found), typed, ahead=NEAR)
        fresh = update(Totp).where(Totp.account_id == account_id, Totp.last_step < step).values(last_step=step)
        with housekeeping() as connection:
            taken = connection.execute(fresh).rowcount
    else:
        taken = _use_recovery_code(user, typed)
    if not taken:
        raise Invalid({"code": [WRONG]})


def _use_recovery_code(user: User, typed: str) -> int:
    account_id, user_id, by = user.account_id, user.id, Actor("user", user.id)
    mine = (RecoveryCode.account_id == account_id, RecoveryCode.code_hash == _hashed(typed))
    if account_id is None or not db.session.scalar(select(exists().where(*mine))):
        return 0
    with writing(user.agency_id) as tx:
        taken = tx.connection.execute(delete(RecoveryCode).where(*mine)).rowcount
        if taken:
            tx.record("user.recovery_code_used", user_id, by)
    if taken:
        accounts.tell_elsewhere(account_id, user_id, "user.recovery_code_used", by)
    return taken


def _secret(row: Totp) -> str:
    return keyring().unwrap(row.kek_id, row.wrapped, totp_place(row.account_id)).decode()


def _step_of(secret: str, typed: str, *, ahead: int = FAR) -> int:
    """The period that a code belongs to; raises `Invalid`. All that may be meant are compared, whichever it is.

    Nobody who only guesses is told of a code whose period is yet to come: they would wait for it. So `ahead` is `FAR`
    for whoever was just shown the secret alone.
    """
    code, here = typed.replace(" ", ""), int(now().timestamp()) // PERIOD
    wanted = code.encode("utf-8", "replace")
    steps = range(here - FAR, here + ahead + 1)
    found = [step for step in steps if hmac.compare_digest(_code(secret, step), wanted)]
    if not found:
        raise Invalid({"code": [WRONG]})
    if not (near := [step for step in found if abs(step - here) <= NEAR]):
        raise Invalid({"code": [CLOCK]})
    return near[0]


def _code(secret: str, step: int) -> bytes:
    return pyotp.TOTP(secret).generate_otp(step).encode()


def _hashed(code: str) -> bytes:
    plain = "".join(letter for letter in code.upper() if letter.isalnum())
    return hashlib.sha256(plain.encode("utf-8", "replace")).digest()
