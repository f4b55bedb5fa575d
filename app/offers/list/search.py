"""Free text over offers: e-mail and phone exactly, by blind index; references; names by opening the narrow ciphertext.

Nothing that could be searched is kept in clear on a disk: names are opened and looked through in memory. Where few
match, their offers are named to the database; where many do, the list is walked and each name looked up.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, false, literal, or_, select

from app.core.access import Asker, Person, offers_of
from app.core.contacts import NotAContact, read_email, read_phone
from app.core.ids import REFERENCE_ALPHABET, REFERENCE_LENGTH
from app.core.planner_hints import Aside
from app.core.raw_rows import among, as_given, raw_id
from app.extensions import db
from app.models import Offer, OfferState
from app.models.offer import STATUSES
from app.offers.document import fold
from app.offers.list.filter import Condition, OfferFilter, referenced, tagged
from app.offers.list.names import matching, names_of
from app.offers.list.order import Cursor, Order

MAX_WORDS = 8
FEW = 30_000
PHONE_DIGITS = 7
_NUMBER = re.compile(r"(?<![\w@.+-])\+?\(?\d[\d\s().\-/]{1,38}\d(?![\w@])", re.ASCII)
_REFERENCE = re.compile(f"(BF-)?[{REFERENCE_ALPHABET}]{{{REFERENCE_LENGTH}}}")
_FOUR, _GAP = f"([{REFERENCE_ALPHABET}]{{4}})", r"[\s\-‐-―]"
_SAID = re.compile(rf"(?<!\w)BF{_GAP}{{0,3}}{_FOUR}{_GAP}?{_FOUR}(?!\w)", re.IGNORECASE)  # as people read it out
_BEGUN = re.compile(f"BF-[{REFERENCE_ALPHABET}]{{0,{REFERENCE_LENGTH - 1}}}")


@dataclass(frozen=True, slots=True)
class Search:
    """What a free text asks for: all `conditions`; and all `names` somewhere in the bidder's name, where many match.

    `found`: ids of the offers, `as_given`, where it asks for names alone and few match; `conditions` says it too."""

    conditions: list[Condition] = field(default_factory=list)
    names: tuple[str, ...] = ()
    found: Any = None

    def matches(self, folded: str) -> bool:
        return all(word in folded for word in self.names)


def read_search(agency_id: uuid.UUID, text: str | None) -> Search:
    """The words of `q`, each by what it looks like. An e-mail or phone that is not whole finds nothing."""
    if not text:
        return Search()
    conditions: list[Condition] = []

    def number(found: re.Match[str]) -> str:
        if sum(c.isdigit() for c in found[0]) < PHONE_DIGITS:
            return found[0]
        conditions.append(_by_phone(agency_id, found[0]))
        return " "

    names: list[str] = []
    for word in _NUMBER.sub(number, _SAID.sub(r" BF-\1\2 ", text)).split()[:MAX_WORDS]:
        condition = _by_email(agency_id, word) if "@" in word else _by_reference(agency_id, word.upper())
        if condition is None:
            names += fold(word).split()
        else:
            conditions.append(condition)
    if not names and not conditions and text.strip():
        return Search([false()])  # marks alone are nobody's name, and are not everybody's
    if names and len(ids := matching(agency_id, names)) <= FEW:
        given = as_given(ids)
        named = and_(among(OfferState.offer_id, given), OfferState.erased_at.is_(None))
        return Search([*conditions, named], found=None if conditions else given)
    return Search(conditions, tuple(names))


def _by_phone(agency_id: uuid.UUID, text: str) -> Condition:
    try:
        phone = read_phone(text)
        meant = [tagged(agency_id, "phone", number) for number in (phone.e164, phone.suggestion) if number]
        return or_(*meant)
    except NotAContact:
        return false()


def _by_email(agency_id: uuid.UUID, word: str) -> Condition:
    try:
        return tagged(agency_id, "email", read_email(word).folded)
    except NotAContact:
        return false()


def _by_reference(agency_id: uuid.UUID, word: str) -> Condition | None:
    """None when the word is none: eight of its letters may also be a name, unless some offer bears them."""
    if _BEGUN.fullmatch(word):
        begun = select(Offer.id).where(Offer.agency_id == agency_id, Offer.reference.startswith(word, autoescape=True))
        return OfferState.offer_id.in_(begun)
    if not _REFERENCE.fullmatch(word):
        return None
    reference = word if word.startswith("BF-") else f"BF-{word}"
    known = select(Offer.id).where(Offer.agency_id == agency_id, Offer.reference == reference)
    if word != reference and db.session.scalar(known) is None:
        return None
    return referenced(agency_id, reference)


class SearchPage(NamedTuple):
    """One page of what was found, by raw ids; where that was counted on the way, how many of each status, and in all
    under ""."""

    ids: list[Any]
    more: bool
    counts: dict[str, int]


def visible(by: Asker, chosen: OfferFilter, search: Search, *, with_status: bool = True) -> list[Condition]:
    """What `by` may see of a filter. A person or a reference leaves few: those are looked up, all else is checked."""
    conditions = [offers_of(by), *chosen.conditions(by.agency_id, with_status=with_status)]
    if pinned := [*chosen.pins(by.agency_id), *search.conditions]:
        return [*pinned, *(Aside(condition) for condition in conditions)]
    return conditions


def scan(
    by: Person, chosen: OfferFilter, search: Search, order: Order, place: Cursor | None, *, backward: bool, limit: int
) -> SearchPage:
    """Go through the names within the filter, once: for the page at `place`, and for the counters."""
    beyond: ColumnElement[bool] = order.beyond(place, backward=backward) if place else literal(True)
    conditions = [*visible(by, chosen, search, with_status=False), OfferState.erased_at.is_(None)]
    query = select(raw_id(OfferState.offer_id), OfferState.status, beyond).where(*conditions)
    rows = db.session.connection().execute(order.apply(order.join(query), backward=backward)).all()
    names = names_of(by.agency_id)
    needles = [word.encode() for word in search.names]
    counts: dict[str, int] = {}
    kept: list[Any] = []
    for offer_id, status, follows in rows:
        name = names.get(offer_id, b"")
        for needle in needles:
            if needle not in name:
                break
        else:
            counts[status] = counts.get(status, 0) + 1
            if follows and len(kept) <= limit and chosen.status in {None, status}:
                kept.append(offer_id)
    return SearchPage(kept[:limit], len(kept) > limit, totals(counts))


def totals(counts: Mapping[str, int]) -> dict[str, int]:
    """Counters of every status, and of all under ""."""
    return {"": sum(counts.values()), **{status: counts.get(status, 0) for status in STATUSES}}
