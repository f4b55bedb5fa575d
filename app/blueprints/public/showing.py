"""What one form or review shows, the stamp that ties what is sent to it, and where it is sent."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from flask import request, url_for

from app.core.clock import now
from app.core.language import LANGUAGES, language
from app.core.signed_links import NOTHING, PHOTO, STAMP, BadToken, OfferLink, Stamp, read, sign
from app.models import Offer, Property
from app.proof import texts
from app.properties.links import OpenedLink, open_link, open_property, open_request
from app.properties.shown import digest_of, shown_of, snapshot, unpacked


@dataclass(frozen=True, slots=True)
class Showing:
    """What one form shows: `snap` is all of the property, `texts` are by kind with their versions."""

    nonce: bytes
    opened: float
    snap: dict[str, Any]
    texts: dict[str, tuple[str, str]]

    @classmethod
    def of(cls, link: OpenedLink, stamp: Stamp | None) -> Showing:
        """As things are now, with the texts of when the stamp's form was opened; without a stamp, a new form."""
        prop, asked = link.property, link.request
        found = texts.shown(prop, language(), opened_at(stamp))
        versions = {kind: version for kind, (_body, version) in found.items()}
        facts = shown_of(prop, prop.agency.name, prop.agent, language(), windowed=asked is None)
        snap = snapshot(facts, versions, asked.shown() if asked else None)
        nonce, opened = (stamp.nonce, stamp.opened) if stamp else (os.urandom(16), time.time())
        return cls(nonce, opened, snap, found)

    @classmethod
    def of_property(cls, prop: Property, stamp: Stamp | None) -> Showing:
        """For who answers for an offer that was made already."""
        return cls.of(OpenedLink(prop, prop.link_version, "open"), stamp)

    def in_this_language(self, prop: Property, seen: dict[str, Any]) -> dict[str, Any]:
        """What a page had shown, in this page's language: the same words in another language are no change."""
        if seen == self.snap:
            return seen
        same = {**seen, "texts": dict(seen["texts"])}
        at = datetime.fromtimestamp(self.opened, UTC)
        for code in LANGUAGES:
            other = _said(prop, code, at)
            for name in ("title", "description"):
                if same[name] == other[name]:
                    same[name] = self.snap[name]
            for kind, version in other["texts"].items():
                if same["texts"].get(kind) == version:
                    same["texts"][kind] = self.snap["texts"][kind]
        return same

    def has_notice_of(self, prop: Property, seen: dict[str, Any]) -> bool:
        """Whether the privacy notice is the one that a page had shown, in whichever language."""
        return bool(self.in_this_language(prop, seen)["texts"]["notice"] == self.snap["texts"]["notice"])

    def stamp(self, prop: Property, terms: bytes = NOTHING, ready: float = 0.0) -> str:
        """For a review `terms` names the offer that it shows."""
        return sign(STAMP, Stamp(prop.id, self.nonce, self.opened, ready, digest_of(self.snap), terms))


def _said(prop: Property, code: str, at: datetime) -> dict[str, Any]:
    """What is worded differently in each language."""
    versions = {kind: version for kind, (_body, version) in texts.shown(prop, code, at).items()}
    snap = snapshot(shown_of(prop, prop.agency.name, prop.agent, code), versions)
    return {name: snap[name] for name in ("title", "description", "texts")}


@dataclass(frozen=True, slots=True)
class FormTarget:
    """Where a form is sent: to a link, or to a bidder's own page, whose address does not give the link away."""

    action: str
    open: Callable[[], OpenedLink | None]
    photo: Callable[[Property], str | None]
    seen_url: str = ""
    own_page: uuid.UUID | None = None  # the offer from whose private page it is sent

    @classmethod
    def by_link(cls, link: OpenedLink, token: str) -> FormTarget:
        def photo(prop: Property) -> str | None:
            return f"/o/{token}/photo?v={prop.photo_id.hex[-10:]}" if prop.photo_id else None

        action, seen = url_for("public.offer", token=token), url_for("public.seen", token=token)
        again = partial(open_link, OfferLink(link.property.id, link.version))
        return cls(action, partial(open_request, link.request.id) if link.request else again, photo, seen)

    @classmethod
    def by_own_page(cls, offer: Offer, asked: uuid.UUID | None) -> FormTarget:
        """`asked` is the request that is answered there."""

        def photo(prop: Property) -> str | None:
            return f"/photos/{sign(PHOTO, prop.photo_id)}" if prop.photo_id else None

        def opened() -> OpenedLink | None:
            return open_request(asked) if asked else open_property(offer.property_id)

        return cls(url_for("public.send_again", reference=offer.reference), opened, photo, own_page=offer.id)


def posted(prop: Property) -> tuple[Stamp | None, dict[str, Any] | None]:
    """The stamp that the form sent, and what its page had shown; None for each that is not ours."""
    try:
        stamp = read(STAMP, request.form.get("stamp", ""), prop.id)
    except BadToken:
        return None, None
    return stamp, unpacked(request.form.get("shown", ""), stamp.shown)


def opened_at(stamp: Stamp | None) -> datetime:
    """When the form was opened: its texts are those of that moment, until it is sent."""
    return datetime.fromtimestamp(stamp.opened, UTC) if stamp else now()
