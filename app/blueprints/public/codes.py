"""The bidder enters the code from their mailbox, by a plain form."""

from __future__ import annotations

from flask import redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from werkzeug.wrappers import Response

from app.blueprints.public.receipts import BY_RECEIPT, shared_page
from app.blueprints.public.routes import public
from app.offers import codes
from app.offers.codes import CodeState
from app.offers.details import Receipt
from app.web.guards import Guard, policy


@public.post("/r/<token>/code")
@policy(Guard.LINK, limit="20/minute", scope="code", opens=BY_RECEIPT)
def enter_code(opened: Receipt, token: str) -> Response | tuple[str, int]:
    """Try the code: back to the receipt if it is right, else the receipt with what is wrong."""
    after = codes.enter(opened.offer.offer, request.form.get("code", ""))
    if after.state == "done":
        return redirect(url_for("public.receipt", token=token), 303)
    return shared_page(opened, code_problem=wrong_code(after)), 422


def wrong_code(after: CodeState) -> str:
    """What to say of a wrong code; empty where the page itself says why there is none."""
    if after.state == "none":
        return str(_("Ask for a code first."))
    if after.state != "waiting":
        return ""
    return str(
        ngettext(
            "That is not the code. %(num)d try is left.", "That is not the code. %(num)d tries are left.", after.left
        )
    )


@public.post("/r/<token>/code/again")
@policy(Guard.LINK, limit="10/minute", scope="code-again", opens=BY_RECEIPT)
def send_code_again(opened: Receipt, token: str) -> Response | tuple[str, int]:
    """Another code, a minute after the last one at the earliest."""
    if codes.send_another(opened.offer.offer):
        return redirect(url_for("public.receipt", token=token), 303)
    problem = _("Wait a minute before you ask for another code. An address gets only so many in a day.")
    return shared_page(opened, code_problem=problem), 422
