"""What a buyer opens: the form behind a signed link, and its review. No cookie is ever set here."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from flask import Blueprint, Response, abort, current_app, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.public import throttle
from app.blueprints.public.blank_forms import BlankForms
from app.blueprints.public.facts import ChangedFact, changes, facts, told
from app.blueprints.public.forms import OfferForm, Rules, rules_of, typed, typed_again
from app.blueprints.public.showing import FormTarget, Showing, opened_at, posted
from app.core.clock import now
from app.core.errors import CodeWanted, FactsChanged, Invalid, LinkClosed
from app.core.language import language
from app.core.ledger import BIDDER
from app.core.questions import answered
from app.core.signed_links import NOTHING, OFFER_LINK, RECEIPT, REQUEST, Purpose, Stamp, sign
from app.core.urls import base_url
from app.extensions import csrf
from app.models.property import GONE
from app.offers import replacing
from app.offers.details import link_photo
from app.offers.document import Draft, Signature
from app.offers.reading import OfferReader
from app.offers.sections import Row, Section, sections
from app.offers.submitting import Sending, content_mac, submit, was_sent
from app.proof import texts
from app.properties.links import OpenedLink, open_link, open_request
from app.properties.shown import digest_of, packed
from app.web.guards import Cache, Guard, caller_address, policy
from app.web.loaders import ByLink

public = Blueprint("public", __name__)
csrf.exempt(public)  # no cookie speaks for the buyer; the form's signed stamp ties it to its link

blank_forms = BlankForms()
RouteAnswer = AnyResponse | str | tuple[str, int]
SENDS = {"send", "send_new", "send_code"}  # what was reviewed; without replacing; once more a code for that
STATE_STATUS = {"not_open": 403, "closed": 410, "off": 410, "rotated": 410, "answered": 410, "invalid": 404}
STATE_STATUS |= dict.fromkeys(GONE, 410)
# A property's, for everybody, or one bidder's.
OFFER_LINKS: dict[Purpose[Any], Callable[[Any], OpenedLink | None]] = {OFFER_LINK: open_link, REQUEST: open_request}


@public.route("/o/<token>", methods=["GET", "POST"])
@policy(
    Guard.LINK,
    limit="240/minute",
    writes="120/5 minute",
    scope="offer",
    cache=Cache.PRIVATE,
    keeps_answers=True,
    opens=ByLink(OFFER_LINKS, lambda: link_page("invalid", None)),
)
def offer(link: OpenedLink, token: str) -> RouteAnswer:
    """The form; POSTed with `step` review, edit or send."""
    g.zone = link.property.agency.zone
    if request.method == "POST":
        return FormPost(link, FormTarget.by_link(link, token)).answer()
    if link.state != "open":
        return link_page(link.state, link)
    if link.request:
        return _blank(link, FormTarget.by_link(link, token))[0]
    page = blank_forms.page(link.property, lambda: _blank(link, FormTarget.by_link(link, token)))
    return Response(page, mimetype="text/html")


@public.get("/o/<token>/photo")
@policy(Guard.LINK, limit="240/minute", cache=Cache.PRIVATE_FOREVER, opens=ByLink(OFFER_LINKS))
def photo(link: OpenedLink) -> Response:
    """The property's picture, while the link stands."""
    picture = link_photo(link.property) if link.state in {"open", "not_open"} else None
    if picture is None:
        abort(404)
    return Response(picture.body, mimetype=picture.mime)


class FormPost:
    """One POST of the form: read it, then show it again, show the review, or send it."""

    def __init__(self, link: OpenedLink, target: FormTarget) -> None:
        self.target = target
        self._form: OfferForm | None = None
        self.step = request.form.get("step", "review")
        self.stamp, self.seen = posted(link.property)
        self._open(link)

    def _open(self, link: OpenedLink) -> None:
        """The link as it is now, and what was typed, read by the property's rules as they are now."""
        self.link, self._form = link, None
        self.typed = typed(request.form)
        if link.request:
            self.typed.texts["replaces"] = link.request.reference
        self.reader = OfferReader(
            prop=link.property,
            values=self.typed.texts,
            chosen=self.typed.chosen,
            consent=self.typed.consent,
            confirmed=answered(request.form),
            rules=Rules(rules_of(link.property)),
            at=now(),
            zone=link.property.agency.zone,
            bidder=link.request.document.bidder if link.request else None,
        )
        self.draft = self.reader.read()
        self.showing = Showing.of(link, self.stamp)

    @property
    def form(self) -> OfferForm:
        """Made where a page is to show it: most offers are sent as they were reviewed."""
        if self._form is None:
            self._form = OfferForm(request.form).bind(self.link.property)
            if self.link.request:
                self._form.replaces.data = self.link.request.reference
        return self._form

    def answer(self) -> RouteAnswer:
        if self.step in SENDS and self.draft and self.stamp and not self.typed.texts["website"]:
            counts = throttle.SenderCounts.of(self.link.property.id, self.draft.bidder)
            refusal = self._refusal(self.draft, self.stamp, counts)
            if refusal is None or was_sent(self.link.property, self._to_send(self.draft), self.stamp.nonce):
                return self._submit(self.draft, self.stamp, counts)
            return refusal()
        return self._again(_("The form could not be recognised. Check it and send it once more."))

    def _again(self, message: str) -> RouteAnswer:
        """Show the form or the review again, and why: `message` when nothing else is wrong."""
        if self.link.state != "open":
            return self._closed(self.link.state, self.link)
        if self.step == "edit":
            return self._show_form()
        if self.draft is None or self.typed.texts["website"]:
            self.form.add_errors(self.reader.errors)
            self.form.questions = self.reader.questions
            if self.form.website.data:
                self.form.add_errors({"website": [_("Leave this field empty")]})
            return self._show_form(), 422
        if self._has_other_notice():
            return self._read_again(), 422
        if self.step in SENDS:
            return self._review(self.draft, message), 422
        return self._review(self.draft)

    def _to_send(self, draft: Draft) -> Draft:
        """The offer as reviewed; it replaces none, where its sender chose to send it beside the earlier one."""
        alone = self.step == "send_new" and not self.link.request
        return replace(draft, said={**draft.said, "replaces": None}) if alone else draft

    def _refusal(self, draft: Draft, stamp: Stamp, counts: throttle.SenderCounts) -> Callable[[], RouteAnswer] | None:
        """What answers an offer that is not to be sent now; None where nothing stands in its way."""
        if stamp.terms == NOTHING:
            return partial(self._again, _("Check the offer once more: it is sent when you press the button below."))
        if stamp.shown != digest_of(self.showing.snap):
            return partial(
                self._again, _("Something has changed since you reviewed the offer, so it was not sent. Check it.")
            )
        if stamp.terms != content_mac(self.link.property.agency_id, draft.terms()):
            return partial(
                self._again, _("This is not the offer that you had reviewed. Check it and send it once more.")
            )
        least = current_app.extensions["bidflux_settings"].form_min_seconds
        if time.time() - stamp.opened < least:
            return partial(self._again, _("That was very quick. Check the offer and send it once more."))
        if self._has_other_notice():
            return partial(self._again, "")
        if self.link.state == "open" and (seconds := throttle.wait(self.link.property, counts, stamp.ready)):
            return partial(self._slow, draft, seconds)
        return None

    def _slow(self, draft: Draft, seconds: int) -> AnyResponse:
        """Many offers are coming in: the same review again, to be sent a moment later."""
        message = ngettext(
            "Many offers are coming in just now. Nothing is lost: wait %(num)d second, then press the button again.",
            "Many offers are coming in just now. Nothing is lost: wait %(num)d seconds, then press the button again.",
            seconds,
        )
        page = self._review(draft, message, ready=time.time() + seconds)
        return Response(page, 429, {"Retry-After": str(seconds)})

    def _code(self, draft: Draft, stamp: Stamp, typed: str) -> RouteAnswer:
        """Ask for the code that was mailed to the bidder of the offer to be replaced. The page is the same whether
        there is such an offer, such an address, or neither."""
        asked = self.link.request
        replacing.ask(
            self.link.property,
            stamp.nonce,
            replaces=draft.replaces,
            asked=asked.id if asked else None,
            again=self.step == "send_code",
        )
        problem = _("That is not the code, or it is good for nothing any more.") if typed else ""
        message = _("Nothing has been sent yet: the code below shows that the earlier offer is yours.")
        return self._review(draft, message, code_wanted=True, code_problem=problem), 422 if typed else 200

    def _submit(self, draft: Draft, stamp: Stamp, counts: throttle.SenderCounts) -> RouteAnswer:
        asked, typed = self.link.request, request.form.get("code", "") if self.step == "send" else ""
        if typed:
            replacing.enter(self.link.property, stamp.nonce, typed)
        sending = Sending(
            nonce=stamp.nonce,
            link_version=self.link.version,
            language=language(),
            source="link",
            texts=texts.keep(self.showing.texts, language()),
            address=caller_address(),
            browser=request.headers.get("User-Agent"),
            request_id=asked.id if asked else None,
            asked=asked.shown() if asked else None,
            shown=stamp.shown,
            own_page=self.target.own_page,
            counts=counts.all(),
        )
        try:
            sent = submit(self.link.property, self._to_send(draft), sending, by=BIDDER)
        except CodeWanted:
            return self._code(draft, stamp, typed)
        except LinkClosed as closed:
            return self._closed(closed.state, self.target.open())
        except FactsChanged:
            self._open(self.target.open() or self.link)
            return self._again(_("Something has changed since you reviewed the offer, so it was not sent. Check it."))
        except Invalid as invalid:
            self.link = self.target.open() or self.link
            self.form.add_errors(
                {name: [str(message) for message in faults] for name, faults in invalid.errors.items()}
            )
            return self._show_form(), 422
        return redirect(url_for("public.receipt", token=sign(RECEIPT, sent.offer_id), sent=1), 303)

    def _has_other_notice(self) -> bool:
        """Whether the privacy notice has changed since the form was opened."""
        if self.stamp and texts.has_changed(self.link.property, language(), opened_at(self.stamp)):
            return True
        return self.seen is not None and not self.showing.has_notice_of(self.link.property, self.seen)

    def _closed(self, state: str, link: OpenedLink | None) -> tuple[str, int]:
        fields = [(name, value) for name, value in request.form.items(multi=True) if name != "step"]
        return link_page(state, link, self._kept(self.draft), held=fields, action=self.target.action)

    def _kept(self, draft: Draft | None) -> list[Section]:
        """What was typed, to copy: as an offer if it is a whole one, else field by field."""
        if draft:
            return sections(draft.terms())
        rows = [Row(self.form[name].label.text, value, name) for name, value in self.form.texts().items() if value]
        return [Section(_("What you typed"), [row for row in rows if row[2] != "signature_drawn"])]

    def _read_again(self) -> str:
        """The form again, since the notice has changed; everything stays but the consent."""
        self.form.consent.data = False
        self.form.add_errors(
            {"consent": [_("The privacy notice has changed since you opened this form: read it again")]}
        )
        self.stamp = None
        self.showing = Showing.of(self.link, None)
        return self._show_form()

    def _show_form(self) -> str:
        return form_page(self.link, self.target, self.form, self.showing, self._changes())

    def _changes(self) -> Sequence[ChangedFact]:
        """What differs from the page that was sent, not counting that it was in another language."""
        return changes(self.seen and self.showing.in_this_language(self.link.property, self.seen), self.showing.snap)

    def _review(self, draft: Draft, message: str | None = None, ready: float = 0.0, **more: Any) -> str:
        shown = sections(draft.terms())
        amount = next(row.value for section in shown for row in section.rows if row.field == "amount")
        send_label = (
            _("Sign and send the offer of %(amount)s", amount=amount)
            if draft.signature
            else _("Send the offer of %(amount)s", amount=amount)
        )
        terms = content_mac(self.link.property.agency_id, draft.terms())
        return render_template(
            "public/review.html",
            **_context(self.link, self.target),
            sections=shown,
            facts=told(self.showing.snap),
            hidden=[*self.form.pairs(), *(("confirmed", key) for key in answered(request.form))],
            signature=_draft_signature(draft.signature),
            stamp=self.showing.stamp(self.link.property, terms, ready),
            shown=packed(self.showing.snap),
            changes=self._changes(),
            message=message,
            texts=self.showing.texts,
            send_label=send_label,
            replaces=draft.replaces,
            **more,
        )


def _blank(link: OpenedLink, target: FormTarget) -> tuple[str, Showing]:
    """A form opened now, and what it shows."""
    if link.request:
        data = typed_again(link.request.document, link.request.reference)
    else:
        data = {"replaces": request.args.get("replaces", ""), "type": "person"}
    showing = Showing.of(link, None)
    return form_page(link, target, OfferForm(data=data).bind(link.property), showing), showing


def _context(link: OpenedLink, target: FormTarget) -> dict[str, Any]:
    prop = link.property
    return {
        "property": facts(prop, target.photo(prop), windowed=link.request is None),
        "agency": prop.agency,
        "agent": prop.agent,
        "opens_at": None if link.request else prop.offers_open_at,
        "closes_at": link.closes_at(),
        "asked_for": link.request,
        "signature_required": prop.signature_required,
        "action": target.action,
    }


def _answers_unasked(form: OfferForm) -> list[str]:
    """Answers given earlier, which are not asked for again; each is for its own value only."""
    asked = {question.key for question in form.questions.values()}
    return [key for key in dict.fromkeys(answered(request.form)) if key not in asked]


def form_page(
    link: OpenedLink, target: FormTarget, form: OfferForm, showing: Showing, changed: Sequence[ChangedFact] = ()
) -> str:
    """The form as it is, with the texts of the moment when it was opened; it is sent to `target`."""
    context = _context(link, target)
    photo_url = context["property"].photo_url
    return render_template(
        "public/form.html",
        **context,
        form=form,
        stamp=showing.stamp(link.property),
        shown=packed(showing.snap),
        confirmed=_answers_unasked(form),
        changes=changed,
        seen_url=target.seen_url,
        notice=showing.texts["notice"][0],
        notice_url=url_for("site.gdpr"),
        rules_text=showing.texts["rules"][0],
        preview={"title": context["property"].title, "image": base_url() + photo_url if photo_url else None},
    )


def link_page(state: str, link: OpenedLink | None, kept: list[Section] | None = None, **sent: Any) -> tuple[str, int]:
    """The page of a link that takes no offers: why, and the agent's contact.

    With `kept` it shows what was `sent`: the fields `held`, and the `action` they go to.
    """
    prop = link.property if link else None
    page = render_template(
        "public/link_state.html",
        state=state,
        property=facts(prop) if prop else None,
        agent=prop.agent if prop else None,
        agency=prop.agency if prop else None,
        opens_at=prop.offers_open_at if prop else None,
        closes_at=link.closes_at() if link else None,
        kept=kept,
        **sent,
    )
    return page, STATE_STATUS[state]


def _draft_signature(signature: Signature | None) -> dict[str, Any] | None:
    if signature is None:
        return None
    return {"kind": signature.kind, "text": signature.text, "data_url": data_url(signature.image)}


def data_url(image: bytes | None) -> str | None:
    return f"data:image/png;base64,{base64.b64encode(image).decode()}" if image else None
