"""Signing in and out."""

from __future__ import annotations

import time
import uuid

from flask import Blueprint, Response, current_app, redirect, request, session, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response as AnyResponse

from app.accounts.editing import authenticate, is_owner_somewhere, password_mark, start_session, switch
from app.accounts.sessions import place_of, sign_out
from app.accounts.signed_in import find_session
from app.blueprints.accounts.forms import CodeForm, LoginForm, browser_name
from app.blueprints.accounts.throttle import count_try, succeeded
from app.core.errors import NotFound, TooMany
from app.models import User
from app.web.form_tokens import exchange
from app.web.fragments import local_path, page
from app.web.guards import Guard, caller_address, person, policy

accounts = Blueprint("accounts", __name__)
HELD = "held."  # what was being typed when the session ended, among the fields of the sign-in form


@accounts.route("/login", methods=["GET", "POST"])
@policy(Guard.PUBLIC, limit="120/minute", writes="120/minute")
def login() -> AnyResponse:
    """The form; POSTed with `email`, `password` and `next`."""
    onward = local_path(request.values.get("next"))
    if request.method == "GET":
        return (
            redirect(onward or url_for("offers.index"), 303) if current_user.is_authenticated else sign_in_form(onward)
        )
    form = LoginForm(request.form)
    email, password = form.email.data or "", form.password.data or ""
    try:
        count_try(email)
    except TooMany as error:
        return _too_many(form, onward, error)
    user = authenticate(email, password) if email and password else None
    if user is None:
        message = _("E-mail or password is wrong. Check both and try again.")
        return sign_in_form(onward, form, message, 422)
    if not may_use_password(user):
        message = _("Your agency's administrators sign in with a password; sign in by %(name)s.", name=_oidc_name())
        return sign_in_form(onward, form, message, 422)
    if user.has_factor:
        return ask_factor(user, onward, held())
    return enter(user, onward, held())


def may_use_password(user: User) -> bool:
    """Whether a password counts: where an issuer is the rule, administrators alone keep a way in of their own."""
    oidc = current_app.extensions["bidflux_settings"].oidc
    return oidc is None or not oidc.only or is_owner_somewhere(user)


def _oidc_name() -> str:
    oidc = current_app.extensions["bidflux_settings"].oidc
    return str(oidc.name) if oidc else ""


def enter(user: User, onward: str | None, typed: list[tuple[str, str]]) -> AnyResponse:
    """Let somebody in who has shown who they are."""
    email = user.email
    _sign_in(user)
    where = resume(onward, typed) if onward and typed else redirect(onward or url_for("offers.index"), 303)
    return succeeded(email, where)


def ask_factor(user: User, onward: str | None, typed: list[tuple[str, str]]) -> AnyResponse:
    """The password was right. Whose it was stands in the signed cookie, for ten minutes: nobody is signed in yet."""
    session.clear()
    session["second"] = [user.id.hex, time.time() + 600, password_mark(user.email)]
    if not typed:
        return redirect(url_for("accounts.factor", next=onward), 303)
    return page("accounts/factor.html", onward=onward, form=CodeForm(), held=typed)


def sign_in_first(onward: str, typed: list[tuple[str, str]]) -> Response:
    """For a form that came without a session: nothing of it is stored, the page keeps what was typed."""
    message = _("You were signed out in the meantime. Sign in: what you typed is kept and comes back.")
    return sign_in_form(onward, LoginForm(), message, 401, [(f"{HELD}{name}", value) for name, value in typed])


def held() -> list[tuple[str, str]]:
    return [(name, value) for name, value in request.form.items(multi=True) if name.startswith(HELD)]


def resume(onward: str, typed: list[tuple[str, str]]) -> Response:
    """One step from here back to the form, filled in."""
    fields = [(name.removeprefix(HELD), value) for name, value in typed]
    return page("accounts/resume.html", action=request.script_root + onward, fields=fields)


@accounts.post("/logout")
@policy(Guard.SIGNED_IN, limit="60/minute", before_factor=True)
def logout() -> AnyResponse:
    """End this browser's session, in the table too."""
    sign_out(person())
    logout_user()
    session.clear()
    return redirect(url_for("accounts.login"), 303)


@accounts.post("/app/agency")
@policy(Guard.SIGNED_IN, limit="60/minute", before_factor=True)
def switch_agency() -> AnyResponse:
    """Go on in another of one's agencies."""
    try:
        chosen = uuid.UUID(request.form.get("user", ""))
    except ValueError:
        raise NotFound from None
    left = person().user.id
    switch(person(), chosen)
    exchange(left, chosen)
    return redirect(url_for("accounts.start"), 303)


@accounts.get("/app")
@accounts.get("/app/")
@policy(Guard.SIGNED_IN, limit="300/minute")
def start() -> AnyResponse:
    """Where the dashboard begins."""
    return redirect(url_for("offers.index"), 303)


def _sign_in(user: User) -> None:
    """A new session under a new token: whatever the browser held before is gone."""
    token = start_session(user, browser_name(request.headers.get("User-Agent", "")), place_of(caller_address()))
    session.clear()
    session.permanent = True
    login_user(find_session(token))


def _too_many(form: LoginForm, onward: str | None, error: TooMany) -> Response:
    minutes = max(1, -(-min(error.retry_after, 900) // 60))
    wait = ngettext("Wait %(num)d minute and try again.", "Wait %(num)d minutes and try again.", minutes)
    message = _("Too many tries.") + " " + wait + " "
    message += _(
        "If somebody else is trying, or you have forgotten your password, have a link sent: it lets you in at once."
    )
    response = sign_in_form(onward, form, message, 429)
    response.headers["Retry-After"] = str(error.retry_after)
    return response


def sign_in_form(
    onward: str | None,
    form: LoginForm | None = None,
    message: str = "",
    status: int = 200,
    fields: list[tuple[str, str]] | None = None,
) -> Response:
    return page(
        "accounts/login.html",
        status=status,
        form=form or LoginForm(),
        onward=onward,
        message=message,
        issuer=_oidc_name(),
        held=held() if fields is None else fields,
    )
