"""Every offer of a filter as files hold it: read in batches, opened one by one, never all of them in memory.

Files are made of very many rows, so ids stay as the driver gives them, and of a document only what files show is read:
msgspec passes over the rest without making anything of it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from itertools import chain, repeat
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Select, select

from app.core.access import Person
from app.core.keys import keyring
from app.core.raw_rows import hex_of, raw_id
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
    """One offer: what stands in clear, and what was sealed, None once the person has been forgotten."""

    id: str  # in hex
    reference: str
    property_title: str
    external_id: str | None
    amount_minor: int
    currency: str
    asking_minor: int | None
    financing: str
    term_days: int
    valid_until: date | None
    signed: bool
    source: str
    status: str
    latest: bool
    submitted_at: datetime
    withdrawn_at: datetime | None
    proof: str | None
    sent: Any  # a `Sent`

    @property
    def share(self) -> float | None:
        """Percent of the asking price."""
        return self.amount_minor * 100 / self.asking_minor if self.asking_minor else None

    @property
    def confirmed(self) -> bool | None:
        """Whether a code proved it; None for one that nobody had to confirm."""
        return None if self.source == "link" and self.proof is None else self.proof == "code"


def all_offers(by: Person, chosen: OfferFilter) -> Iterator[Exported]:
    """Every offer of the filter in its order, in batches that hold no transaction open between them."""
    order, search = Order(chosen.sort), read_search(by.agency_id, chosen.q)
    opened, read = keyring().opener(by.agency_id, "offer_body", "body"), msgspec.json.Decoder(Sent).decode
    place: Cursor | None = None
    for size in chain(BATCHES, repeat(BATCHES[-1])):
        ids = ids_in_order(by, chosen, search, order, place).with_only_columns(raw_id(OfferState.offer_id), order.key)
        found = db.session.connection().execute(ids.limit(size)).all()
        rows = {row[0]: row for row in db.session.connection().execute(_rows([raw for raw, _value in found])).all()}
        db.session.rollback()
        for row in (rows[raw] for raw, _value in found if raw in rows):
            raw, *clear, kek_id, wrapped, body_ct = row
            ident, sent = hex_of(raw), None
            if wrapped is not None and body_ct is not None:
                sent = read(unpad(opened(ident, kek_id, wrapped, body_ct)))
            if not search.names or (sent and search.matches(fold(sent.offer.bidder.full_name or ""))):
                yield Exported._make((ident, *clear, sent))
        if len(found) < size:
            return
        raw, value = found[-1]
        place = order.place_of(value, uuid.UUID(hex_of(raw)))


def _rows(ids: Sequence[Any]) -> Select[Any]:
    """The columns in clear, in the order of `Exported`, and the sealed document with its key."""
    state = OfferState
    return (
        select(
            raw_id(state.offer_id), Offer.reference, Property.title, Property.external_id, state.amount_minor,
            state.currency, Offer.asking_minor, state.financing, state.term_days, Offer.valid_until, state.signed,
            state.source, state.status, state.latest, state.submitted_at, state.withdrawn_at, proof_of(),
            OfferKey.kek_id, OfferKey.wrapped, OfferBody.body_ct,
        )
        .join(Offer, Offer.id == state.offer_id)
        .join(Property, Property.id == state.property_id)
        .join(OfferBody, OfferBody.offer_id == state.offer_id, isouter=True)
        .join(OfferKey, OfferKey.offer_id == state.offer_id, isouter=True)
        .where(raw_id(state.offer_id).in_(ids))
    )  # fmt: skip
