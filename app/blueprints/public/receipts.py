"""What was sent, and proof of it, for whoever holds the receipt's link. It only shows; what changes something is
behind the private link of the bidder's mail (`bidder.py`)."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from flask import Response, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.blueprints.public.facts import facts
from app.blueprints.public.forms import ConfirmForm
from app.blueprints.public.routes import data_url, link_page, public
from app.blueprints.public.showing import Showing
from app.core.errors import NotFound
from app.core.language import language
from app.core.signed_links import BIDDER, RECEIPT, sign
from app.models import Offer, OfferState, Property
from app.offers import codes
from app.offers.details import Receipt, confirmation_of, offer_by_id, open_receipt, signature_image
from app.offers.mailboxes import reachable
from app.offers.sections import sections
from app.proof import receipts, texts
from app.proof.receipt_reading import state_of, stored
from app.properties.representation import gone_as, offer_url
from app.properties.shown import packed
from app.web.guards import Guard, policy
from app.web.loaders import ByLink


@dataclass(frozen=True, slots=True)
class BidderLanding:
    """What a bidder's private link shows: whose page it opens, and the button."""

    receipt: Receipt


def shown_receipt(offer_id: uuid.UUID) -> Receipt | None:
    """What was sent, shown in the hours of its agency."""
    opened = open_receipt(offer_id)
    if opened:
        g.zone = opened.prop.agency.zone
    return opened


def _bidder_landing(offer_id: uuid.UUID) -> BidderLanding | None:
    opened = shown_receipt(offer_id)
    return BidderLanding(opened) if opened else None


BY_RECEIPT = ByLink({RECEIPT: shown_receipt})


@public.get("/r/<token>")
@policy(
    Guard.LINK,
    limit="120/minute",
    opens=ByLink({RECEIPT: shown_receipt, BIDDER: _bidder_landing}, lambda: link_page("invalid", None)),
)
def receipt(opened: Receipt | BidderLanding, token: str) -> str:
    """What was sent; or, for a bidder's private link, the button that opens their page."""
    if isinstance(opened, BidderLanding):
        sent = opened.receipt
        return render_template("public/bidder_landing.html", offer=sent, agency=sent.prop.agency, token=token)
    return shared_page(opened, fresh=request.args.get("sent") == "1")


def shared_page(opened: Receipt, **more: Any) -> str:
    """The page behind the receipt's link."""
    again, offer = None, opened.offer.offer
    if offer.source == "link" and opened.offer.document and _takes(opened.prop) and opened.offer.state.latest:
        again = offer_url(opened.prop, offer.link_version)
        again += "" if opened.offer.state.withdrawn_at else f"?replaces={opened.reference}"
    pdf_url = url_for("public.receipt_pdf", token=sign(RECEIPT, opened.offer.offer.id))
    return receipt_page(opened, pdf_url=pdf_url, again_url=again, **more)


def _takes(prop: Property) -> bool:
    return prop.accepts_offers and not prop.gone


def receipt_page(opened: Receipt, form: ConfirmForm | None = None, **more: Any) -> str:
    """An offer's page as its bidder sees it. `more` has the addresses of what may be done there; `form` is the form by
    which they confirm a recorded offer, as it was sent."""
    document, offer = opened.offer.document, opened.offer.offer
    signature = document.terms["signature"] if document else None
    if opened.unconfirmed:
        showing = Showing.of_property(opened.prop, None)
        more |= {
            "stamp": showing.stamp(opened.prop, offer.commitment),
            "shown": packed(showing.snap),
            "form": form or ConfirmForm(),
            "signs": opened.prop.signature_required,
            "notice": showing.texts["notice"][0],
            "notice_url": url_for("site.gdpr"),
            "needs_code": reachable(offer.agency_id, offer.id) is not None,
        }
    return render_template(
        "public/receipt.html",
        offer=opened,
        state=opened.offer.state,
        commitment=opened.commitment,
        ledger_seq=opened.ledger_seq,
        sections=sections(document.terms, document.body["property"]["asking_price"]) if document else [],
        signature={**signature, "data_url": data_url(signature_image(opened.offer))} if signature else None,
        property=facts(opened.prop),
        agency=opened.prop.agency,
        agent=opened.prop.agent,
        receipt=state_of(offer.agency_id, offer.id),
        code=codes.standing(offer) if offer.signed or opened.unconfirmed else None,
        token=sign(RECEIPT, offer.id),
        unconfirmed=opened.unconfirmed,
        recorded=offer.source != "link",
        gone=gone_as(opened.prop),
        confirmation=confirmation_of(opened.offer),
        rules=texts.rules(language()),
        **more,
    )


@public.get("/r/<token>/receipt.pdf")
@policy(Guard.LINK, limit="60/minute", opens=ByLink({RECEIPT: offer_by_id}))
def receipt_pdf(found: tuple[Offer, OfferState]) -> Response:
    """The PDF to keep."""
    offer = found[0]
    return pdf_answer(offer, stored(offer.agency_id, offer.id))


@public.post("/r/<token>/receipt.pdf")
@policy(Guard.LINK, limit="10/minute", opens=ByLink({RECEIPT: offer_by_id}))
def ask_receipt(found: tuple[Offer, OfferState], token: str) -> AnyResponse:
    """Have it made, where none was made yet; and back to the bidder's page."""
    receipts.ask(found[0])
    return redirect(url_for("public.receipt", token=token), 303)


def pdf_answer(offer: Offer, pdf: bytes | None) -> Response:
    """A receipt as a download; 404 while there is none."""
    if pdf is None:
        raise NotFound
    named = {"Content-Disposition": f'attachment; filename="{offer.reference}.pdf"'}
    return Response(pdf, mimetype="application/pdf", headers=named)
