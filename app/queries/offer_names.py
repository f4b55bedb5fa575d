"""The folded names of an agency's offers, opened as searches ask for them and held in memory while searching goes on.

People search as they type: opening 100,000 names for every letter would cost a second each. What is held is at most
`MOST` names, for `KEPT` seconds after the last search; nothing of it touches a disk, and who has been forgotten is not
among the rows that are asked about. See docs/decisions/0009-names-in-memory.md.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from flask import current_app
from sqlalchemy import Select

from app.extensions import db
from app.keys import keyring
from app.models import OfferKey
from app.queries.spelled import hex_of, raw_id

KEPT = 120.0
MOST = 250_000
FEW = 400

Names = dict[Any, bytes]


class NameBook:
    """Names by agency and offer. One for each process; forgets all of them when nobody has searched for a while."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[uuid.UUID, Names] = {}
        self._end: threading.Timer | None = None

    def of(self, agency_id: uuid.UUID) -> Names:
        """The names of one agency as far as they are known, to be added to."""
        with self._lock:
            if self._end:
                self._end.cancel()
            self._end = threading.Timer(KEPT, self.forget)
            self._end.daemon = True
            self._end.start()
            if sum(map(len, self._held.values())) > MOST:
                self._held.clear()
            return self._held.setdefault(agency_id, {})

    def forget(self) -> None:
        with self._lock:
            self._held.clear()


def names_of(agency_id: uuid.UUID, ids: Sequence[Any], narrowed: Select[Any]) -> Names:
    """The names of these offers, and perhaps of more. `narrowed` selects `raw_id(...)` of all of them."""
    book: NameBook = current_app.extensions["bidflux_names"]
    names = book.of(agency_id)
    missing = [offer_id for offer_id in ids if offer_id not in names]
    if missing:
        columns = (raw_id(OfferKey.offer_id), OfferKey.kek_id, OfferKey.wrapped, OfferKey.name_ct)
        query = db.select(*columns).execution_options(yield_per=2000)
        if len(missing) <= FEW:
            query = query.where(raw_id(OfferKey.offer_id).in_(missing))
        else:
            query = query.where(raw_id(OfferKey.offer_id).in_(narrowed))
        names.update(_opened(agency_id, db.session.execute(query)))
    return names


def _opened(agency_id: uuid.UUID, rows: Iterable[Any]) -> Iterable[tuple[Any, bytes]]:
    opened = keyring().opener(agency_id, "offer_key", "name")
    for offer_id, kek_id, wrapped, name_ct in rows:
        yield offer_id, opened(hex_of(offer_id), kek_id, wrapped, name_ct)
