"""What a property's owner sees: every offer there ever was, with its number in the register; nobody's contact."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import joinedload

from app.core import keys
from app.core.money import Money, from_decimal_text
from app.core.vault import Place, unpad, unseal
from app.extensions import db
from app.models import CODE, HELD_LINK, LedgerEntry, Offer, OfferBody, OfferKey, OfferState, Property, SellerLink
from app.offers.chain import replaced_by
from app.offers.document import Document, decode
from app.offers.list.statements import proof_of

PER_PAGE = 100
BY_MAIL = ("mailed_link", "private_page")


@dataclass(frozen=True, slots=True)
class OpenedSellerLink:
    """A link with its property, agency and agent."""

    link: SellerLink
    prop: Property


@dataclass(frozen=True, slots=True)
class SellerLine:
    """One offer. `bidder` counts the property's bidders, as far as their offers replace one another; `name` is None
    where the link shows none, or the person was forgotten. `terms` are the opened document's, without free text."""

    seq: int
    bidder: int
    name: str | None
    amount: Money
    asking_minor: int | None
    financing: str
    term_days: int
    valid_until: date | None
    signed: bool
    source: str
    unconfirmed: bool
    held_link: bool
    shown_theirs: bool  # whether anything shows that the bidder reads the address they gave
    status: str
    latest: bool
    withdrawn_at: datetime | None
    erased: bool
    submitted_at: datetime
    own_funds: Money | None
    credit: Money | None
    advance: Money | None
    advance_percent: str | None
    conditions: tuple[str, ...]
    more_conditions: bool
    dates: dict[str, date]

    @property
    def stands(self) -> bool:
        return self.latest and not self.withdrawn_at and not self.erased

    def lapsed(self, today: date) -> bool:
        return self.valid_until is not None and self.valid_until < today and self.status in {"new", "viewed"}


@dataclass(frozen=True, slots=True)
class SellerPage:
    """All offers of a property. `registered` counts the register's entries of offers sent, `last_seq` and `last_at`
    name the latest: what the register holds and what is shown must agree."""

    lines: list[SellerLine]
    total: int
    standing: int
    replaced: int
    withdrawn: int
    erased: int
    registered: int
    last_seq: int | None
    last_at: datetime | None
    number: int
    pages: int


def open_seller_link(link_id: uuid.UUID) -> OpenedSellerLink | None:
    """For the signed link, or the cookie it was exchanged for."""
    link = db.session.get(SellerLink, link_id)
    if link is None:
        return None
    query = select(Property).where(Property.agency_id == link.agency_id, Property.id == link.property_id)
    prop = db.session.scalars(query.options(joinedload(Property.agent), joinedload(Property.agency))).one()
    return OpenedSellerLink(link, prop)


@dataclass(frozen=True, slots=True)
class SharedLink:
    """A link as the agency manages it."""

    link: SellerLink
    opened: int
    last_opened_at: datetime | None


def links_of(prop: Property, at: datetime) -> list[SharedLink]:
    """The links that are open, newest first, with their openings as the register has them."""
    query = select(SellerLink).where(SellerLink.agency_id == prop.agency_id, SellerLink.property_id == prop.id)
    open_now = query.where(SellerLink.revoked_at.is_(None), SellerLink.expires_at > at)
    links = db.session.scalars(open_now.order_by(SellerLink.created_at.desc())).all()
    if not links:
        return []
    openings: dict[str, list[datetime]] = {}
    entries = select(LedgerEntry.at, LedgerEntry.body).where(
        LedgerEntry.agency_id == prop.agency_id,
        LedgerEntry.object_id == prop.id,
        LedgerEntry.kind == "seller.opened",
    )
    for row in db.session.execute(entries.order_by(LedgerEntry.seq)):
        openings.setdefault(json.loads(row.body)["data"]["link"], []).append(row.at)
    return [
        SharedLink(link, len(moments), moments[-1] if moments else None)
        for link in links
        for moments in [openings.get(str(link.id), [])]
    ]


def seller_page(opened: OpenedSellerLink, number: int = 1) -> SellerPage:
    """One page of the offers: those that stand first, the highest on top; then replaced, withdrawn and erased."""
    prop = opened.prop
    mine = (OfferState.agency_id == prop.agency_id, OfferState.property_id == prop.id)
    gone, erased = OfferState.withdrawn_at.is_not(None), OfferState.erased_at.is_not(None)
    stands = and_(OfferState.latest, ~gone, ~erased)
    total, standing, n_erased, n_withdrawn, n_replaced = db.session.execute(
        select(
            func.count(),
            _sum(stands),
            _sum(erased),
            _sum(and_(gone, ~erased)),
            _sum(and_(~OfferState.latest, ~gone, ~erased)),
        ).where(*mine)
    ).one()
    submitted = and_(LedgerEntry.object_id == Offer.id, LedgerEntry.kind == "offer.submitted")
    of_property = (Offer.agency_id == prop.agency_id, Offer.property_id == prop.id)
    registered, last_seq, last_at = db.session.execute(
        select(func.count(), func.max(LedgerEntry.seq), func.max(LedgerEntry.at))
        .select_from(Offer)
        .join(LedgerEntry, and_(LedgerEntry.agency_id == Offer.agency_id, submitted))
        .where(*of_property)
    ).one()
    pages = max(1, -(-total // PER_PAGE))
    number = min(max(number, 1), pages)
    rows = db.session.execute(
        select(
            Offer,
            OfferState,
            OfferBody.body_ct,
            OfferKey.kek_id,
            OfferKey.wrapped,
            LedgerEntry.seq,
            proof_of().label("proof"),
        )
        .join(OfferState, OfferState.offer_id == Offer.id)
        .join(LedgerEntry, and_(LedgerEntry.agency_id == Offer.agency_id, submitted))
        .outerjoin(OfferBody, OfferBody.offer_id == Offer.id)
        .outerjoin(OfferKey, OfferKey.offer_id == Offer.id)
        .where(*of_property)
        .order_by(case((stands, 0), else_=1), Offer.currency, Offer.amount_minor.desc(), LedgerEntry.seq)
        .limit(PER_PAGE)
        .offset((number - 1) * PER_PAGE)
    ).all()
    bidders = _bidders(of_property)
    lines = [_line(row, bidders[row.Offer.id], shows_names=opened.link.shows_names) for row in rows]
    counts = (total, standing or 0, n_replaced or 0, n_withdrawn or 0, n_erased or 0)
    return SellerPage(lines, *counts, registered, last_seq, last_at, number, pages)


def _sum(condition: Any) -> Any:
    return func.sum(case((condition, 1), else_=0))


def _bidders(of_property: Sequence[Any]) -> dict[uuid.UUID, int]:
    """A number for each bidder, in the order of their first offers: an offer that replaces another has its number."""
    query = (
        select(Offer.id, replaced_by().label("previous_id")).where(*of_property).order_by(Offer.submitted_at, Offer.id)
    )
    numbers: dict[uuid.UUID, int] = {}
    so_far = 0
    for row in db.session.execute(query):
        if row.previous_id not in numbers:
            so_far += 1
        numbers[row.id] = numbers.get(row.previous_id, so_far)
    return numbers


def _line(row: Any, bidder: int, *, shows_names: bool) -> SellerLine:
    offer, state = row.Offer, row.OfferState
    document = _document(row)
    body: dict[str, Any] = document.body if document else {}
    terms = body.get("offer", {})
    bidder_shown = document.bidder if document and shows_names else None
    conditions = terms.get("conditions") or {"kinds": [], "text": None}

    def money(field: str) -> Money | None:
        return Money(from_decimal_text(terms[field]), offer.currency) if terms.get(field) else None

    wished = {field: terms.get(field) for field in ("precontract_date", "deed_date")}
    return SellerLine(
        seq=row.seq,
        bidder=bidder,
        name=(bidder_shown.company_name or bidder_shown.full_name) if bidder_shown else None,
        amount=Money(offer.amount_minor, offer.currency),
        asking_minor=offer.asking_minor,
        financing=offer.financing,
        term_days=offer.term_days,
        valid_until=offer.valid_until,
        signed=state.signed,
        source=offer.source,
        unconfirmed=offer.source != "link" and bool(terms) and not (row.proof or state.withdrawn_at),
        held_link=row.proof == HELD_LINK,
        shown_theirs=_shown_theirs(body, row.proof),
        status=state.status,
        latest=state.latest,
        withdrawn_at=state.withdrawn_at,
        erased=not terms,
        submitted_at=offer.submitted_at,
        own_funds=money("own_funds_amount"),
        credit=money("credit_amount"),
        advance=money("advance_amount"),
        advance_percent=terms.get("advance_percent"),
        conditions=tuple(conditions["kinds"]),
        more_conditions=bool(conditions["text"] or terms.get("payment_term_note")),
        dates={field: date.fromisoformat(day) for field, day in wished.items() if day},
    )


def _document(row: Any) -> Document | None:
    """None once the person has been forgotten."""
    if row.wrapped is None or row.OfferState.erased_at:
        return None
    offer = row.Offer
    key = keys.unwrap_offer_key(offer.agency_id, offer.id, row.kek_id, row.wrapped)
    return decode(unpad(unseal(key, Place(offer.agency_id, "offer_body", "body", offer.id), row.body_ct)))


def _shown_theirs(body: dict[str, Any], proof: str | None) -> bool:
    """Whether it is proved to be the bidder's: by a code, or by a link that was mailed to their address."""
    return proof == CODE or ("asked" in body and body.get("previous_proof") in BY_MAIL)
