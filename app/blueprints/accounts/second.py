"""The second factor at signing in, and who one is shown again before what matters most."""

from __future__ import annotations

import hmac
import time
import uuid
from collections.abc import Mapping

from flask import Response, redirect, request, session, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import factors, passkeys, sessions
from app.accounts.editing import check_present_password, password_mark
from app.blueprints.accounts.forms import CodeForm, ProofForm
from app.blueprints.accounts.routes import HELD, accounts, enter, held, resume
from app.blueprints.accounts.throttle import count_factor_try, count_try_within, factor_succeeded
from app.core.errors import Invalid, TooMany
from app.extensions import db
from app.models import User
from app.web.fragments import local_path, page
from app.web.guards import Guard, person, policy


@accounts.route("/login/factor", methods=["GET", "POST"])
@policy(Guard.PUBLIC, limit="120/minute", writes="60/minute", scope="factor")
def factor() -> AnyResponse:
    """A code of the phone, or a recovery code; reached by the password alone."""
    user, onward = awaited(), local_path(request.values.get("next"))
    if user is None:
        return redirect(url_for("accounts.login", next=onward), 303)
    if request.method == "GET":
        return _asked(onward, "", 200)
    try:
        count_factor_try(user.account_id)
        factors.check_code(user, request.form.get("code", ""))
    except TooMany as error:
        return _asked(onward, slowed(error), 429)
    except Invalid as invalid:
        return _asked(onward, str(invalid.errors["code"][0]), 422)
    factor_succeeded(user.account_id)
    return enter(user, onward, held())


def awaited() -> User | None:
    """Whose password was right a moment ago, in this browser; None once that is long ago, or the password another."""
    told = session.get("second") or ["", 0, ""]
    if told[1] < time.time():
        return None
    user = db.session.scalar(select(User).where(User.id == uuid.UUID(told[0]), User.active))
    return user if user and hmac.compare_digest(told[2], password_mark(user.email)) else None


def slowed(error: TooMany) -> str:
    minutes = max(1, -(-error.retry_after // 60))
    return str(_("Too many tries. Wait %(minutes)d minutes and try again.", minutes=minutes))


def _asked(onward: str | None, message: str, status: int) -> Response:
    form = CodeForm()
    form.code.errors = [message] if message else []
    return page("accounts/factor.html", status=status, onward=onward, form=form, held=held())


@accounts.route("/app/confirm", methods=["GET", "POST"])
@policy(Guard.SIGNED_IN, limit="120/minute", writes="60/minute", scope="confirm", before_factor=True)
def confirm() -> AnyResponse:
    """The password again, or a code."""
    onward = local_path(request.values.get("next"))
    if request.method == "GET":
        return confirm_form(onward)
    by, code = person(), request.form.get("code", "")
    try:
        if code.strip():
            count_factor_try(by.user.account_id)
            factors.check_code(by.user, code)
        else:
            count_try_within(by.session_id)
            check_present_password(by.user, request.form.get("password", ""))
    except TooMany as error:
        return confirm_form(onward, {"code" if code.strip() else "password": slowed(error)}, 429)
    except Invalid as invalid:
        name, messages = next(iter(invalid.errors.items()))
        return confirm_form(onward, {"code" if name == "code" else "password": str(messages[0])}, 422)
    return proven(onward)


def proven(onward: str | None) -> AnyResponse:
    """Back to what was to be done, with what was typed."""
    sessions.prove(person().session_id)
    typed = held()
    return resume(onward, typed) if onward and typed else redirect(onward or url_for("accounts.start"), 303)


def confirm_first(onward: str, typed: list[tuple[str, str]]) -> Response:
    """For a form that came too late: nothing of it is done yet, the page keeps what was typed."""
    return confirm_form(onward, {}, 401, [(f"{HELD}{name}", value) for name, value in typed])


def confirm_form(
    onward: str | None,
    wrong: Mapping[str, str] | None = None,
    status: int = 200,
    fields: list[tuple[str, str]] | None = None,
) -> Response:
    form = ProofForm()
    for name, message in (wrong or {}).items():
        form[name].errors = [message]
    user = person().user
    ways = {"code": factors.has_totp(user.account_id), "passkey": passkeys.has_passkey(user)}
    fields = held() if fields is None else fields
    return page("accounts/confirm.html", status=status, onward=onward, form=form, held=fields, ways=ways)
