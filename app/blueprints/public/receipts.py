"""The sealed receipt, for whoever holds the bidder's link."""

from __future__ import annotations

from flask import Response, redirect, url_for
from werkzeug.wrappers import Response as AnyResponse

from app.access import Guard, policy
from app.blueprints.public.routes import public
from app.errors import NotFound
from app.links import BadToken, read_receipt
from app.models import Offer
from app.queries.offers import offer_by_id
from app.queries.receipts import stored
from app.services import receipts


@public.get("/r/<token>/receipt.pdf")
@policy(Guard.LINK, limit="60/minute")
def receipt_pdf(token: str) -> Response:
    """The PDF to keep."""
    offer = _offer(token)
    return pdf_answer(offer, stored(offer.agency_id, offer.id))


@public.post("/r/<token>/receipt.pdf")
@policy(Guard.LINK, limit="10/minute")
def ask_receipt(token: str) -> AnyResponse:
    """Have it made, where none was made yet; and back to the bidder's page."""
    receipts.ask(_offer(token))
    return redirect(url_for("public.receipt", token=token), 303)


def pdf_answer(offer: Offer, pdf: bytes | None) -> Response:
    """A receipt as a download; 404 while there is none."""
    if pdf is None:
        raise NotFound
    named = {"Content-Disposition": f'attachment; filename="{offer.reference}.pdf"'}
    return Response(pdf, mimetype="application/pdf", headers=named)


def _offer(token: str) -> Offer:
    try:
        found = offer_by_id(read_receipt(token))
    except BadToken:
        found = None
    if found is None:
        raise NotFound
    return found[0]
