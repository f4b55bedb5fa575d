"""An offer taken by phone, on WhatsApp, by mail or in person: the agent records it, its bidder confirms by a link."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from typing import Any

from flask import Response, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as AnyResponse
from wtforms import RadioField
from wtforms.fields.choices import SelectChoice

from app.blueprints.offers import bidder_links
from app.blueprints.offers.routes import note_seen, offers
from app.blueprints.public.forms import SIGNATURE_FIELDS, OfferForm, Rules
from app.core.access import get_offer, get_property
from app.core.clock import now
from app.core.errors import Conflict, FactsChanged, IllegalTransition, Invalid
from app.core.labels import LABELS
from app.core.language import DEFAULT, LANGUAGES, language
from app.core.questions import answered
from app.core.signed_links import STAMP, BadToken, Stamp, read, sign
from app.models import CODE, Property
from app.offers import recording
from app.offers.details import confirmation_of, is_unconfirmed, open_offer
from app.offers.document import Draft, Signature
from app.offers.fields import FIELDS, Field
from app.offers.mailboxes import is_reachable
from app.offers.reading import OfferReader
from app.offers.submitting import Sending
from app.offers.timeline import mails_owed
from app.properties.listing import recordable_properties
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy

CHANNELS = tuple(LABELS["channel"])


class RecordForm(OfferForm):
    """The buyer's form as the agent fills it in: how it came, in which language to write; nobody signs for another."""

    channel = RadioField(
        _l("How it came"),
        choices=[SelectChoice(value, text) for value, text in LABELS["channel"].items()],
        validate_choice=False,
    )
    language = RadioField(
        _l("Language in which the client is written to"),
        choices=[SelectChoice(code, spoken.own_name) for code, spoken in LANGUAGES.items()],
        default=DEFAULT,
        validate_choice=False,
    )

    def bind(self, prop: Property) -> RecordForm:
        super().bind(prop)
        unasked = dict.fromkeys((*SIGNATURE_FIELDS, "consent"), "hidden")
        unknown = {field.name: "optional" for field in FIELDS if field.maybe_unknown}
        self.rules = Rules({**self.rules, **unasked, **unknown})
        return self

    def hint(self, field: Field) -> Any:
        return field.hint

    def attributes(self, field: Field) -> dict[str, str]:
        """The browser knows the agent, not the client."""
        return {**super().attributes(field), **({} if field.kind.input == "date" else {"autocomplete": "off"})}


class _Reader(OfferReader):
    """What the agent typed. The bidder signs, and reads the notice, when they confirm."""

    def _signature(self) -> Signature | None:
        return None


@offers.get("/app/offers/new")
@policy(Guard.SIGNED_IN, limit="300/minute", scope="offer-new")
def choose_property() -> AnyResponse:
    """For which property; with `property_id` straight to its form."""
    by, chosen = person(), request.args.get("property_id", "")
    properties = recordable_properties(by)
    if any(str(property_id) == chosen for property_id, _title in properties):
        return done(url_for("offers.record", property_id=chosen))
    return page("offers/record_for.html", properties=properties)


@offers.route("/app/properties/<uuid:property_id>/offers/new", methods=["GET", "POST"])
@policy(Guard.SIGNED_IN, limit="300/minute", writes="60/minute", scope="offer-record")
def record(property_id: uuid.UUID) -> AnyResponse:
    """The form, and what its button does."""
    prop = get_property(person(), property_id, write=person().records_own_only)
    if prop.gone or prop.transaction_type != "sale":
        raise IllegalTransition
    if request.method == "GET":
        return _form(prop, RecordForm(data={"type": "person", "language": language()}).bind(prop), _stamp(prop))
    form = RecordForm(request.form).bind(prop)
    draft, nonce = _read(prop, form), _nonce(prop)
    if nonce is None:
        form.add_errors({"amount": [_("Check the currency: amounts are now in %(currency)s", currency=prop.currency)]})
    if draft is None or nonce is None:
        return _form(prop, form, request.form.get("stamp", "") if nonce else _stamp(prop), 422)
    sending = Sending(nonce, prop.link_version, str(form.language.data), "agent", {}, channel=form.channel.data)
    try:
        sent = recording.record(prop, draft, sending, by=person().actor)
    except FactsChanged:
        prop = get_property(person(), property_id, write=person().records_own_only)
        form.add_errors({"amount": [_("Check the currency: amounts are now in %(currency)s", currency=prop.currency)]})
        return _form(prop, form, _stamp(prop), 422)
    except Invalid as invalid:
        prop = get_property(person(), property_id, write=person().records_own_only)
        form.add_errors({name: [str(message) for message in faults] for name, faults in invalid.errors.items()})
        return _form(prop, form, request.form["stamp"], 422)
    return done(url_for("offers.confirmation", offer_id=sent.offer_id), _("The offer is recorded"))


@offers.get("/app/offers/<uuid:offer_id>/confirmation")
@policy(Guard.SIGNED_IN, limit="300/minute", scope="offer-confirmation", records="whose confirmation a person saw")
def confirmation(offer_id: uuid.UUID) -> Response:
    """The link by which the bidder confirms: sent by mail, or passed on."""
    return _confirmation(offer_id)


@offers.post("/app/offers/<uuid:offer_id>/confirmation")
@policy(Guard.SIGNED_IN, limit="30/minute", scope="offer-confirmation")
def ask_confirmation(offer_id: uuid.UUID) -> AnyResponse:
    """One more mail that asks the bidder to confirm."""
    offer, _state = get_offer(person(), offer_id, write=person().records_own_only)
    try:
        recording.ask_again(offer, by=person())
    except recording.TooSoon:
        return _confirmation(offer_id, 409, _("A mail went out a moment ago. Wait two minutes before the next one."))
    return done(url_for("offers.confirmation", offer_id=offer_id), _("The client is asked once more"))


def _read(prop: Property, form: RecordForm) -> Draft | None:
    """The draft, or None with the form saying what stands in the way."""
    reader = _Reader(
        prop=prop,
        values=form.texts(),
        chosen=form.chosen(),
        consent=True,
        confirmed=answered(request.form),
        rules=form.rules,
        at=now(),
        zone=person().agency.zone,
    )
    draft = reader.read()
    for name, allowed in (("channel", CHANNELS), ("language", tuple(LANGUAGES))):
        if form[name].data not in allowed:
            reader.errors[name] = [_("Choose one of the answers")]
    form.add_errors(reader.errors)
    form.questions = reader.questions
    return None if reader.errors else draft


def _stamp(prop: Property) -> str:
    """Names this very form, pressed twice it is one offer, and the currency that it asked for."""
    return sign(STAMP, Stamp(prop.id, os.urandom(16), time.time(), shown=_currency(prop)))


def _nonce(prop: Property) -> bytes | None:
    """None too where the amounts were typed in another currency than the property now has."""
    try:
        stamp = read(STAMP, request.form.get("stamp", ""), prop.id)
    except BadToken:
        return None
    return stamp.nonce if stamp.shown == _currency(prop) else None


def _currency(prop: Property) -> bytes:
    return hashlib.sha256(prop.currency.encode()).digest()


def _form(prop: Property, form: RecordForm, stamp: str, status: int = 200) -> Response:
    return page("offers/record.html", status=status, property=prop, form=form, stamp=stamp)


def _confirmation(offer_id: uuid.UUID, status: int = 200, problem: str = "") -> Response:
    by = person()
    offer, state = get_offer(by, offer_id, write=by.records_own_only)
    opened = open_offer(offer, state)
    confirmation = confirmation_of(opened)
    document = opened.document
    if offer.source == "link" or document is None:
        raise Conflict
    note_seen([offer.id])
    waits = is_unconfirmed(offer, state, confirmation.at if confirmation else None)
    prop = get_property(by, offer.property_id)
    context: dict[str, Any] = {
        "offer": offer,
        "bidder": document.bidder,
        "channel": document.body.get("channel"),
        "property": prop,
        "waits": waits,
        "confirmed_at": confirmation.at if confirmation else None,
        "by_code": confirmation is not None and confirmation.proof == CODE,
        "needs_code": is_reachable(by.agency_id, document.bidder.email, offer.submitted_at),
        "signature_required": prop.signature_required,
        "mails": [mail for mail in mails_owed(offer) if mail.template == "offer_confirm"],
        "problem": problem,
    }
    if waits:
        context["ways"] = bidder_links.confirmation(offer, document.bidder, prop)
    return page("offers/confirmation.html", status=status, **context)
