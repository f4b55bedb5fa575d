"""A bidder's own link, ready to be passed on: to copy, over WhatsApp, by SMS, in the bidder's language."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from flask_babel import gettext as _

from app.links import receipt_token
from app.models import Offer, Property
from app.money import Money, show
from app.offer_document import Bidder
from app.representations import base_url


@dataclass(frozen=True, slots=True)
class Ways:
    """`text` is the message with the link in it; `whatsapp` and `sms` open it addressed to the bidder."""

    url: str
    text: str
    whatsapp: str
    sms: str


def pass_on(offer: Offer, bidder: Bidder, prop: Property) -> Ways:
    """In the language that is set."""
    url = f"{base_url()}/{offer.language}/r/{receipt_token(offer.id)}"
    amount = show(Money(offer.amount_minor, offer.currency), offer.language)
    text = _(
        "Hello. I recorded your offer of %(amount)s for %(title)s (%(reference)s). "
        "Please check and confirm it here: %(url)s",
        amount=amount,
        title=prop.local_title(offer.language),
        reference=offer.reference,
        url=url,
    )
    number = bidder.phone.lstrip("+")
    return Ways(url, text, f"https://wa.me/{number}?text={quote(text)}", f"sms:{bidder.phone}?&body={quote(text)}")
