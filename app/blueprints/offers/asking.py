"""Asking one bidder or several for a better offer."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Response, redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.offers.deciding import onward, read_offers
from app.blueprints.offers.forms import BetterForm
from app.blueprints.offers.routes import note_seen, offers
from app.core import local_times
from app.core.access import get_offer
from app.core.clock import now
from app.core.errors import IllegalTransition
from app.core.questions import Question, answered
from app.offers import better_offers
from app.offers.choosing import Candidate, answerable, candidates
from app.web.fragments import done, page
from app.web.guards import Guard, person, policy

LONGEST = timedelta(days=90)
USUAL = timedelta(days=3)


@offers.get("/app/offers/better")
@policy(Guard.AGENT, limit="600/minute", scope="better", records="whom a person was about to ask")
def better() -> Response:
    """Whom it asks and until when: `offer` once or more, and `next` to go back to."""
    usual = (now() + USUAL).astimezone(ZoneInfo(person().agency.zone)).strftime("%Y-%m-%dT18:00")
    chosen, left_out = answerable(person(), read_offers(request.args))
    return _page(BetterForm(data={"until": usual}), chosen, left_out=left_out)


@offers.post("/app/offers/better")
@policy(Guard.AGENT, limit="60/minute", scope="better")
def ask() -> AnyResponse:
    """Ask the bidders of these offers, all or none; each gets a mail with a form of their own."""
    form, chosen = BetterForm(request.form), candidates(person(), read_offers(request.form))
    deadline = _deadline(form)
    if deadline is None:
        return _page(form, chosen, 422)
    try:
        better_offers.ask([candidate.id for candidate in chosen], deadline, form.message.data or None, by=person())
    except IllegalTransition:
        return _page(form, chosen, 409, problem=_("One of these offers was withdrawn or replaced: nobody was asked."))
    message = ngettext(
        "The client is asked for a better offer", "%(num)d clients are asked for a better offer", len(chosen)
    )
    return done(onward(), message)


@offers.post("/app/offers/<uuid:offer_id>/better/cancel")
@policy(Guard.AGENT, limit="60/minute", scope="better")
def cancel_better(offer_id: uuid.UUID) -> AnyResponse:
    """Take the open request of an offer back."""
    get_offer(person(), offer_id, write=True)
    better_offers.take_back(offer_id, by=person())
    return redirect(url_for("offers.show", offer_id=offer_id), 303)


@offers.post("/app/offers/<uuid:offer_id>/better/link")
@policy(Guard.AGENT, limit="60/minute", scope="better")
def show_better_link(offer_id: uuid.UUID) -> AnyResponse:
    """Show the link of the open request, to pass it on; the register says to whom it was shown."""
    get_offer(person(), offer_id, write=True)
    better_offers.show_link(offer_id, by=person())
    return redirect(url_for("offers.show", offer_id=offer_id), 303)


def _deadline(form: BetterForm) -> datetime | None:
    """In UTC; None with the form saying what is wrong, or what is asked."""
    if not form.validate():
        return None
    try:
        until = local_times.read("until", form.until.data, person().agency.zone, answered(request.form))
    except local_times.NotATime:
        form.until.errors = [_("Write a date and time such as 2026-12-31 18:00")]
        return None
    if isinstance(until, Question):
        form.asked = until
        return None
    if not now() < until <= now() + LONGEST:
        form.until.errors = [_("Choose a moment within the next 90 days")]
        return None
    return until


def _page(
    form: BetterForm, chosen: list[Candidate], status: int = 200, *, problem: str = "", left_out: int = 0
) -> Response:
    title = ngettext("Ask for a better offer", "Ask %(num)d clients for a better offer", len(chosen))
    note_seen([candidate.id for candidate in chosen if candidate.name])
    return page(
        "offers/better.html",
        "decision",
        status,
        form=form,
        chosen=chosen,
        title=title,
        problem=problem,
        left_out=left_out,
        onward=onward(),
    )
