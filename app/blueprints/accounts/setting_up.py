"""The page behind the set-up link, which makes the first agency."""

from __future__ import annotations

import uuid

from flask import abort, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.accounts import founding
from app.accounts.editing import NewUser
from app.blueprints.accounts.routes import accounts
from app.blueprints.accounts.throttle import succeeded
from app.blueprints.settings.forms import ZONES, FirstAgencyForm
from app.core.errors import Invalid, StaleVersion
from app.core.language import language
from app.core.signed_links import SETUP
from app.extensions import csrf
from app.models import SetupLink
from app.web.fragments import page
from app.web.guards import Guard, policy
from app.web.held_forms import in_language
from app.web.loaders import ByLink


def _gone() -> AnyResponse:
    return page("accounts/setup.html", status=410, form=None)


def _load(link_id: uuid.UUID) -> SetupLink:
    """A link of ours that is good no more says so; one that was never ours is not found."""
    if held := founding.of_link(link_id):
        return held
    abort(make_response(_gone()))


@accounts.route("/setup/<token>", methods=["GET", "POST"])
@csrf.exempt
@policy(Guard.LINK, limit="60/minute", writes="20/minute", scope="setup", opens=ByLink({SETUP: _load}))
def set_up(held: SetupLink, token: str) -> AnyResponse:
    """The form, and what its button does; afterwards the owner signs in."""
    link_id = held.id
    if request.method == "GET":
        return _form(FirstAgencyForm(language=language()), token)
    form = FirstAgencyForm(request.form)
    if not form.validate():
        return _form(form, token, 422)
    first = founding.FirstAgency(form.name.data, form.zone.data, form.currency.data)
    owner = NewUser(form.email.data, form.full_name.data, language=form.language.data)
    try:
        founding.found(link_id, first, owner, form.password.data)
    except StaleVersion:
        return _gone()
    except Invalid as invalid:
        form.refuse(invalid.errors)
        return _form(form, token, 422)
    first_thing = url_for("settings.security")  # a second factor, before anything else is there to lose
    onward = in_language(url_for("accounts.login", ready="1", next=first_thing), form.language.data)
    return succeeded(owner.email, redirect(onward, 303))


def _form(form: FirstAgencyForm, token: str, status: int = 200) -> AnyResponse:
    return page("accounts/setup.html", status=status, form=form, token=token, zones=ZONES)
