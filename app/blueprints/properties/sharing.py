"""The ways to hand a property's links on: the buyers', and its owner's."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import segno
from flask_babel import force_locale
from flask_babel import gettext as _

from app.core.clock import now
from app.core.language import LANGUAGES
from app.core.signed_links import SELLER, sign
from app.core.urls import base_url
from app.models import Property
from app.properties.representation import link_state, offer_url
from app.properties.seller_page import links_of


@dataclass(frozen=True, slots=True)
class Share:
    """A link with everything the share panel offers. `texts` are (language, ready text)."""

    state: str
    url: str
    texts: tuple[tuple[str, str], ...]
    subject: str
    qr: str

    @property
    def text(self) -> str:
        return self.texts[0][1]

    @property
    def mail(self) -> str:
        return f"mailto:?subject={quote(self.subject)}&body={quote(self.text)}"

    @property
    def sms(self) -> str:
        return f"sms:?&body={quote(self.text)}"

    @property
    def whatsapp(self) -> str:
        return f"https://wa.me/?text={quote(self.text)}"

    @property
    def facebook(self) -> str:
        return f"https://www.facebook.com/sharer/sharer.php?u={quote(self.url, safe='')}"


def share(prop: Property, language: str) -> Share:
    """The link of a property; its texts begin with the reader's own language."""
    url = offer_url(prop)
    texts = tuple((code, _text(prop, url, code)) for code in sorted(LANGUAGES, key=lambda code: code != language))
    subject = _("Offers for %(title)s", title=prop.local_title(language))
    return Share(link_state(prop, prop.link_version), url, texts, subject, qr_svg(url))


def _text(prop: Property, url: str, language: str) -> str:
    with force_locale(language):
        title = prop.local_title(language)
        return str(_("Send your offer for %(title)s here: %(url)s", title=title, url=url))


def qr_svg(url: str) -> str:
    """For the page itself: no size of its own, classes instead of styles."""
    code = segno.make(url, error="m", micro=False)
    return str(code.svg_inline(border=2, svgclass="qr", lineclass=None, omitsize=True, dark="#000", light="#fff"))


def qr_file(url: str, kind: str) -> bytes:
    """A file to keep or print; `kind` is svg or png."""
    out = io.BytesIO()
    segno.make(url, error="m", micro=False).save(out, kind=kind, scale=16, border=4)
    return out.getvalue()


def shared_with_seller(prop: Property, title: str) -> list[dict[str, Any]]:
    """The open links for the property's page, each with its address and a mail to send it by."""
    shown = []
    for link in links_of(prop, now()):
        url = f"{base_url()}/s/{sign(SELLER, link.link.id)}"
        words = _("Here you can follow all offers for %(title)s as they come: %(url)s", title=title, url=url)
        subject = _("The offers for %(title)s", title=title)
        mail = f"mailto:?subject={quote(subject)}&body={quote(words)}"
        shown.append({"held": link, "url": url, "mail": mail})
    return shown
