"""Webhooks, for the agency's owner: endpoints, and what became of each call."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

from flask import Response, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form

from app.blueprints.settings.routes import settings
from app.blueprints.settings.webhook_forms import EndpointForm, ReplayForm, TestForm
from app.core.clock import now
from app.core.errors import Conflict, Invalid
from app.core.questions import answered
from app.models import WebhookEndpoint
from app.models.record import DELIVERY_STATES
from app.models.webhook import TEST
from app.privacy.access_log import note_opening
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy
from app.web.htmx import is_seen, wants_block
from app.webhooks import editing as service
from app.webhooks import log

SHOWN = 30
SOON = timedelta(seconds=20)  # what is due by then is waited for on the page


@settings.route("/app/settings/webhooks", methods=["GET", "POST"])
@policy(Guard.OWNER, limit="300/minute", writes="30/minute", scope="settings-webhooks", step_up=True)
def webhooks() -> AnyResponse:
    """Every address, and a new one, whose secret is shown in the answer, this once."""
    if request.method == "GET":
        return _list(EndpointForm())
    form = EndpointForm(request.form)
    if not form.validate():
        return _list(form, 422)
    try:
        made, secret = service.create(person().agency_id, form.url.data, form.chosen(), by=person().actor)
    except Invalid as invalid:
        return _list(_refused(form, invalid), 422)
    return _show(made, secret=secret)


@settings.route("/app/settings/webhooks/<uuid:endpoint_id>", methods=["GET", "POST"])
@policy(Guard.OWNER, limit="300/minute", writes="60/minute", scope="settings-webhook", step_up=True)
def webhook(endpoint_id: uuid.UUID) -> AnyResponse:
    """One address: what it is called about, and its log; or a change of it."""
    endpoint = _held(endpoint_id)
    if request.method == "GET":
        return _show(endpoint_id)
    form = EndpointForm(request.form)
    if not form.validate():
        return _show(endpoint_id, 422, form=form)
    try:
        service.change(endpoint, url=form.url.data, events=form.chosen(), by=person().actor)
    except Invalid as invalid:
        return _show(endpoint_id, 422, form=_refused(form, invalid))
    return _back(endpoint_id, _("Saved"))


@settings.post("/app/settings/webhooks/<uuid:endpoint_id>/switch")
@policy(Guard.OWNER, limit="60/minute", scope="settings-webhook-switch", step_up=True)
def webhook_switch(endpoint_id: uuid.UUID) -> AnyResponse:
    """Call it, or call it no more."""
    on = request.form.get("on") == "1"
    service.change(_held(endpoint_id), on=on, by=person().actor)
    return _back(endpoint_id, _("Calls are on") if on else _("Calls are off"))


@settings.post("/app/settings/webhooks/<uuid:endpoint_id>/rotate")
@policy(Guard.OWNER, limit="20/minute", scope="settings-webhook-rotate", step_up=True)
def webhook_rotate(endpoint_id: uuid.UUID) -> AnyResponse:
    """A new secret, shown in the answer, this once."""
    try:
        return _show(endpoint_id, secret=service.rotate(_held(endpoint_id), by=person().actor))
    except Conflict:
        return _show(endpoint_id, 409, problem=service.TOO_OFTEN)


@settings.post("/app/settings/webhooks/<uuid:endpoint_id>/test")
@policy(Guard.OWNER, limit="30/minute", scope="settings-webhook-test", step_up=True)
def webhook_test(endpoint_id: uuid.UUID) -> AnyResponse:
    """Send a sample, and show what becomes of it."""
    form, endpoint = TestForm(request.form), _held(endpoint_id)
    try:
        call_id = service.send_test(endpoint, form.kind.data or TEST, by=person().actor)
    except Invalid:
        form.kind.errors = [_("Choose one of the answers")]
        return _show(endpoint_id, 422, test_form=form)
    except Conflict:
        return _show(endpoint_id, 409, problem=_("Turn the calls on first."))
    return done(url_for("settings.webhook_call", call_id=call_id), _("The test is on its way"))


@settings.post("/app/settings/webhooks/<uuid:endpoint_id>/replay")
@policy(Guard.OWNER, limit="10/minute", scope="settings-webhook-replay", step_up=True)
def webhook_replay(endpoint_id: uuid.UUID) -> AnyResponse:
    """Send everything since a moment that did not arrive."""
    form, endpoint = ReplayForm(request.form), _held(endpoint_id)
    failing_since = endpoint.failing_since or endpoint.off_at
    since = form.moment(person().agency.zone, answered(request.form), failing_since)
    if since is None:
        return _show(endpoint_id, 422, replay_form=form)
    try:
        count = service.replay(endpoint, since, by=person().actor)
    except Conflict:
        return _show(endpoint_id, 409, problem=_("Turn the calls on first."))
    message = ngettext("%(num)d call is on its way", "%(num)d calls are on their way", count)
    return _back(endpoint_id, message if count else _("Everything since then has arrived"))


@settings.route("/app/settings/webhooks/<uuid:endpoint_id>/remove", methods=["GET", "POST"])
@policy(Guard.OWNER, limit="300/minute", writes="30/minute", scope="settings-webhook-remove", step_up=True)
def webhook_remove(endpoint_id: uuid.UUID) -> AnyResponse:
    """The warning, and what its button does."""
    endpoint = _held(endpoint_id)
    if request.method == "GET":
        return page("settings/webhook_remove.html", endpoint=endpoint, url=service.url_of(endpoint))
    service.remove(endpoint, by=person().actor)
    return done(url_for("settings.webhooks"), _("The address is removed"))


@settings.get("/app/settings/webhook-calls/<uuid:call_id>")
@policy(Guard.OWNER, limit="300/minute", records="a person's view of what a call says about an offer")
def webhook_call(call_id: uuid.UUID) -> Response:
    """One call: what it carries, each try and its answer."""
    return _call(call_id)


@settings.post("/app/settings/webhook-calls/<uuid:call_id>/resend")
@policy(Guard.OWNER, limit="60/minute", scope="settings-webhook-resend", step_up=True)
def webhook_resend(call_id: uuid.UUID) -> AnyResponse:
    """The same id and body once more."""
    log.get_call(person().agency_id, call_id)
    try:
        service.resend(person().agency_id, call_id)
    except Conflict:
        return _call(call_id, 409, problem=_("It cannot be sent again now: it is on its way, or the calls are off."))
    return done(url_for("settings.webhook_call", call_id=call_id), _("It is on its way"))


def _held(endpoint_id: uuid.UUID) -> WebhookEndpoint:
    return service.get_endpoint(person().agency_id, endpoint_id)


def _back(endpoint_id: uuid.UUID, message: str) -> AnyResponse:
    return done(url_for("settings.webhook", endpoint_id=endpoint_id), message)


def _list(form: Form, status: int = 200) -> Response:
    endpoints = [(endpoint, service.url_of(endpoint)) for endpoint in service.endpoints_of(person().agency_id)]
    return page("settings/webhooks.html", status=status, endpoints=endpoints, form=form)


def _show(endpoint_id: uuid.UUID, status: int = 200, **context: Any) -> Response:
    endpoint = _held(endpoint_id)
    state, after = request.args.get("state", ""), request.args.get("after")
    chosen = state if state in DELIVERY_STATES else None
    try:
        calls, more = log.calls_of(endpoint, state=chosen, after=after, limit=SHOWN)
    except ValueError:  # an address that somebody shortened
        calls, more = log.calls_of(endpoint, state=chosen, limit=SHOWN)
    if after is not None and not calls:
        calls = log.oldest_calls(endpoint, state=chosen, limit=SHOWN)
    url = service.url_of(endpoint)
    tries = log.tries_of(endpoint.agency_id, [call.id for call in calls])
    forms = {
        "form": EndpointForm(data={"url": url, "events": endpoint.events.split()}),
        "test_form": TestForm(),
        "replay_form": ReplayForm.from_moment(endpoint.failing_since or endpoint.off_at, person().agency.zone),
        "secret": None,
        "problem": "",
        **context,
    }
    return page(
        "settings/webhook.html", status=status, endpoint=endpoint, url=url, calls=calls,
        earlier=service.earlier_secrets([endpoint.id], now()).get(endpoint.id, []),
        last={call_id: made[-1] for call_id, made in tries.items()}, counts=log.counts_of(endpoint),
        more=more, paged=after is not None, state=chosen or "", states=DELIVERY_STATES, **forms,
    )  # fmt: skip


def _call(call_id: uuid.UUID, status: int = 200, problem: str = "") -> Response:
    agency_id = person().agency_id
    line = log.get_call(agency_id, call_id)
    body = log.body_of(agency_id, call_id)
    tries = log.tries_of(agency_id, [call_id]).get(call_id, [])
    if body is not None and line.offer_id and is_seen() and not wants_block():
        note_opening(line.offer_id, by=person())
    shown = json.dumps(json.loads(body), ensure_ascii=False, indent=2) if body else None
    endpoint = next((endpoint for endpoint in service.endpoints_of(agency_id) if endpoint.id == line.endpoint_id), None)
    soon = line.state == "leased" or (line.state == "pending" and line.due_at <= now() + SOON)
    return page(
        "settings/webhook_call.html", "progress", status, call=line, url=service.url_of(endpoint) if endpoint else "",
        soon=soon, body=shown, tries=tries[::-1], problem=problem,
    )  # fmt: skip


def _refused(form: EndpointForm, invalid: Invalid) -> EndpointForm:
    for name, messages in invalid.errors.items():
        form[name].errors = [*form[name].errors, *(str(message) for message in messages)]
    return form
