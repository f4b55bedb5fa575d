"""Work of the installation that comes at its time; whichever relay takes it first does it."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import insert, update

from app.core.clock import now
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Chore

FAULT_LENGTH = 300


def chore(name: str) -> Chore | None:
    """As it stands now."""
    db.session.rollback()
    return db.session.get(Chore, name, populate_existing=True)


def set_chore(name: str, **values: Any) -> None:
    """Write down what is given of it; it is made where there is none."""
    with housekeeping() as connection:
        if not connection.execute(update(Chore).where(Chore.name == name).values(**values)).rowcount:
            connection.execute(insert(Chore).values(name=name, **{"settings": {}, **values}))


def take(name: str, until: datetime) -> bool:
    """Whether it is due and nobody else took it; it is due again at `until`, also where this process dies."""
    due = (Chore.name == name, Chore.due_at <= now())
    if db.session.scalar(db.select(Chore.name).where(*due)) is None:
        db.session.rollback()
        return False
    with housekeeping() as connection:
        taken = connection.execute(update(Chore).where(*due).values(due_at=until, tried_at=now()))
    return bool(taken.rowcount)


def next_at(clock: str, after: datetime) -> datetime:
    """The next moment after another at which it is `HH:MM` (UTC)."""
    moment = datetime.combine(after.date(), time.fromisoformat(clock), after.tzinfo)
    return moment if moment > after else moment + timedelta(days=1)


def went_well(name: str, **more: Any) -> None:
    set_chore(name, good_at=now(), fault=None, **more)


def went_wrong(name: str, fault: str, again: datetime | None = None) -> None:
    set_chore(name, fault=fault[:FAULT_LENGTH], **({"due_at": again} if again else {}))
