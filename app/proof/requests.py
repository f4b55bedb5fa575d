"""Holds requests for a better offer, and sellers' links, against what the ledger says of each: asked or made by whom,
until when, seen by whom, answered by which offer, ended when."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import aliased

from app.extensions import db
from app.models import LedgerEntry, Offer, OfferRequest, SellerLink
from app.offers.entry import differs

ASKED, SHOWN, ANSWERED = "offer.better_asked", "offer.better_link_shown", "offer.replaced"
ENDING = ("offer.better_taken_back", "offer.withdrawn", "offer.erased")
SHARED, REVOKED = "seller.shared", "seller.revoked"


@dataclass(slots=True)
class _Told:
    """One request as the entries tell it. `exact`: they were written when entries said all of it."""

    offer_id: uuid.UUID
    user_id: uuid.UUID | None
    created_at: datetime
    deadline: datetime | None
    message: str | None
    exact: bool
    answer_id: uuid.UUID | None = None
    cancelled_at: datetime | None = None
    shown_at: datetime | None = None
    shown_to: uuid.UUID | None = None
    forgotten: bool = False

    def faults(self, row: Any) -> Iterator[str]:
        """What a row says otherwise."""
        who = (self.offer_id, self.user_id, self.created_at)
        if (row.offer_id, row.user_id, row.created_at) != who or row.property_id != row.its_property:
            yield "what its bidder was asked, by whom and when is not what the ledger says"
        if row.deadline != self.deadline:
            yield "until when a better one was asked for is not what the ledger says"
        # Of before this was written down, the migration says that it was shown at once.
        migrated = not self.exact and row.shown_at == row.created_at
        if (row.shown_at, row.shown_to) != (self.shown_at, self.shown_to) and not migrated:
            yield "who saw the link of a request is not what the ledger says"
        if (row.answer_id, row.cancelled_at) != (self.answer_id, self.cancelled_at):
            yield "how a request for a better one ended is not what the ledger says"
        if row.message_ct is not None if self.forgotten else differs(self.message, row.message_ct):
            yield "what was written with a request is not what the ledger names"


class _History:
    """The requests of an agency, told entry by entry, beside the rows that are held."""

    def __init__(self, rows: dict[str, Any]) -> None:
        self.rows = rows
        self.told: dict[str, _Told] = {}
        self._open: dict[uuid.UUID, str] = {}
        self._replaced: set[uuid.UUID] = set()

    def read(self, entry: Any) -> None:
        data, of = said_in(entry.body), entry.object_id
        name = str(data.get("request"))
        if entry.kind in {ASKED, *ENDING}:
            self._end(of, entry)
        if entry.kind == ASKED:
            message = data.get("message")
            until = moment(data.get("deadline"))
            self.told[name] = _Told(of, entry.actor_id, entry.at, until, message, message is not None)
            self._open[of] = name
        elif entry.kind == SHOWN and name in self.told and self.told[name].shown_at is None:
            self.told[name].shown_at, self.told[name].shown_to = entry.at, entry.actor_id
        elif entry.kind == ANSWERED:
            self._replaced.add(of)
            self._answer(name if "request" in data else self._asked_for(of), of)

    def _asked_for(self, answer: uuid.UUID) -> str:
        """Entries of before did not say which request an offer answers: the row is taken at its word."""
        return next((name for name, row in self.rows.items() if row.answer_id == answer), "")

    def _answer(self, name: str, answer: uuid.UUID) -> None:
        told = self.told.get(name)
        if told and told.answer_id is None and told.cancelled_at is None:
            told.answer_id = answer
            self._open.pop(told.offer_id, None)

    def believe(self) -> None:
        """An offer that names the one before it, and of which no entry says so, is of before there were such entries:
        that it answers a request is taken at the row's word."""
        for name, told in self.told.items():
            row = self.rows.get(name)
            if row and row.answer_id and row.previous_id and row.answer_id not in self._replaced and not told.exact:
                told.answer_id, told.cancelled_at = row.answer_id, None

    def _end(self, offer_id: uuid.UUID, entry: Any) -> None:
        if name := self._open.pop(offer_id, None):
            self.told[name].cancelled_at = entry.at
        if entry.kind == "offer.erased":
            self._forget(offer_id, entry.at)

    def _forget(self, offer_id: uuid.UUID, at: datetime) -> None:
        for name, told in self.told.items():
            if told.offer_id == offer_id:
                told.forgotten = True
                row = self.rows.get(name)
                if told.cancelled_at and not told.exact and row and row.cancelled_at == at:
                    told.cancelled_at = at  # erasing moved it once


def request_faults(agency_id: uuid.UUID) -> Iterator[str]:
    """What does not hold, a line each."""
    answer, its = aliased(Offer), Offer.property_id.label("its_property")
    query = select(OfferRequest.__table__, its, answer.previous_id).outerjoin(Offer, Offer.id == OfferRequest.offer_id)
    query = query.outerjoin(answer, answer.id == OfferRequest.answer_id)
    rows = db.session.execute(query.where(OfferRequest.agency_id == agency_id))
    history = _History({str(row.id): row for row in rows})
    for entry in _entries(agency_id, (ASKED, SHOWN, ANSWERED, *ENDING)):
        history.read(entry)
    history.believe()
    for name, told in history.told.items():
        row = history.rows.get(name)
        found = told.faults(row) if row else ["what its bidder was asked is gone"]
        yield from (f"offer {told.offer_id}: {one}" for one in found)
    for name, row in history.rows.items():
        if name not in history.told:
            yield f"offer {row.offer_id}: that its bidder was asked for a better one is not in the ledger"


def link_faults(agency_id: uuid.UUID) -> Iterator[str]:
    """The same of the links by which sellers read offers."""
    rows = db.session.execute(select(SellerLink.__table__).where(SellerLink.agency_id == agency_id))
    held = {str(row.id): row for row in rows}
    told: dict[str, tuple[Any, ...]] = {}
    for entry in _entries(agency_id, (SHARED, REVOKED)):
        data = said_in(entry.body)
        name, until = str(data.get("link")), moment(data.get("until"))
        if entry.kind == SHARED:
            told[name] = (entry.object_id, entry.actor_id, entry.at, data.get("names"), until, None)
        elif name in told:
            told[name] = (*told[name][:-1], entry.at)
    for name in sorted(held.keys() | told.keys()):
        row = held.get(name)
        columns = row and (
            row.property_id, row.user_id, row.created_at, row.shows_names, row.expires_at, row.revoked_at
        )  # fmt: skip
        if columns != told.get(name):
            yield f"a seller's link ({name}) is not what the ledger says"


def _entries(agency_id: uuid.UUID, kinds: tuple[str, ...]) -> Iterator[Any]:
    entry = LedgerEntry
    query = select(entry.kind, entry.at, entry.object_id, entry.actor_id, entry.body)
    yield from db.session.execute(query.where(entry.agency_id == agency_id, entry.kind.in_(kinds)).order_by(entry.seq))


def moment(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def said_in(body: object) -> dict[str, Any]:
    """What an entry says; nothing where somebody put something else in its place."""
    try:
        said = json.loads(body)["data"]  # type: ignore[arg-type]  # SQLite holds what it was given
    except (ValueError, TypeError, KeyError):
        return {}
    return said if isinstance(said, dict) else {}
