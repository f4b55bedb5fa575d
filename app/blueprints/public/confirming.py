"""The bidder confirms an offer that somebody recorded for them: by a code from their mailbox, not by a link."""

from __future__ import annotations

from typing import Any

from flask import redirect, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.public.codes import wrong_code
from app.blueprints.public.facts import changes
from app.blueprints.public.forms import ConfirmForm, Rules
from app.blueprints.public.receipts import BY_RECEIPT, shared_page, shown_receipt
from app.blueprints.public.routes import public
from app.blueprints.public.showing import Showing, opened_at, posted
from app.core.clock import now
from app.core.errors import FactsChanged
from app.core.language import language
from app.offers import recording
from app.offers.details import Receipt
from app.offers.document import Signature
from app.offers.reading import OfferReader
from app.offers.recording import ConfirmationInput
from app.proof import texts
from app.web.guards import Guard, caller_address, policy


@public.post("/r/<token>/confirm")
@policy(Guard.LINK, limit="30/minute", keeps_answers=True, opens=BY_RECEIPT)
def confirm(opened: Receipt, token: str) -> AnyResponse | tuple[str, int]:
    """Say that it is theirs, and back to the bidder's page."""
    form, signature = ConfirmForm(request.form), None
    stamp, _seen = posted(opened.prop)
    if opened.unconfirmed:
        signature = _read(opened, form)
        if form.errors or form.questions:
            return shared_page(opened, form=form), 422
        if stamp is None or stamp.terms != opened.offer.offer.commitment:
            return _again(opened, form)
    confirmation = ConfirmationInput(
        language=language(),
        texts=texts.kept_all(opened.prop, language(), opened_at(stamp)),
        shown=stamp.shown if stamp else None,
        signature=signature,
        address=caller_address(),
        browser=request.headers.get("User-Agent"),
    )
    try:
        after = recording.confirm(opened.offer.offer, confirmation, request.form.get("code", ""))
    except FactsChanged:
        return _again(shown_receipt(opened.offer.offer.id) or opened, form)
    if after.state == "done":
        return redirect(url_for("public.receipt", token=token), 303)
    return shared_page(opened, form=form, code_problem=wrong_code(after)), 422


def _again(opened: Receipt, form: ConfirmForm) -> tuple[str, int]:
    """The page once more, with what has changed since it was shown; the notice is to be read again."""
    form.consent.data = False
    problem = _("Something has changed since you opened this page. Read it again, then confirm.")
    form.consent.errors = [*form.consent.errors, problem]
    _stamp, seen = posted(opened.prop)
    now_shown = Showing.of_property(opened.prop, None).snap
    return shared_page(opened, form=form, changes=changes(seen, now_shown)), 422


def _read(opened: Receipt, form: ConfirmForm) -> Signature | None:
    """The signature, where the property asks for one; the form says what is missing."""
    values: dict[str, Any] = {name: form[name].data or "" for name in form._fields if name != "consent"}
    reader = OfferReader(
        prop=opened.prop,
        values=values,
        chosen={},
        consent=True,
        confirmed=request.form.getlist("confirmed"),
        rules=Rules(),
        at=now(),
        zone=opened.prop.agency.zone,
    )
    signature = reader.read_signature()
    errors = dict(reader.errors)
    if not form.consent.data:
        errors["consent"] = [_("Tick this box once you have read the privacy notice")]
    for name, messages in errors.items():
        form[name].errors = messages
    form.questions = reader.questions
    return signature
