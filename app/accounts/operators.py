"""Who runs the installation: people whom the command line marked. Nobody becomes one by what they are in an agency."""

from __future__ import annotations

import uuid

from sqlalchemy import delete, exists, insert, select

from app.core.clock import now
from app.core.collation import alphabetically
from app.core.unit_of_work import housekeeping
from app.extensions import db
from app.models import Account, Operator


def add(account_id: uuid.UUID) -> None:
    """Mark a person, if they are not marked."""
    with housekeeping() as connection:
        if not is_operator(account_id):
            connection.execute(insert(Operator).values(account_id=account_id, since=now()))


def remove(account_id: uuid.UUID) -> None:
    """Take the mark away."""
    with housekeeping() as connection:
        connection.execute(delete(Operator).where(Operator.account_id == account_id))


def all_of_them() -> list[tuple[str, str]]:
    """Address and language of each."""
    query = select(Account.email, Account.language).join(Operator, Operator.account_id == Account.id)
    return [(row.email, row.language) for row in db.session.execute(query.order_by(*alphabetically(Account.email)))]


def is_operator(account_id: uuid.UUID | None) -> bool:
    """Who left an agency has no account there any more."""
    return bool(db.session.scalar(select(exists().where(Operator.account_id == account_id))))
