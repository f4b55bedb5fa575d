"""Choosing a password by a link that came by mail: invited, or forgotten."""

from __future__ import annotations

from flask import g, redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import refresh
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form, StringField

from app.accounts import invitations
from app.blueprints.accounts.routes import accounts
from app.blueprints.accounts.throttle import succeeded
from app.blueprints.settings.forms import ChooseForm, WelcomeForm
from app.core.errors import Invalid, StaleVersion, TooMany
from app.core.language import language
from app.core.limits import EMAIL
from app.core.signed_links import ACCOUNT, INVITATION
from app.extensions import csrf, db
from app.models import Agency, Invitation, User
from app.web.fragments import page
from app.web.guards import Guard, policy, rates
from app.web.held_forms import in_language
from app.web.loaders import ByLink
from app.web.rate_limits import hit, keyed

# For one address, as people sign in with it: whoever types somebody else's does not fill their mailbox. Links live as
# long as this lasts, so that whoever uses it up for somebody else has a good link mailed to them; other spellings of
# the same mailbox, to which nothing is mailed, use up nothing.
RESETS = rates("3/2 hour")


class ForgotForm(Form):
    email = StringField(_l("E-mail"))


@accounts.route("/login/forgot", methods=["GET", "POST"])
@policy(Guard.PUBLIC, limit="60/minute", writes="20/hour", scope="forgot")
def forgot() -> AnyResponse:
    """Asks for the address; the answer is the same whether or not anybody signs in with it."""
    if request.method == "GET":
        return page("accounts/forgot.html", form=ForgotForm(), sent=request.args.get("sent") == "1")
    form = ForgotForm(request.form)
    email = (form.email.data or "").strip()
    if "@" not in email or len(email) > EMAIL:
        form.email.errors = [_("Write an e-mail address such as nume@exemplu.ro")]
        return page("accounts/forgot.html", status=422, form=form, sent=False)
    try:
        hit(RESETS, "reset-account", keyed(email.lower()))
        invitations.ask_reset(email)
    except TooMany:
        pass  # enough have been sent; who waits for one is told the same
    return redirect(url_for("accounts.forgot", sent="1"), 303)


def _used() -> AnyResponse:
    return page("accounts/choose.html", status=410, user=None, form=ChooseForm())


def _form_of(user: User | Invitation) -> ChooseForm:
    """Who was invited also says their name and language; what whoever invited them wrote stands there until then."""
    if not isinstance(user, Invitation):
        return ChooseForm(request.form)
    form = WelcomeForm(request.form, full_name=user.full_name, language=user.language)
    form.full_name.data = request.form.get("full_name", user.full_name)
    form.language.data = request.form.get("language", user.language)
    return form


def _joining(user: User | Invitation) -> str:
    return db.session.get_one(Agency, user.agency_id).name


@accounts.route("/account/<token>", methods=["GET", "POST"])
@csrf.exempt
@policy(
    Guard.LINK,
    limit="60/minute",
    writes="20/minute",
    scope="account-link",
    opens=ByLink({ACCOUNT: invitations.user_of, INVITATION: invitations.of_link}, _used),
)
def choose_password(user: User | Invitation, token: str) -> AnyResponse:
    """The form behind the link; only its button changes anything."""
    form = _form_of(user)
    if "bidflux.language" not in request.environ:
        g.language = user.language  # as the mail that the link stood in, whatever the browser prefers
        refresh()
    known = isinstance(user, Invitation) and invitations.is_known(user)
    if request.method == "GET":
        return page("accounts/choose.html", user=user, token=token, form=form, agency=_joining(user) if known else "")
    if isinstance(user, Invitation) and known:
        onward = in_language(url_for("accounts.login", joined="1"), language())
        try:
            invitations.join(user)
        except StaleVersion:
            return _used()
        return redirect(onward, 303)
    if form.validate():
        email, onward = user.email, in_language(url_for("accounts.login", ready="1"), language())
        try:
            if isinstance(user, Invitation):
                said = {"full_name": form.full_name.data, "language": form.language.data}
                invitations.accept(user, form.password.data, **said)
            else:
                invitations.choose(user, form.password.data)
            return succeeded(email, redirect(onward, 303))
        except Invalid as invalid:
            for name, messages in invalid.errors.items():
                form[name].errors = [str(message) for message in messages]
        except StaleVersion:
            return _used()
    return page("accounts/choose.html", status=422, user=user, token=token, form=form)
