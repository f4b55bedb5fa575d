"""How one signs in: the second factor, its recovery codes."""

from __future__ import annotations

import uuid
from typing import Any

import segno
from flask import Response, request, url_for
from flask_babel import gettext as _
from markupsafe import Markup
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import factors, passkeys, sessions
from app.blueprints.accounts.forms import CodeForm, browser_name
from app.blueprints.accounts.passkeys import new_challenge, told_challenge
from app.blueprints.accounts.second import slowed
from app.blueprints.accounts.throttle import count_factor_try, factor_succeeded
from app.blueprints.settings.routes import settings
from app.core.errors import Invalid, NotFound, TooMany
from app.core.urls import base_url
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy


@settings.get("/app/settings/security")
@policy(Guard.SIGNED_IN, limit="300/minute", before_factor=True)
def security() -> AnyResponse:
    """What is set up, and what can be."""
    return _security()


@settings.post("/app/settings/security/totp")
@policy(Guard.SIGNED_IN, limit="20/minute", before_factor=True, step_up=True)
def totp_begin() -> AnyResponse:
    """A secret for the phone; it counts once a code was typed."""
    factors.begin_totp(_account_id())
    return done(url_for("settings.security"))


@settings.post("/app/settings/security/totp/confirm")
@policy(Guard.SIGNED_IN, limit="30/minute", before_factor=True, step_up=True)
def totp_confirm() -> AnyResponse:
    """The first code; recovery codes are shown in the answer, this once."""
    form, account_id = CodeForm(request.form), _account_id()
    try:
        count_factor_try(account_id)
        codes = factors.confirm_totp(person().user, form.code.data or "")
    except TooMany as error:
        form.code.errors = [slowed(error)]
        return _security(429, form=form)
    except Invalid as invalid:
        form.code.errors = [str(invalid.errors["code"][0])]
        return _security(422, form=form)
    factor_succeeded(account_id)
    return _security(codes=codes) if codes else done(url_for("settings.security"), _("Saved"))


@settings.post("/app/settings/security/totp/remove")
@policy(Guard.SIGNED_IN, limit="20/minute", step_up=True)
def totp_remove() -> AnyResponse:
    """The phone's codes count no more."""
    factors.remove_totp(person().user, by=person().actor)
    return done(url_for("settings.security"), _("Your phone's codes are no longer asked for"))


@settings.post("/app/settings/security/passkeys/options")
@policy(Guard.SIGNED_IN, limit="30/minute", before_factor=True, step_up=True)
def passkey_options() -> Response:
    """What the browser is told to make."""
    return Response(passkeys.creation_options(person().user, new_challenge()), mimetype="application/json")


@settings.post("/app/settings/security/passkeys")
@policy(Guard.SIGNED_IN, limit="30/minute", before_factor=True, step_up=True)
def passkey_add() -> AnyResponse:
    """What it made. Recovery codes come with the first factor."""
    name = browser_name(request.headers.get("User-Agent", ""))
    try:
        codes = passkeys.add(person().user, request.form.get("credential", ""), told_challenge(), name)
    except Invalid as invalid:
        return _security(422, problem=str(invalid.errors["passkey"][0]))
    return _security(codes=codes) if codes else done(url_for("settings.security"), _("The passkey is kept"))


@settings.post("/app/settings/security/passkeys/<uuid:passkey_id>/remove")
@policy(Guard.SIGNED_IN, limit="30/minute", step_up=True)
def passkey_remove(passkey_id: uuid.UUID) -> AnyResponse:
    """It opens nothing any more."""
    passkeys.remove(person().user, passkey_id, by=person().actor)
    return done(url_for("settings.security"), _("The passkey is removed"))


@settings.post("/app/settings/security/codes")
@policy(Guard.SIGNED_IN, limit="20/minute", step_up=True)
def recovery_codes() -> AnyResponse:
    """Ten new recovery codes, shown in the answer; the earlier ones end."""
    if not person().user.has_factor:
        raise NotFound
    return _security(codes=factors.new_codes(person().user))


@settings.post("/app/settings/sessions/end-others")
@policy(Guard.SIGNED_IN, limit="20/minute", before_factor=True)
def end_others() -> AnyResponse:
    """Sign out everywhere but here."""
    sessions.end_others(person())
    return done(url_for("settings.profile"), _("You are signed in here alone"))


def _account_id() -> uuid.UUID:
    account_id = person().user.account_id
    if account_id is None:  # who is signed in has one; the type says that a user may have none
        raise NotFound
    return account_id


def _security(status: int = 200, **context: Any) -> Response:
    user = person().user
    secret = factors.waiting_secret(_account_id())
    context = {
        "form": CodeForm(),
        "codes": [],
        "problem": "",
        "passkeys": passkeys.passkeys_of(user),
        "party": passkeys.relying_party(),
        "base": base_url(),
        "phone": factors.has_totp(user.account_id),
        "left": factors.codes_left(user.account_id),
        "secret": secret,
        "qr": _qr(factors.totp_address(secret, user.email)) if secret else "",
        "needed": person().agency.needs_factor and not user.has_factor,
        **context,
    }
    return page("settings/security.html", status=status, **context)


def _qr(address: str) -> Markup:
    code = segno.make(address, error="m", micro=False)
    svg = code.svg_inline(border=2, svgclass="qr", lineclass=None, omitsize=True, dark="#000", light="#fff")
    return Markup(svg)  # noqa: S704  # nosec B704 - drawn by us, of numbers
