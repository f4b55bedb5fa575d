"""The bidder's own page, behind the private link of their mail: withdraw, correct, take everything along."""

from __future__ import annotations

import json
import uuid
from typing import Any

from flask import Response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from werkzeug.wrappers import Response as AnyResponse
from wtforms import Form, TextAreaField
from wtforms.validators import Length

from app.blueprints.public.forms import OfferForm, typed_again
from app.blueprints.public.receipts import pdf_answer, receipt_page, shown_receipt
from app.blueprints.public.routes import FormPost, RouteAnswer, form_page, link_page, public
from app.blueprints.public.showing import FormTarget, Showing
from app.core import limits
from app.core.errors import IllegalTransition, NotFound
from app.core.language import language
from app.core.limits import plain_lines
from app.core.logs import request_id
from app.core.signed_links import BIDDER, BIDDER_PASS
from app.models import Offer, OfferState
from app.offers import codes, withdrawing
from app.offers.details import Receipt, offer_by_id, offer_by_reference
from app.offers.reading import unseen_removed
from app.privacy import data_requests, own_offer
from app.proof import receipts
from app.proof.receipt_reading import stored
from app.properties.links import open_request_of
from app.web import passes
from app.web.guards import Cache, Guard, policy
from app.web.loaders import ByCookie, ByLink

BASE = "/r/offer/<reference>"


class WithdrawForm(Form):
    message = TextAreaField(
        _l("Message for the agent"),
        filters=[plain_lines, unseen_removed],
        validators=[Length(max=limits.MESSAGE, message=_l("Use at most %(max)d characters"))],
    )


def _named(reference: str) -> uuid.UUID | None:
    offer = offer_by_reference(reference[:20])
    return offer.id if offer else None


def _by_mail() -> tuple[str, int]:
    """For whoever was not let in: how to get there."""
    page = render_template(
        "errors/error.html",
        code=403,
        title=_("Open your offer from your mail"),
        detail=_("This page opens only through the link in the mail about your offer, for a day at a time."),
        request_id=request_id(),
    )
    return page, 403


MINE = ByCookie(Guard.BIDDER, BIDDER_PASS, _named, shown_receipt, _by_mail)


@public.post("/r/<token>")
@policy(Guard.LINK, limit="30/minute", opens=ByLink({BIDDER: offer_by_id}))
def enter(found: tuple[Offer, OfferState]) -> AnyResponse:
    """The button on the private link's page: let this browser in, at an address without the token."""
    offer = found[0]
    where = redirect(url_for("public.own_offer_page", reference=offer.reference), 303)
    return passes.grant(where, BIDDER_PASS, offer.id, f"/r/offer/{offer.reference}")


@public.get(BASE)
@policy(Guard.BIDDER, limit="120/minute", opens=MINE)
def own_offer_page(opened: Receipt, reference: str) -> str:
    """The offer as sent, where it stands, and what can be done."""
    state = opened.offer.state
    acts: dict[str, Any] = {"pdf_url": url_for("public.own_receipt", reference=reference), "own": True}
    if opened.offer.document:
        acts["data_url"] = url_for("public.own_data", reference=reference)
        acts["confirm_url"] = url_for("public.confirm_signature", reference=reference)
        acts["erase_url"] = url_for("public.ask_to_be_forgotten", reference=reference) if opened.email else None
        if state.latest:
            acts["again_url"] = None if opened.prop.gone else url_for("public.send_again", reference=reference)
            acts["withdraw_url"] = None if state.withdrawn_at else url_for("public.withdraw", reference=reference)
            acts["asked_until"] = _asked_until(opened)
    if opened.prop.agency.bidders_see_status and not state.withdrawn_at:
        acts["shown_status"] = state.status
    return receipt_page(opened, **acts)


@public.post(f"{BASE}/confirm")
@policy(Guard.BIDDER, limit="20/minute", scope="confirm-signature", opens=MINE)
def confirm_signature(opened: Receipt, reference: str) -> AnyResponse:
    """The signature is theirs: who opens this page reads the mailbox, so no code is asked for."""
    codes.confirm_on_own_page(opened.offer.offer)
    return redirect(url_for("public.own_offer_page", reference=reference), 303)


def _asked_until(opened: Receipt) -> Any:
    asked = open_request_of(opened.offer.offer)
    return asked.deadline if asked else None


@public.route(f"{BASE}/withdraw", methods=["GET", "POST"])
@policy(Guard.BIDDER, limit="60/minute", writes="20/minute", scope="withdraw", keeps_answers=True, opens=MINE)
def withdraw(opened: Receipt, reference: str) -> AnyResponse | str | tuple[str, int]:
    """What withdrawing means; then its button."""
    here = url_for("public.own_offer_page", reference=reference)
    if opened.offer.state.withdrawn_at:
        return redirect(here, 303)
    if not opened.offer.state.latest or opened.offer.document is None:
        raise IllegalTransition
    form = WithdrawForm(request.form)
    if request.method == "GET":
        return _withdraw_page(opened, form)
    if not form.validate():
        return _withdraw_page(opened, form), 422
    withdrawing.withdraw(opened.offer.offer, form.message.data or None)
    return redirect(here, 303)


def _withdraw_page(opened: Receipt, form: WithdrawForm) -> str:
    return render_template(
        "public/withdraw.html", offer=opened, form=form, agency=opened.prop.agency, agent=opened.prop.agent
    )


@public.route(f"{BASE}/again", methods=["GET", "POST"])
@policy(
    Guard.BIDDER,
    limit="60/minute",
    writes="120/5 minute",
    scope="send-again",
    cache=Cache.PRIVATE,
    keeps_answers=True,
    opens=MINE,
)
def send_again(opened: Receipt, reference: str) -> RouteAnswer:
    """The form, filled in with what was sent. A corrected offer replaces the earlier one, unless that was withdrawn.

    It is sent to this very page, so that nobody whose link was replaced is shown the new one.
    """
    asked = open_request_of(opened.offer.offer)
    target = FormTarget.by_own_page(opened.offer.offer, asked.id if asked else None)
    link = target.open()
    if link is None:
        return link_page("invalid", None)
    if request.method == "POST":
        return FormPost(link, target).answer()
    document, state = opened.offer.document, opened.offer.state
    if document is None or not state.latest:
        return redirect(url_for("public.own_offer_page", reference=reference), 303)
    if link.state != "open":
        return link_page(link.state, link)
    form = OfferForm(data=typed_again(document, "" if state.withdrawn_at else reference)).bind(link.property)
    return form_page(link, target, form, Showing.of(link, None))


@public.get(f"{BASE}/receipt.pdf")
@policy(Guard.BIDDER, limit="60/minute", opens=MINE)
def own_receipt(opened: Receipt) -> Response:
    """The sealed receipt."""
    offer = opened.offer.offer
    return pdf_answer(offer, stored(offer.agency_id, offer.id))


@public.post(f"{BASE}/receipt.pdf")
@policy(Guard.BIDDER, limit="10/minute", opens=MINE)
def ask_own_receipt(opened: Receipt, reference: str) -> AnyResponse:
    """Have it made, where none was made yet."""
    receipts.ask(opened.offer.offer)
    return redirect(url_for("public.own_offer_page", reference=reference), 303)


@public.get(f"{BASE}/data.json")
@policy(Guard.BIDDER, limit="30/minute", opens=MINE)
def own_data(opened: Receipt) -> Response:
    """Everything that is held about this offer and its sender, to take along (GDPR, articles 15 and 20)."""
    if opened.offer.document is None:
        raise NotFound
    text = json.dumps(own_offer.everything(opened), ensure_ascii=False, indent=2)
    named = {"Content-Disposition": f'attachment; filename="{opened.reference}.json"'}
    return Response(text + "\n", mimetype="application/json", headers=named)


@public.route(f"{BASE}/erase", methods=["GET", "POST"])
@policy(Guard.BIDDER, limit="60/minute", writes="20/minute", scope="erase", opens=MINE)
def ask_to_be_forgotten(opened: Receipt, reference: str) -> AnyResponse | str:
    """What being forgotten means, and its button; afterwards, until when the agency answers."""
    if opened.email is None:
        raise NotFound
    agency = opened.prop.agency
    if request.method == "POST":
        data_requests.ask_as_bidder(agency.id, opened.email, language())
        return redirect(url_for("public.ask_to_be_forgotten", reference=reference), 303)
    asked = data_requests.erasure_of(agency.id, opened.email)
    return render_template("public/erase.html", offer=opened, agency=agency, held=asked)
