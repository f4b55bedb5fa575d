"""Every offer of a filter as files hold it: read in batches, opened one by one, never all of them in memory.

Files are made of very many rows, so ids stay as the driver gives them, and of a document only what files show is read:
msgspec passes over the rest without making anything of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import date, datetime
from itertools import chain, repeat
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, select

from app.core.access import Person
from app.core.keys import keyring
from app.core.raw_rows import among_given, as_given, driver_rows, hex_of, raw, raw_id
from app.core.vault import unpad
from app.extensions import db
from app.models import Offer, OfferBody, OfferKey, OfferState, Property
from app.offers.document import fold
from app.offers.fields import FIELDS
from app.offers.list.filter import OfferFilter
from app.offers.list.order import Cursor, Order
from app.offers.list.pages import ids_in_order, proof_of
from app.offers.list.search import read_search

BATCHES = (250, 500, 1000, 2000)  # rows read at once: few for the first of them to leave soon, then more


# What files show of an offer's terms, as its document says it: by field, what stands in clear aside.
IN_FILES = [field for field in FIELDS if field.width and not field.clear]


def _struct(name: str, members: list[Any]) -> Any:
    """Fields that may be missing, as from a document that is older than they are."""
    return msgspec.defstruct(name, [(*member, None) for member in members], gc=False)


def _sent_terms() -> Any:
    within: dict[str, list[Any]] = {}
    flat: list[Any] = []
    for field in IN_FILES:
        members = within.setdefault(field.inside, []) if field.inside else flat
        members.append((field.path[-1], field.kind.held | None))
    around = [(name, _struct(name, members)) for name, members in within.items()]
    defaults = [(name, kind, msgspec.field(default_factory=kind)) for name, kind in around]
    return msgspec.defstruct("SentTerms", [(*member, None) for member in flat] + defaults, gc=False)


SentTerms = _sent_terms()
Sent: Any = msgspec.defstruct("Sent", [("offer", SentTerms), ("channel", str | None, None)], gc=False)


class Exported(NamedTuple):
    """One offer: what stands in clear, as the driver gives it, and what was sealed, None once the person has been
    forgotten. Moments (UTC) and days are text on SQLite, in ISO 8601."""

    id: str  # in hex
    amount_minor: int
    asking_minor: int | None
    source: str
    proof: str | None
    reference: str
    property_title: str
    external_id: str | None
    currency: str
    financing: str
    term_days: int
    valid_until: date | str | None
    signed: bool
    status: str
    latest: bool
    submitted_at: datetime | str
    withdrawn_at: datetime | str | None
    sent: Any  # a `Sent`
    share: float | None  # percent of the asking price
    confirmed: bool | None  # whether a code proved it; None for one that nobody had to confirm


def all_offers(by: Person, chosen: OfferFilter) -> Iterator[Exported]:
    """Every offer of the filter in its order, in batches that hold no transaction open between them."""
    order, search = Order(chosen.sort), read_search(by.agency_id, chosen.q)
    opened, read = keyring().opener(by.agency_id, "offer_body", "body"), msgspec.json.Decoder(Sent).decode
    place: Cursor | None = None
    query, named = _rows(), bool(search.names)
    for size in chain(BATCHES, repeat(BATCHES[-1])):
        ids = ids_in_order(by, chosen, search, order, place).with_only_columns(raw_id(OfferState.offer_id), order.key)
        found = db.session.connection().execute(ids.limit(size)).all()
        answer = db.session.connection().execute(query, {"ids": as_given([held for held, _value in found])})
        rows = {row[0]: row for row in driver_rows(answer)}
        db.session.rollback()
        for row in (rows[held] for held, _value in found if held in rows):
            held, amount, asking, source, proof, *clear, kek_id, wrapped, body_ct = row
            ident, sent = hex_of(held), None
            if wrapped is not None and body_ct is not None:
                sent = read(unpad(opened(ident, kek_id, wrapped, body_ct)))
            if not named or (sent and search.matches(fold(sent.offer.bidder.full_name or ""))):
                share = amount * 100 / asking if asking else None
                confirmed = None if source == "link" and proof is None else proof == "code"
                yield Exported._make((ident, amount, asking, source, proof, *clear, sent, share, confirmed))
        if len(found) < size:
            return
        last, value = found[-1]
        place = order.place_of(value, uuid.UUID(hex_of(last)))


def _rows() -> Select[Any]:
    """The columns in clear, in the order of `Exported`, and the sealed document with its key."""
    state = OfferState
    return (
        select(
            raw_id(state.offer_id), state.amount_minor, Offer.asking_minor, state.source, proof_of(), Offer.reference,
            Property.title, Property.external_id, state.currency, state.financing, state.term_days,
            raw(Offer.valid_until), state.signed, state.status, state.latest, raw(state.submitted_at),
            raw(state.withdrawn_at), OfferKey.kek_id, OfferKey.wrapped, OfferBody.body_ct,
        )
        .join(Offer, Offer.id == state.offer_id)
        .join(Property, Property.id == state.property_id)
        .join(OfferBody, OfferBody.offer_id == state.offer_id, isouter=True)
        .join(OfferKey, OfferKey.offer_id == state.offer_id, isouter=True)
        .where(among_given(state.offer_id, "ids"))
    )  # fmt: skip
