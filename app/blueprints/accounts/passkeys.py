"""Signing in, and showing again who one is, with a passkey."""

from __future__ import annotations

import secrets
import time

from flask import Response, request, session
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import passkeys
from app.blueprints.accounts.routes import accounts, enter, held, sign_in_form
from app.blueprints.accounts.second import confirm_form, proven
from app.core.errors import Invalid, TooMany
from app.web.fragments import local_path
from app.web.guards import Guard, person, policy, rates
from app.web.rate_limits import hit, keyed

ONCE = rates("1/10 minute")
SECONDS = 300


def new_challenge() -> bytes:
    """What the browser's answer must be about. It stands in the signed cookie for five minutes."""
    challenge = secrets.token_bytes(32)
    session["challenge"] = [challenge.hex(), time.time() + SECONDS]
    return challenge


def told_challenge() -> bytes:
    """The one that this browser was told, once. Raises `Invalid`."""
    told, until = session.pop("challenge", None) or ("", 0)
    try:
        hit(ONCE, "challenge", keyed(told))  # the cookie could be sent again, with the same answer
    except TooMany:
        until = 0
    if until < time.time():
        raise Invalid({"passkey": [passkeys.REFUSED]})
    return bytes.fromhex(told)


@accounts.post("/login/passkey/options")
@policy(Guard.PUBLIC, limit="60/minute", scope="passkey-options")
def passkey_options() -> Response:
    """What the browser is asked to show."""
    return Response(passkeys.request_options(new_challenge()), mimetype="application/json")


@accounts.post("/login/passkey")
@policy(Guard.PUBLIC, limit="60/minute", scope="passkey")
def passkey_login() -> AnyResponse:
    """A passkey alone lets in: it has verified its person."""
    onward = local_path(request.form.get("next"))
    try:
        user = passkeys.owner_of(request.form.get("credential", ""), told_challenge())
    except Invalid as invalid:
        return sign_in_form(onward, message=str(invalid.errors["passkey"][0]), status=422)
    return enter(user, onward, held())


@accounts.post("/app/confirm/passkey")
@policy(Guard.SIGNED_IN, limit="60/minute", scope="confirm-passkey", before_factor=True)
def passkey_confirm() -> AnyResponse:
    """The same, by whoever is signed in."""
    onward = local_path(request.form.get("next"))
    try:
        user = passkeys.owner_of(request.form.get("credential", ""), told_challenge())
    except Invalid as invalid:
        return confirm_form(onward, {"password": str(invalid.errors["passkey"][0])}, 422)
    if user.account_id != person().user.account_id:
        return confirm_form(onward, {"password": _("This passkey is somebody else's.")}, 422)
    return proven(onward)
