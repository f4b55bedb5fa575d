"""Every offer of a filter as files hold it: read in batches, opened one by one, never all of them in memory.

Files are made of very many rows, so ids stay as the driver gives them, and of a document only what files show is read:
msgspec passes over the rest without making anything of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from itertools import chain, repeat
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Integer, bindparam, select

from app.core.access import Person
from app.core.keys import keyring
from app.core.raw_rows import among_given, as_given, hex_of, raw, raw_id
from app.core.statements import Query
from app.core.vault import Opener, unpad
from app.extensions import db
from app.models import Offer, OfferBody, OfferKey, OfferState, Property
from app.offers.document import fold
from app.offers.fields import FIELDS
from app.offers.list.filter import OfferFilter
from app.offers.list.order import Order
from app.offers.list.pages import ids_in_order
from app.offers.list.search import Search, read_search
from app.offers.list.statements import proof_of

AT_ONCE = 100  # documents that are open at a time
BATCHES = (250, 500, 1000)  # rows read at once: few for the first of them to leave soon, then more


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
NOTHING = Sent(SentTerms())  # in place of a document that has been forgotten


Place = tuple[Any, Any]  # the id of a row and what it is sorted by, as the driver gives them


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
    search = read_search(by.agency_id, chosen.q)
    opened = keyring().opener(by.agency_id, "offer_body", "body")
    after, query = _places(by, chosen, search), _rows()
    last: Place | None = None
    for size in chain(BATCHES, repeat(BATCHES[-1])):
        found = after(last, size)
        answer = query.raw(db.session.connection(), ids=as_given([held for held, _value in found]))
        db.session.rollback()
        rows = {row[0]: row for row in answer}
        held = [row for last_id, _value in found if (row := rows.get(last_id))]
        for at in range(0, len(held), AT_ONCE):
            yield from _opened(held[at : at + AT_ONCE], opened, search)
        if len(found) < size:
            return
        last = found[-1]


_read = msgspec.json.Decoder(Sent).decode


def _opened(rows: Sequence[tuple[Any, ...]], opened: Opener, search: Search) -> Iterator[Exported]:
    """Rows with their documents, which are opened a few at a time: one kind of work after the other."""
    bodies = [
        None if row[-1] is None or row[-2] is None else _read(unpad(opened(hex_of(row[0]), *row[-3:]))) for row in rows
    ]
    for (held, amount, asking, source, proof, *clear, _kek_id, _wrapped, _body), sent in zip(rows, bodies, strict=True):
        if search.names and not (sent and search.matches(fold(sent.offer.bidder.full_name or ""))):
            continue
        share = amount * 100 / asking if asking else None
        confirmed = None if source == "link" and proof is None else proof == "code"
        yield Exported._make((hex_of(held), amount, asking, source, proof, *clear, sent, share, confirmed))


def _places(by: Person, chosen: OfferFilter, search: Search) -> Callable[[Place | None, int], list[Any]]:
    """A function of the last row read and how many are wanted: the next ones of the filter's order, as the driver gives
    them. Its statements are built once for each file, not for each batch."""
    order, made = Order(chosen.sort), dict[str, Query]()
    ids = ids_in_order(by, chosen, search, order, None).with_only_columns(
        OfferState.offer_id, order.key.label("sorted_by")
    )
    ids = ids.limit(bindparam("wanted", type_=Integer))

    def after(last: Place | None, wanted: int) -> list[Any]:
        kind = "top" if last is None else "empty" if last[1] is None else "value"
        if kind not in made:
            made[kind] = Query(ids.where(order.beyond_given(empty=kind == "empty")) if last else ids)
        given = dict(zip(("last_id", "last_value"), last, strict=True)) if last else {}
        return made[kind].raw(db.session.connection(), wanted=wanted, **given)

    return after


def _rows() -> Query:
    """The columns in clear, in the order of `Exported`, and the sealed document with its key."""
    state = OfferState
    return Query(
        select(
            raw_id(state.offer_id), state.amount_minor, Offer.asking_minor, state.source, proof_of().label("proof"),
            Offer.reference, Property.title, Property.external_id, state.currency, state.financing, state.term_days,
            raw(Offer.valid_until), state.signed, state.status, state.latest, raw(state.submitted_at),
            raw(state.withdrawn_at), OfferKey.kek_id, OfferKey.wrapped, OfferBody.body_ct,
        )
        .join(Offer, Offer.id == state.offer_id)
        .join(Property, Property.id == state.property_id)
        .join(OfferBody, OfferBody.offer_id == state.offer_id, isouter=True)
        .join(OfferKey, OfferKey.offer_id == state.offer_id, isouter=True)
        .where(among_given(state.offer_id, "ids"))
    )  # fmt: skip
