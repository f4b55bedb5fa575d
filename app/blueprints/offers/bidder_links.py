"""A bidder's own links, for the agent to pass on: to copy, over WhatsApp, by SMS, in the bidder's language."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from flask_babel import force_locale
from flask_babel import gettext as _

from app.core.formats import show_datetime
from app.core.money import Money, show
from app.core.signed_links import RECEIPT, REQUEST, sign
from app.core.urls import base_url
from app.models import Offer, Property
from app.offers.document import Bidder


@dataclass(frozen=True, slots=True)
class OwnLink:
    """`text` is the message with the link in it; `whatsapp` and `sms` open it addressed to the bidder."""

    url: str
    text: str
    whatsapp: str
    sms: str


def confirmation(offer: Offer, bidder: Bidder, prop: Property) -> OwnLink:
    """The link by which they confirm what was recorded for them."""
    url = f"{base_url()}/{offer.language}/r/{sign(RECEIPT, offer.id)}"
    amount = show(Money(offer.amount_minor, offer.currency), offer.language)
    with force_locale(offer.language):
        text = _(
            "Hello. I recorded your offer of %(amount)s for %(title)s (%(reference)s). "
            "Please check and confirm it here: %(url)s",
            amount=amount,
            title=prop.local_title(offer.language),
            reference=offer.reference,
            url=url,
        )
    return _ways(bidder, url, text)


def better_offer(offer: Offer, bidder: Bidder, prop: Property, request_id: uuid.UUID, until: datetime) -> OwnLink:
    """The form of their own in which they answer, while it is asked for."""
    url = f"{base_url()}/{offer.language}/o/{sign(REQUEST, request_id)}"
    with force_locale(offer.language):
        text = _(
            "Hello. Can you make a better offer for %(title)s? Your present one (%(reference)s) is already filled in; "
            "the link takes an answer until %(when)s: %(url)s",
            title=prop.local_title(offer.language),
            reference=offer.reference,
            when=show_datetime(until),
            url=url,
        )
    return _ways(bidder, url, text)


def _ways(bidder: Bidder, url: str, text: str) -> OwnLink:
    number = bidder.phone.lstrip("+")
    return OwnLink(url, text, f"https://wa.me/{number}?text={quote(text)}", f"sms:{bidder.phone}?&body={quote(text)}")
