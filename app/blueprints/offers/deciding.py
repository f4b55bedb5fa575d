"""Answering offers: one page for one offer or many, which says beforehand what will happen and whom it tells."""

from __future__ import annotations

import uuid
from dataclasses import replace

from flask import Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.offers.forms import DecisionForm
from app.blueprints.offers.routes import note_seen, offers, today
from app.core.access import Person
from app.core.clock import now
from app.core.errors import Conflict, IllegalTransition, NotFound, UnnamedConcern
from app.core.labels import label
from app.core.numbers import whole
from app.extensions import db
from app.offers import deciding
from app.offers.choosing import MOST, Candidate, answerable, candidates, last_to_change, others_of
from app.offers.concerns import SECOND, Concern, concerns_of
from app.offers.deciding import AgencyAnswer, Chosen, Consequences
from app.web.fragments import done, local_path, page
from app.web.guards import Guard, person, policy
from app.webhooks.log import listens


@offers.get("/app/offers/decision")
@policy(Guard.AGENT, limit="600/minute", records="whose offers a person was about to answer")
def decision() -> Response:
    """What is about to be decided: `offer` once or more, `status`, and `next` to go back to."""
    form = DecisionForm(request.args)
    if form.status.data not in DecisionForm.statuses():
        raise NotFound
    chosen, left_out = answerable(person(), read_offers(request.args))
    return _page(form, chosen, left_out=left_out)


@offers.post("/app/offers/decision")
@policy(Guard.AGENT, limit="120/minute", scope="decide")
def decide() -> AnyResponse:
    """Decide on every `seen` offer, all or none, as they were when they were looked at."""
    by, form = person(), DecisionForm(request.form)
    seen, others = (_seen(request.form.getlist(name)) for name in ("seen", "other"))
    if not seen or form.status.data not in DecisionForm.statuses():
        raise NotFound
    chosen = candidates(by, [offer.offer_id for offer in seen])
    if not form.validate():
        return _page(form, chosen, 422)
    candidates(by, [offer.offer_id for offer in others])
    answer = AgencyAnswer(
        str(form.status.data), form.text("reason"), form.text("message"), notify_bidder=bool(form.notify_bidder.data)
    )
    try:
        made = deciding.decide_all(
            by.agency_id, _despite(seen), answer, by=by.actor, outcome=_outcome(form, chosen, others)
        )
    except UnnamedConcern:
        return _page(form, candidates(by, [offer.offer_id for offer in seen]), 422, unsaid=True)
    except IllegalTransition:
        unread = answer.status == "new" and all(candidate.stands for candidate in chosen)
        only_viewed = _("Only an offer that is marked as viewed can be marked as new.")
        return _page(form, chosen, 409, problem=only_viewed if unread else _no_more())
    except Conflict:
        fresh = candidates(by, [offer.offer_id for offer in seen])
        stand = all(candidate.stands for candidate in fresh)
        return _page(form, fresh, 409, problem=_overtaken(by, [*seen, *others]) if stand else _no_more())
    if made:
        _offer_undo(made, answer.status, len(seen))
    return redirect(onward(), 303)


@offers.post("/app/offers/undo")
@policy(Guard.AGENT, limit="120/minute", scope="decide")
def undo() -> AnyResponse:
    """Take back what was just decided, while nothing of it has left the house."""
    try:
        decision_id = uuid.UUID(request.form.get("decision", ""))
    except ValueError:
        raise NotFound from None
    try:
        deciding.undo(decision_id, person().agency_id, by=person().actor)
    except UnnamedConcern:
        flash(
            _(
                "Not undone: something has come up meanwhile that speaks against accepting it. What was decided stands,"
                " and is told to whoever was to be told. You can still accept it."
            ),
            "warn",
        )
        return redirect(onward(), 303)
    except Conflict:
        flash(_("It was too late to undo. You can still set another status."), "warn")
        return redirect(onward(), 303)
    return done(onward(), _("Undone. Nobody was told."))


def _page(
    form: DecisionForm,
    chosen: list[Candidate],
    status: int = 200,
    *,
    problem: str = "",
    left_out: int = 0,
    unsaid: bool = False,
) -> Response:
    standing, gone = ([candidate for candidate in chosen if candidate.stands is stands] for stands in (True, False))
    beside = []
    if form.status.data == "accepted" and len(standing) == 1:
        beside = others_of(person(), standing[0].property_id, [standing[0].id])
    note_seen([candidate.id for candidate in (*chosen, *beside) if candidate.name])
    return page(
        "offers/decision.html",
        "decision",
        status,
        form=form,
        chosen=standing,
        gone=gone,
        others=beside,
        crm_hears=listens(person().agency_id, "offer.status_changed"),
        problem=problem,
        concerns=_concerns(standing) if form.status.data == "accepted" else [],
        said=request.form.getlist("despite"),
        unsaid=unsaid,
        left_out=left_out,
        title=_title(str(form.status.data), standing or gone),
        onward=onward(),
        today=today(),
    )


def _concerns(chosen: list[Candidate]) -> list[Concern]:
    """What speaks against accepting these, as it is asked about: two of one property also stand against each other."""
    found = concerns_of(db.session.connection(), [candidate.id for candidate in chosen], now())
    second = {concern.offer_id for concern in found if concern.kind == SECOND}
    for candidate in chosen:
        beside = [
            other.reference for other in chosen if other.property_id == candidate.property_id and other != candidate
        ]
        if beside and candidate.id not in second and candidate.status != "accepted":
            found.append(Concern(SECOND, candidate.id, candidate.reference, beside[0]))
    return found


def _despite(seen: list[Chosen]) -> list[Chosen]:
    """With what was ticked on the page, for those offers of which the page asked it."""
    ticked, asked = request.form.getlist("despite"), set(request.form.getlist("asked"))
    return [
        replace(offer, despite=frozenset(kind for kind in ticked if f"{kind}:{offer.offer_id}" in asked))
        for offer in seen
    ]


def _no_more() -> str:
    return str(_("This offer cannot be set to that status any more."))


def _overtaken(by: Person, looked_at: list[Chosen]) -> str:
    who = last_to_change(by, [offer.offer_id for offer in looked_at])
    if not who:
        return str(_("Someone changed this offer just before you. Look at it again, then decide."))
    return str(_("%(name)s changed this offer just before you. Look at it again, then decide.", name=who))


def _title(status: str, chosen: list[Candidate]) -> str:
    count = len(chosen)
    titles = {
        "accepted": ngettext("Accept the offer", "Accept %(num)d offers", count),
        "rejected": ngettext("Reject the offer", "Reject %(num)d offers", count),
        "viewed": ngettext("Mark the offer as viewed", "Mark %(num)d offers as viewed", count),
        "new": ngettext("Mark the offer as new", "Mark %(num)d offers as new", count),
    }
    return str(titles[status])


def _offer_undo(decision_id: uuid.UUID, status: str, count: int) -> None:
    """Shown on the next page, with a way back for as long as there is one."""
    name = label("status", status).lower()
    text = ngettext("Saved: %(status)s", "Saved for %(num)d offers: %(status)s", count, status=name)
    shown = {"text": text, "decision": str(decision_id), "seconds": deciding.UNDO.seconds - 1}
    flash(shown, "undo")  # type: ignore[arg-type]  # Flask keeps whatever JSON can say


def _outcome(form: DecisionForm, chosen: list[Candidate], others: list[Chosen]) -> Consequences | None:
    """What else an acceptance does, when it is about one offer."""
    if form.status.data != "accepted" or len(chosen) != 1 or "others" not in request.form:
        return None
    reject = tuple(others) if form.others.data == "reject" else ()
    close = bool(form.close_link.data)
    return Consequences(
        chosen[0].property_id, reject, form.text("others_message") if reject else None, close_link=close
    )


def read_offers(args: MultiDict[str, str]) -> list[uuid.UUID]:
    """The ids asked for, at most fifty; raises `NotFound` for no id, or one that is malformed."""
    try:
        found = [uuid.UUID(text) for text in args.getlist("offer")]
    except ValueError:
        raise NotFound from None
    if not 0 < len(found) <= MOST:
        raise NotFound
    return found


def _seen(values: list[str]) -> list[Chosen]:
    """`id:version` pairs, as the page carried them."""
    try:
        pairs = [value.split(":") for value in values[: 10 * MOST]]
        return [Chosen(uuid.UUID(offer), whole(version)) for offer, version in pairs]
    except ValueError:
        raise NotFound from None


def onward() -> str:
    return local_path(request.values.get("next")) or url_for("offers.index")
