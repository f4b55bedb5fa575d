"""Settings: one's own, and, for owners, the agency's, its people's and its keys'."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form
from wtforms.fields.choices import SelectChoice

from app.accounts import deputies, invitations, sessions, staff
from app.accounts import editing as accounts
from app.accounts.test_agency import test_agency_of
from app.blueprints.accounts.throttle import count_try_within
from app.blueprints.settings.forms import (
    ZONES,
    AgencyForm,
    ApiKeyForm,
    DeputyForm,
    HeirForm,
    PasswordForm,
    ProfileForm,
    UserForm,
    phone_of,
)
from app.core.clock import now
from app.core.contacts import mailbox_of, show_phone
from app.core.errors import Invalid, NotFound, TooMany
from app.core.urls import base_url
from app.models.agency import ROLES
from app.properties.listing import agent_choices
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy, rates
from app.web.rate_limits import hit, keyed

settings = Blueprint("settings", __name__)

INVITES = rates("3/2 hour")  # to one address: whoever types somebody else's does not fill their mailbox


@settings.route("/app/settings", methods=["GET", "POST"])
@policy(Guard.SIGNED_IN, limit="300/minute", writes="60/minute", scope="settings")
def profile() -> AnyResponse:
    """One's own name, phone and language; beside them password and sessions."""
    if request.method == "GET":
        return _profile()
    form = ProfileForm(request.form)
    if not form.validate():
        return _profile(422, form=form)
    accounts.change_user(person().user, form.values(), by=person().actor)
    return done(url_for("settings.profile"), _("Saved"))


@settings.post("/app/settings/password")
@policy(Guard.SIGNED_IN, limit="20/minute")
def password() -> AnyResponse:
    """A new password; every other session ends."""
    form, user = PasswordForm(request.form), person().user
    if not form.validate():
        return _profile(422, password_form=form)
    try:
        count_try_within(person().session_id)
        accounts.check_present_password(user, form.present.data)
        accounts.set_password(user, form.password.data, by=person().actor, keep_session=person().session_id)
    except TooMany:
        form.present.errors = [_("Too many tries. Wait 15 minutes and try again.")]
        return _profile(429, password_form=form)
    except Invalid as invalid:
        return _profile(422, password_form=_refused(form, invalid))
    return done(url_for("settings.profile"), _("The password is changed and your other sessions have ended"))


@settings.post("/app/settings/deputy")
@policy(Guard.AGENT, limit="30/minute")
def deputy() -> AnyResponse:
    """Who gets one's notices too while one is away; `nobody` ends it."""
    by = person()
    if request.form.get("nobody"):
        deputies.dismiss(by.user, by=by.actor)
        return done(url_for("settings.profile"), _("Nobody stands in for you"))
    form = DeputyForm(request.form)
    form.deputy.choices = _deputies()
    if not form.validate():
        return _profile(422, deputy_form=form)
    try:
        chosen = uuid.UUID(form.deputy.data or "")
    except ValueError:
        chosen = by.user.id  # who cannot stand in for themselves
    try:
        deputies.appoint(by.user, chosen, form.since.data, form.until.data, by=by.actor)
    except Invalid as invalid:
        return _profile(422, deputy_form=_refused(form, invalid))
    return done(url_for("settings.profile"), _("Saved"))


def _deputies() -> list[SelectChoice]:
    return [SelectChoice(str(user_id), name) for user_id, name in deputies.choices_of(person().user)]


@settings.post("/app/settings/sessions/<uuid:session_id>/end")
@policy(Guard.SIGNED_IN, limit="60/minute")
def end_session(session_id: uuid.UUID) -> AnyResponse:
    """Sign one browser out."""
    sessions.end_session(session_id, person().user, by=person().actor)
    return done(url_for("settings.profile"), _("The session has ended"))


@settings.route("/app/settings/agency", methods=["GET", "POST"])
@policy(Guard.OWNER, limit="300/minute", writes="60/minute", scope="settings-agency")
def agency() -> AnyResponse:
    """What buyers read of the agency, its zone, and who may read what."""
    agency = person().agency
    if request.method == "GET":
        return page("settings/agency.html", form=AgencyForm.of(agency), zones=ZONES)
    form = AgencyForm(request.form)
    form.language.data = request.form.get("language", agency.language)
    form.currency.data = request.form.get("currency", agency.currency)
    if not form.validate():
        return page("settings/agency.html", status=422, form=form, zones=ZONES)
    accounts.change_agency(agency, form.values(), by=person().actor)
    return done(url_for("settings.agency"), _("Saved"))


@settings.route("/app/settings/users", methods=["GET", "POST"])
@policy(Guard.OWNER, limit="300/minute", writes="60/minute", scope="settings-users", step_up=True)
def users() -> AnyResponse:
    """Who signs in, and who was invited by mail: the answer is the same when the address signs in elsewhere."""
    if request.method == "GET":
        return _users()
    form = UserForm(request.form)
    form.language.data = request.form.get("language", person().agency.language)
    if not form.validate():
        return _users(422, form=form)
    new = accounts.NewUser(form.email.data, form.full_name.data, role=form.role.data)
    new = replace(new, phone=phone_of(form.phone), language=form.language.data)
    try:
        hit(INVITES, "invite", person().agency_id.hex, keyed(mailbox_of(new.email)))
        invitations.invite(person().agency_id, new, by=person().actor)
    except TooMany:
        form.email.errors = [_("Links were sent there a moment ago. Wait two hours and try again.")]
        return _users(429, form=form)
    except Invalid as invalid:
        return _users(422, form=_refused(form, invalid))
    return _sent(new.email)


@settings.post("/app/settings/invitations/<uuid:invitation_id>/send")
@policy(Guard.OWNER, limit="20/minute", step_up=True)
def ask_again(invitation_id: uuid.UUID) -> AnyResponse:
    """A new link to somebody who was invited and has not come; the earlier one stops."""
    try:
        hit(INVITES, "invite-again", invitation_id.hex)
    except TooMany:
        return _users(429, problem=_("Links were sent there a moment ago. Wait two hours and try again."))
    return _sent(invitations.ask_again(person().agency_id, invitation_id, by=person().actor))


@settings.post("/app/settings/invitations/<uuid:invitation_id>/withdraw")
@policy(Guard.OWNER, limit="60/minute", step_up=True)
def withdraw_invitation(invitation_id: uuid.UUID) -> AnyResponse:
    """Withdraw an invitation."""
    invitations.withdraw(person().agency_id, invitation_id, by=person().actor)
    return done(url_for("settings.users"), _("The invitation is withdrawn"))


@settings.post("/app/settings/users/<uuid:user_id>/role")
@policy(Guard.OWNER, limit="60/minute", step_up=True)
def role(user_id: uuid.UUID) -> AnyResponse:
    """Make someone an administrator, an agent or an assistant."""
    user, wanted = staff.get_user(person().agency_id, user_id), request.form.get("role", "")
    if wanted not in ROLES:
        raise NotFound
    try:
        staff.set_role(user, wanted, by=person().actor)
    except Invalid as invalid:
        return _users(422, problem=_problem(invalid))
    return done(url_for("settings.users"), _("Saved"))


@settings.post("/app/settings/users/<uuid:user_id>/invite")
@policy(Guard.OWNER, limit="20/minute", step_up=True)
def invite_user(user_id: uuid.UUID) -> AnyResponse:
    """A link by mail to choose a password: for whoever lost the first one, or forgot theirs."""
    return _sent(invitations.invite_again(staff.get_user(person().agency_id, user_id), by=person().actor))


@settings.route("/app/settings/users/<uuid:user_id>/deactivate", methods=["GET", "POST"])
@policy(Guard.OWNER, limit="300/minute", writes="60/minute", scope="settings-deactivate", step_up=True)
def deactivate(user_id: uuid.UUID) -> AnyResponse:
    """Let someone sign in no more: the warning, who takes over the properties, and what its button does."""
    by, user = person(), staff.get_user(person().agency_id, user_id)
    heirs = [(heir, name) for heir, name in agent_choices(by) if heir != user_id]
    form = HeirForm(request.form, heir=str(by.user.id))
    form.heir.choices = [SelectChoice(str(heir), name) for heir, name in heirs]
    if request.method == "GET":
        return page("settings/deactivate.html", user=user, form=form, count=staff.count_of(user))
    chosen = {str(heir): heir for heir, _name in heirs}.get(form.heir.data)
    if chosen is None:
        form.heir.errors = [str(staff.NO_HEIR)]
        return page("settings/deactivate.html", status=422, user=user, form=form, count=staff.count_of(user))
    try:
        staff.deactivate(user, heir=chosen, by=by.actor)
    except Invalid as invalid:
        return _users(422, problem=_problem(invalid))
    return done(url_for("settings.users"), _("This person can no longer sign in"))


@settings.post("/app/settings/users/<uuid:user_id>/reactivate")
@policy(Guard.OWNER, limit="20/minute", step_up=True)
def reactivate(user_id: uuid.UUID) -> AnyResponse:
    """Let someone sign in again, once they have chosen a new password by the link in their mail."""
    user = staff.get_user(person().agency_id, user_id)
    email = user.email
    try:
        staff.reactivate(user, by=person().actor)
    except Invalid as invalid:
        return _users(422, problem=_problem(invalid))
    return _sent(email)


@settings.route("/app/settings/api", methods=["GET", "POST"])
@policy(Guard.OWNER, limit="300/minute", writes="30/minute", scope="settings-api", step_up=True)
def api() -> AnyResponse:
    """Keys for the CRM. A new one is shown in the answer, this once."""
    if request.method == "GET":
        return _api()
    form = ApiKeyForm(request.form)
    if not form.validate():
        return _api(422, form=form)
    by, test = person(), form.kind.data == "test"
    agency_id = test_agency_of(by.agency_id) if test else by.agency_id
    key = accounts.create_api_key(
        agency_id, form.name.data, by=by.actor, scopes=form.scopes, expires_at=form.expires_at, test=test
    )
    return _api(key=key)


@settings.post("/app/settings/api/<uuid:key_id>/revoke")
@policy(Guard.OWNER, limit="60/minute", step_up=True)
def revoke(key_id: uuid.UUID) -> AnyResponse:
    """Revoke an API key."""
    staff.revoke_api_key(person().agency_id, key_id, by=person().actor)
    return done(url_for("settings.api"), _("The key is revoked"))


def _profile(status: int = 200, **forms: Form) -> Response:
    user = person().user
    values = {
        "full_name": user.full_name,
        "phone": show_phone(user.phone) if user.phone else "",
        "language": user.language,
        "shortcuts": user.shortcuts,
    }
    context: dict[str, Any] = {"form": ProfileForm(data=values), "password_form": PasswordForm(), **forms}
    if "deputy_form" not in context:
        days = {"deputy": str(user.deputy_id or ""), "since": user.deputy_from, "until": user.deputy_until}
        context["deputy_form"] = DeputyForm(data=days)
        context["deputy_form"].deputy.choices = _deputies()
    held = sessions.sessions_of(user)
    return page("settings/profile.html", status=status, sessions=held, here=person().session_id, **context)


def _users(status: int = 200, **context: Any) -> Response:
    context = {"form": UserForm(data={"language": person().agency.language}), "problem": "", **context}
    context |= {"users": staff.users_of(person().agency_id), "invited": invitations.waiting_in(person().agency_id)}
    return page("settings/users.html", status=status, **context)


def _sent(email: str) -> AnyResponse:
    return done(url_for("settings.users"), _("A link to choose a password is on its way to %(email)s.", email=email))


def _api(status: int = 200, **context: Any) -> Response:
    context = {"form": ApiKeyForm(), "key": None, **context}
    keys = staff.api_keys_of(person().agency_id)
    return page("settings/api.html", status=status, keys=keys, at=now(), api_url=f"{base_url()}/api/crm", **context)


def _refused(form: Form, invalid: Invalid) -> Form:
    """The form with what the service refused, in the reader's language."""
    for name, messages in invalid.errors.items():
        form[name].errors = [*form[name].errors, *(str(message) for message in messages)]
    return form


def _problem(invalid: Invalid) -> str:
    return " ".join(str(message) for messages in invalid.errors.values() for message in messages)
