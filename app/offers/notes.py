"""Notes beside an offer: for the agency only, sealed under the offer's key, taken away by whoever wrote them."""

from __future__ import annotations

import uuid

from sqlalchemy import delete, select

from app.core import keys
from app.core.access import Person
from app.core.errors import Conflict, NotFound
from app.core.ids import new_id
from app.core.quotas import hold_bytes, hold_rows
from app.core.unit_of_work import writing
from app.core.vault import Place, seal
from app.models import Note, Offer


def write(offer: Offer, text: str, *, by: Person) -> uuid.UUID:
    """Keep a note; raises `Conflict` once the person of the offer has been forgotten."""
    note_id = new_id()
    with writing(offer.agency_id) as tx:
        key = keys.offer_key(tx.agency_id, offer.id)
        if key is None:
            raise Conflict
        hold_bytes(tx)
        hold_rows(tx, "notes", select(Note.id).where(Note.agency_id == tx.agency_id, Note.offer_id == offer.id))
        body_ct = seal(key, Place(tx.agency_id, "note", "body", note_id), text.encode())
        tx.add(Note, id=note_id, offer_id=offer.id, user_id=by.user.id, at=tx.at, body_ct=body_ct)
        tx.record("note.written", offer.id, by.actor, {"note": str(note_id)})
    return note_id


def remove(offer: Offer, note_id: uuid.UUID, *, by: Person) -> None:
    """Take one's own note away; raises `NotFound` for anyone else's."""
    with writing(offer.agency_id) as tx:
        own = (Note.agency_id == tx.agency_id, Note.offer_id == offer.id, Note.user_id == by.user.id)
        if not tx.connection.execute(delete(Note).where(Note.id == note_id, *own)).rowcount:
            raise NotFound
        tx.record("note.removed", offer.id, by.actor, {"note": str(note_id)})
