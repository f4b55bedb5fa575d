"""The bidder enters the code from their mailbox, by a plain form."""

from __future__ import annotations

from flask import g, redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from app.access import Guard, policy
from app.blueprints.public.receipts import receipt_page
from app.blueprints.public.routes import public
from app.errors import NotFound
from app.links import BadToken, read_receipt
from app.queries.offers import Receipt, open_receipt
from app.services import codes


@public.post("/r/<token>/code")
@policy(Guard.LINK, limit="20/minute", scope="code")
def enter_code(token: str) -> Response | tuple[str, int]:
    """Try it; back to the receipt when it was right, else the receipt again with what is wrong."""
    opened = _opened(token)
    after = codes.enter(opened.offer.offer, request.form.get("code", ""))
    if after.state == "done":
        return redirect(url_for("public.receipt", token=token), 303)
    problem = ""
    if after.state == "waiting":
        problem = ngettext(
            "That is not the code. %(num)d try is left.", "That is not the code. %(num)d tries are left.", after.left
        )
    return receipt_page(opened, code_problem=problem), 422


@public.post("/r/<token>/code/again")
@policy(Guard.LINK, limit="10/minute", scope="code-again")
def send_code_again(token: str) -> Response | tuple[str, int]:
    """Another code, a minute after the last one at the earliest."""
    opened = _opened(token)
    if codes.send_another(opened.offer.offer):
        return redirect(url_for("public.receipt", token=token), 303)
    return receipt_page(opened, code_problem=_("Wait a minute before you ask for another code.")), 422


def _opened(token: str) -> Receipt:
    try:
        opened = open_receipt(read_receipt(token))
    except BadToken:
        opened = None
    if opened is None:
        raise NotFound
    g.zone = opened.prop.agency.zone
    return opened
