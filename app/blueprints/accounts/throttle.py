"""How often a password may be tried: wrong tries of a stranger must not keep the person themselves out.

A browser in which somebody signed in before is known by a cookie bound to that account (OWASP's device cookies) and has
a count of its own. Anybody else is counted by address first, then by account and address, then by account from all
unknown browsers together. Whom that last count meets has a link mailed, which makes their browser a known one.
"""

from __future__ import annotations

import hashlib
import secrets
import uuid

from flask import current_app, request
from werkzeug.wrappers import Response

from app.accounts import editing as accounts
from app.core.signed_links import DEVICE, BadToken, Device, read, sign
from app.web.guards import caller_line, rates
from app.web.rate_limits import forget, hit, keyed

PER_DEVICE = rates("30/15 minute; 200/day")
PER_LINE = rates("100/15 minute; 1000/day")
PER_PAIR = rates("30/15 minute; 200/day")
PER_ACCOUNT = rates("100/hour; 500/day")  # NIST SP 800-63B, section 5.2.2: no more than 100 in a row
PER_FACTOR = rates("10/15 minute; 100/day")
IN_ALL = rates("300/minute")
SECONDS = 365 * 24 * 3600


def count_try(email: str) -> None:
    """Count a try at a password before it is hashed; raise `TooMany`."""
    if device := known_device(email):
        hit(PER_DEVICE, "login-device", device)
        return
    hit(PER_LINE, "login-line", keyed(caller_line()))
    account, pair = _names(email)
    hit(PER_PAIR, "login-pair", pair)
    hit(PER_ACCOUNT, "login-account", account)
    hit(IN_ALL, "login-all")


def count_try_within(session_id: uuid.UUID) -> None:
    """The same for whoever is signed in and says their password again."""
    hit(PER_DEVICE, "login-session", session_id.hex)


def count_factor_try(account_id: uuid.UUID | None) -> None:
    """Count a try at a code: whoever gets here has the password, and a code has a million values."""
    hit(PER_FACTOR, "factor", account_id.hex if account_id else "")


def factor_succeeded(account_id: uuid.UUID | None) -> None:
    """Forget the count, but for the day's."""
    forget(PER_FACTOR[:1], "factor", account_id.hex if account_id else "")


def succeeded(email: str, response: Response) -> Response:
    """Forget what was counted for this account, and know this browser from now on."""
    account, pair = _names(email)
    forget(PER_PAIR, "login-pair", pair)
    forget(PER_ACCOUNT, "login-account", account)
    if device := known_device(email):
        forget(PER_DEVICE, "login-device", device)
    secure = current_app.extensions["bidflux_settings"].secure
    token = device_token(email)
    response.set_cookie(_cookie(email), token, SECONDS, path="/", secure=secure, httponly=True, samesite="Lax")
    return response


def known_device(email: str) -> str | None:
    """What this browser is counted as, when this account was signed in to in it before."""
    try:
        return read(DEVICE, request.cookies.get(_cookie(email), ""), account_id(email)).nonce.hex()
    except BadToken:
        return None


def device_token(email: str) -> str:
    """What a browser keeps in which somebody signed in with this address: bound to it, and new each time."""
    return sign(DEVICE, Device(account_id(email), secrets.token_bytes(12)))


def account_id(email: str) -> uuid.UUID:
    return uuid.UUID(bytes=hashlib.sha256(_folded(email).encode("utf-8", "replace")).digest()[:16])


def _names(email: str) -> tuple[str, str]:
    """The account, and the account tried from this address. With a new password both begin anew, everywhere."""
    account = keyed(f"{_folded(email)}\0{accounts.password_mark(email)}")
    return account, keyed(f"{account}\0{caller_line()}")


def _cookie(email: str) -> str:
    name = f"bidflux-device-{keyed(_folded(email))[:8]}"
    return str(current_app.extensions["bidflux_settings"].cookie(name))


def _folded(email: str) -> str:
    return email.strip().lower()[:254]
