"""After a restore every agency begins a new epoch, so that whoever follows its events is told (app/core/epochs.py)."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.core.unit_of_work import witness_of_numbers, writing
from app.extensions import db
from app.models import Agency


def remember_numbers() -> None:
    """Note how far the database counts that is about to be replaced, if it can be read."""
    try:
        for agency_id, seq in db.session.execute(select(Agency.id, Agency.event_seq)):
            witness_of_numbers().note(agency_id, seq)
    except SQLAlchemyError:
        pass  # empty, damaged or older: what the witness knows already is all that there is
    db.session.rollback()


def begin_all() -> int:
    """A new epoch for every agency, once; returns how many there are."""
    ids = list(db.session.scalars(select(Agency.id)))
    for agency_id in ids:
        with writing(agency_id) as tx:
            if not tx.restored:
                tx.begin_epoch()
    return len(ids)
