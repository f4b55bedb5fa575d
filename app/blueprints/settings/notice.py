"""The privacy notice that clients are shown, for the agency's owner to write."""

from __future__ import annotations

from flask import Response, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form, TextAreaField
from wtforms.validators import Length, Optional

from app.blueprints.settings.routes import settings
from app.core.language import LANGUAGES
from app.core.limits import NOTICE, plain_lines
from app.proof import texts
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy

LIMITS = Length(*NOTICE, _l("A notice has from 200 to 20,000 characters; leave it empty for the default text"))


class NoticeForm(Form):
    """One text for each language, by its code; an empty one is the default."""


for spoken in LANGUAGES.values():
    words = TextAreaField(
        _l("In %(language)s", language=spoken.name), filters=[plain_lines], validators=[Optional(), LIMITS]
    )
    setattr(NoticeForm, spoken.code, words)


@settings.route("/app/settings/notice", methods=["GET", "POST"])
@policy(Guard.OWNER, limit="120/minute", writes="30/minute", scope="settings-notice")
def notice() -> AnyResponse:
    """What clients read before they send an offer, in every language."""
    by = person()
    if request.method == "GET":
        own = {language: texts.own_notice(by.agency_id, language) or "" for language in LANGUAGES}
        return _page(NoticeForm(data=own))
    form = NoticeForm(request.form)
    if not form.validate():
        return _page(form, 422)
    agency_id, actor = by.agency_id, by.actor
    for language in LANGUAGES:
        texts.set_notice(agency_id, language, form[language].data or "", by=actor)
    return done(url_for("settings.notice"), _("Saved. Offers sent before keep the notice that they were sent under."))


def _page(form: NoticeForm, status: int = 200) -> Response:
    agency = person().agency
    defaults = {language: texts.default_notice(language, agency) for language in LANGUAGES}
    return page("settings/notice.html", status=status, form=form, agency=agency, defaults=defaults)
