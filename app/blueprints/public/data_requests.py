"""Whoever sent an offer asks for a copy of what is held about them, or to be forgotten: by their e-mail address."""

from __future__ import annotations

import json
import uuid
from typing import Any

from flask import Response, abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form, HiddenField, RadioField, StringField
from wtforms.fields.choices import SelectChoice

from app.blueprints.public.routes import public
from app.core.contacts import NotAContact
from app.core.errors import NotFound
from app.core.language import language
from app.core.numbers import NotANumber, whole
from app.core.signed_links import PRIVACY
from app.extensions import db
from app.models import Agency, PrivacyRequest
from app.offers.document import Document
from app.offers.sections import sections
from app.privacy import data_copy
from app.privacy import data_requests as service
from app.web.guards import Guard, policy
from app.web.loaders import ByLink

KINDS = {
    "access": _l("Send me a copy of everything held about me"),
    "erasure": _l("Erase everything held about me"),
}


class RequestForm(Form):
    agency = HiddenField()
    kind = RadioField(
        _l("What do you ask for?"), choices=[SelectChoice(*kind) for kind in KINDS.items()], validate_choice=False
    )
    email = StringField(_l("E-mail address you gave with your offer"))


def _standing(request_id: uuid.UUID) -> PrivacyRequest:
    """The request while it is open; afterwards the form for a new one."""
    data_request = service.by_id(request_id)
    if data_request is None or service.lapsed(data_request):
        abort(
            make_response(
                _form(RequestForm(data={"agency": str(data_request.agency_id) if data_request else ""}), lapsed=True),
                410,
            )
        )
    return data_request


@public.route("/gdpr/request", methods=["GET", "POST"])
@policy(Guard.PUBLIC, limit="60/minute", writes="10/hour", scope="privacy-request", keeps_answers=True)
def ask_about_data() -> AnyResponse | str | tuple[str, int]:
    """The form of the agency that its address names (`agency`); then a mail with a link, whether or not anything is
    held. Without an agency it says where that address is found, and lists none."""
    if request.method == "GET":
        form = RequestForm(data={"agency": request.args.get("agency", "")})
        return _form(form, sent=request.args.get("sent") == "1")
    form = RequestForm(request.form)
    if not _ask(form):
        return _form(form), 422
    return redirect(url_for("public.ask_about_data", agency=form.agency.data, sent="1"), 303)


def _named(form: RequestForm) -> tuple[uuid.UUID | None, str | None]:
    """The agency that a form names, and its name; twice None where it names none."""
    try:
        agency_id = uuid.UUID(form.agency.data or "")
    except ValueError:
        return None, None
    name = service.name_of(agency_id)
    return (agency_id, name) if name else (None, None)


def _ask(form: RequestForm) -> bool:
    """Note it, or say on the form what is missing."""
    agency_id, _name = _named(form)
    if form.kind.data not in KINDS:
        form.kind.errors = [_("Choose one of the answers")]
    if agency_id is None or form.kind.data not in KINDS:
        return False
    try:
        service.ask(agency_id, form.kind.data, (form.email.data or "").strip(), language())
    except NotAContact:
        form.email.errors = [_("Write an e-mail address such as nume@exemplu.ro")]
        return False
    return True


@public.route("/gdpr/request/<token>", methods=["GET", "POST"])
@policy(Guard.LINK, limit="60/minute", writes="20/minute", scope="privacy-proof", opens=ByLink({PRIVACY: _standing}))
def prove_address(data_request: PrivacyRequest, token: str) -> AnyResponse | str | tuple[str, int]:
    """What was asked, and a button that proves the address; afterwards how the request stands. Opening it changes
    nothing."""
    if request.method == "GET":
        return _state(data_request, token)
    request_id = data_request.id
    service.prove(request_id)
    return redirect(url_for("public.prove_address", token=token), 303)


@public.get("/gdpr/request/<token>/data.json")
@policy(Guard.LINK, limit="20/minute", opens=ByLink({PRIVACY: service.by_id}))
def data_copy_json(data_request: PrivacyRequest) -> Response:
    """Everything held about who asked, over all properties of the agency (GDPR, articles 15 and 20)."""
    found = service.copy_of(data_request)
    if found is None:
        raise NotFound
    text = json.dumps(found, ensure_ascii=False, indent=2)
    named = {"Content-Disposition": 'attachment; filename="bidflux-data.json"'}
    return Response(text + "\n", mimetype="application/json", headers=named)


@public.get("/gdpr/request/<token>/data.pdf")
@policy(Guard.LINK, limit="6/minute", opens=ByLink({PRIVACY: service.by_id}))
def data_copy_pdf(data_request: PrivacyRequest) -> Response:
    """The same on pages; `?part=2` where there is so much that it takes several files."""
    found = service.copy_of(data_request)
    if found is None:
        raise NotFound
    try:
        part = whole(request.args.get("part", "1"), 1, data_copy.parts_of(found))
    except NotANumber:
        raise NotFound from None
    zone = db.session.get_one(Agency, data_request.agency_id).zone
    db.session.rollback()  # no transaction stays open over what takes long
    pdf = data_copy.pdf_of(found, found["email"], data_request.language, zone, part)
    named = {"Content-Disposition": 'attachment; filename="bidflux-data.pdf"'}
    return Response(pdf, mimetype="application/pdf", headers=named)


def _form(form: RequestForm, *, sent: bool = False, lapsed: bool = False) -> str:
    return render_template("public/data_request.html", form=form, agency_name=_named(form)[1], sent=sent, lapsed=lapsed)


def _state(data_request: PrivacyRequest, token: str) -> str:
    copy: dict[str, Any] | None = service.copy_of(data_request)
    return render_template(
        "public/data_request_state.html",
        held=data_request,
        token=token,
        agency=db.session.get_one(Agency, data_request.agency_id),
        copy=copy,
        files=data_copy.parts_of(copy) if copy else 0,
        parts=[sections(Document(offer["as_sent"]).terms) for offer in copy["offers"]] if copy else [],
        reason=service.reason_of(data_request),
        email=service.address_of(data_request),
    )
