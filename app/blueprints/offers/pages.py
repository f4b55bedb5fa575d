"""What the pages of offers show beside the rows themselves."""

from __future__ import annotations

from datetime import date
from typing import Any
from urllib.parse import quote

from flask_babel import gettext as _

from app.blueprints.offers import bidder_links
from app.blueprints.offers.bidder_links import OwnLink
from app.blueprints.offers.forms import NoteForm
from app.core.access import Person
from app.core.formats import show_percent
from app.core.language import language
from app.core.money import Money
from app.extensions import db
from app.models import HELD_LINK, OfferRequest, Property
from app.offers import codes
from app.offers.details import OpenedOffer, confirmation_of, is_unconfirmed
from app.offers.document import Document
from app.offers.mailboxes import is_reachable
from app.offers.sections import Section, sections
from app.offers.timeline import ChainLink, chain_of, mails_and_calls, notes_of, offer_steps
from app.privacy.own_offer import parting_words
from app.proof.receipt_reading import state_of


def offer_page(
    by: Person, opened: OpenedOffer, prop: Property, today: date, note_form: NoteForm | None = None
) -> dict[str, Any]:
    """The context of an offer's page."""
    offer, state, document = opened.offer, opened.state, opened.document
    chain, confirmation = chain_of(offer), confirmation_of(opened)
    mails, calls = mails_and_calls(offer)
    here = next(link for link in chain if link.id == offer.id)
    may_decide = by.is_owner or prop.agent_id == by.user.id
    lapsed = offer.valid_until is not None and offer.valid_until < today
    return {
        "offer": offer,
        "state": state,
        "property": prop,
        "amount": Money(offer.amount_minor, offer.currency),
        "percent": show_percent(offer.amount_minor, offer.asking_minor) if offer.asking_minor else "",
        "bidder": document.bidder if document else None,
        "sections": _sections(document) if document else [],
        "signature": document.terms["signature"] if document else None,
        "confirmation": confirmation,
        "contact": contact_links(opened, document, prop) if document else None,
        "parting_words": parting_words(opened) if state.withdrawn_at else None,
        "lapsed": lapsed and state.status in {"new", "viewed"},
        "channel": document.body.get("channel") if document else None,
        "unconfirmed": is_unconfirmed(offer, state, confirmation.at if confirmation else None),
        "held_link": confirmation is not None and confirmation.proof == HELD_LINK,
        "may_decide": may_decide,
        "steps": offer_steps(opened),
        "mails": mails,
        "code": codes.standing(offer) if offer.signed else None,
        "calls": calls,
        "receipt": state_of(offer.agency_id, offer.id),
        "chain": chain if len(chain) > 1 else [],
        "asked_until": here.asked_until,
        "ways": _to_better_offer(opened, prop, here) if may_decide else None,
        "notes": notes_of(opened),
        "note_form": note_form or NoteForm(),
    }


def _to_better_offer(opened: OpenedOffer, prop: Property, here: ChainLink) -> OwnLink | None:
    """The link of an open request, to be passed on: where no mail can bring it, or once somebody asked to see it."""
    if opened.document is None or here.request_id is None or here.asked_until is None:
        return None
    offer = opened.offer
    by_mail = is_reachable(offer.agency_id, opened.document.bidder.email, offer.submitted_at)
    if by_mail and db.session.get_one(OfferRequest, here.request_id).shown_at is None:
        return None
    return bidder_links.better_offer(offer, opened.document.bidder, prop, here.request_id, here.asked_until)


def _sections(document: Document) -> list[Section]:
    """What was sent, as the agent reads it: the amount already stands on top of the page."""
    first, *others = sections(document.terms)
    kept = [part._replace(rows=[row for row in part.rows if row.field != "amount"]) for part in others]
    return [first._replace(title=_("Client")), *(part for part in kept if part.rows)]


def contact_links(opened: OpenedOffer, document: Document, prop: Property) -> dict[str, str]:
    """Ways to the bidder, each beginning with who writes about what."""
    bidder = document.bidder
    subject = _("Your offer %(reference)s", reference=opened.offer.reference)
    about = f"{subject}: {prop.local_title(language())}"
    links = {
        "phone": f"tel:{bidder.phone}",
        "whatsapp": f"https://wa.me/{bidder.phone.lstrip('+')}?text={quote(about)}",
    }
    if bidder.email:
        links["email"] = f"mailto:{quote(bidder.email, safe='@+')}?subject={quote(about)}"
    return links
